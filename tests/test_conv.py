"""Every form of convolution against lax, in value and in both derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from depthjax.ops.conv import Direct, GroupedTaps, Pointwise, SpaceToDepth, choose_form, convolve


def reference(x, kernel, strides, padding, groups):
    return lax.conv_general_dilated(
        x,
        kernel,
        (strides, strides),
        ((padding, padding),) * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def check(form, size, strides, padding, shape, groups=1, dtype=np.float64):
    rng = np.random.default_rng(0)
    height, width = shape
    x = jnp.asarray(rng.normal(size=(2, height, width, 2 * groups)), dtype)
    kernel = jnp.asarray(rng.normal(size=(size, size, 2, 3 * groups)), dtype)
    parameters = form.prepare(kernel)
    expected, pullback = jax.vjp(lambda x: reference(x, kernel, strides, padding, groups), x)
    found, our_pullback = jax.vjp(lambda x: convolve(form, parameters, x), x)
    cotangent = jnp.asarray(rng.normal(size=expected.shape), dtype)
    tangent = jnp.asarray(rng.normal(size=x.shape), dtype)
    tolerance = {"rtol": 0, "atol": 200 * np.finfo(dtype).eps * size * size * groups}
    np.testing.assert_allclose(found, expected, **tolerance)
    np.testing.assert_allclose(our_pullback(cotangent)[0], pullback(cotangent)[0], **tolerance)
    _, pushed = jax.jvp(lambda x: convolve(form, parameters, x), (x,), (tangent,))
    np.testing.assert_allclose(
        pushed, reference(tangent, kernel, strides, padding, groups), **tolerance
    )
    assert found.dtype == dtype


sizes = st.tuples(st.integers(7, 13), st.integers(7, 13))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    shape=sizes,
    strides=st.integers(1, 3),
    kernel_padding=st.sampled_from([(1, 0), (3, 1), (3, 0), (5, 2), (7, 3), (4, 1)]),
    groups=st.sampled_from([1, 2, 3]),
)
@settings(max_examples=5, deadline=None)
def test_direct(dtype, shape, strides, kernel_padding, groups):
    size, padding = kernel_padding
    with jax.enable_x64(True):
        check(Direct(strides, padding, groups), size, strides, padding, shape, groups, dtype)


@given(
    shape=sizes,
    strides=st.integers(1, 3),
    kernel_padding=st.sampled_from([(3, 1), (1, 0), (5, 2)]),
    groups=st.sampled_from([2, 3]),
)
@settings(max_examples=5, deadline=None)
def test_grouped_taps(shape, strides, kernel_padding, groups):
    size, padding = kernel_padding
    with jax.enable_x64(True):
        check(GroupedTaps(groups, strides, padding), size, strides, padding, shape, groups)


@given(shape=sizes, strides=st.integers(1, 3))
@settings(max_examples=4, deadline=None)
def test_pointwise(shape, strides):
    with jax.enable_x64(True):
        check(Pointwise(strides), 1, strides, 0, shape)


@given(shape=sizes, kernel_padding=st.sampled_from([(3, 1), (5, 2), (7, 3), (3, 0)]))
@settings(max_examples=4, deadline=None)
def test_space_to_depth(shape, kernel_padding):
    size, padding = kernel_padding
    with jax.enable_x64(True):
        check(SpaceToDepth(padding), size, 2, padding, shape)


def test_forms_on_the_cpu():
    assert jax.default_backend() != "cpu" or [
        type(choose_form(*kind)).__name__
        for kind in [(7, 2, 3, 1, 3), (3, 1, 1, 1, 64), (1, 2, 0, 1, 64), (3, 1, 1, 32, 128)]
    ] == ["SpaceToDepth", "Direct", "Pointwise", "GroupedTaps"]
