"""Every form of convolution against lax, in value and in both derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from depthjax.compat import enable_x64
from depthjax.ops import winograd
from depthjax.ops.conv import (
    Direct,
    GroupedTaps,
    Patches,
    Pointwise,
    SpaceToDepth,
    Strided,
    Winograd,
    choose_form,
    convolve,
)
from depthjax.ops.geometry import Geometry


def geometry_of(strides=1, padding=0, groups=1):
    return Geometry((strides, strides), ((padding, padding),) * 2, groups=groups)


def reference(x, kernel, geometry):
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.padding,
        lhs_dilation=geometry.input_dilation,
        rhs_dilation=geometry.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=geometry.groups,
    )


def check(form, size, geometry, shape, dtype=np.float64):
    size, groups = (size, size) if isinstance(size, int) else size, geometry.groups
    rng = np.random.default_rng(0)
    height, width = shape
    x = jnp.asarray(rng.normal(size=(2, height, width, 2 * groups)), dtype)
    kernel = jnp.asarray(rng.normal(size=(*size, 2, 3 * groups)), dtype)
    parameters = form.prepare(kernel)
    cotangent_shape = jax.eval_shape(lambda x: reference(x, kernel, geometry), x).shape
    cotangent = jnp.asarray(rng.normal(size=cotangent_shape), dtype)
    tangent = jnp.asarray(rng.normal(size=x.shape), dtype)

    @jax.jit
    def ours(parameters, x, tangent, cotangent):
        def apply(x):
            return convolve(form, parameters, x)

        found, pullback = jax.vjp(apply, x)
        return found, pullback(cotangent)[0], jax.jvp(apply, (x,), (tangent,))[1]

    @jax.jit
    def theirs(kernel, x, tangent, cotangent):
        def apply(x):
            return reference(x, kernel, geometry)

        expected, pullback = jax.vjp(apply, x)
        return expected, pullback(cotangent)[0], apply(tangent)

    arguments = x, tangent, cotangent
    found, pulled, pushed = ours(parameters, *arguments)
    tolerance = {"rtol": 0, "atol": 200 * np.finfo(dtype).eps * size[0] * size[1] * groups}
    # In float32 XLA's own convolution may read, and write, beyond an image that it crops.
    wanted = theirs(*(array.astype(np.float64) for array in (kernel, *arguments)))
    for mine, yours in zip((found, pulled, pushed), wanted, strict=True):
        np.testing.assert_allclose(mine, yours, **tolerance)
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
    with enable_x64(True):
        geometry = geometry_of(strides, padding, groups)
        check(Direct(geometry), size, geometry, shape, dtype)


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 3)),
    strides=st.integers(1, 2),
    kernel_padding=st.sampled_from([(3, 1), (5, 2), (7, 3)]),
)
@settings(max_examples=5, deadline=None)
def test_images_smaller_than_the_kernel(shape, strides, kernel_padding):
    size, padding = kernel_padding
    with enable_x64(True):
        geometry = geometry_of(strides, padding)
        check(Direct(geometry), size, geometry, shape)


@given(
    shape=sizes,
    strides=st.integers(1, 3),
    kernel_padding=st.sampled_from([(3, 1), (1, 0), (5, 2)]),
    groups=st.sampled_from([2, 3]),
)
@settings(max_examples=5, deadline=None)
def test_grouped_taps(shape, strides, kernel_padding, groups):
    size, padding = kernel_padding
    with enable_x64(True):
        geometry = geometry_of(strides, padding, groups)
        check(GroupedTaps(geometry), size, geometry, shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    shape=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(*2 * [st.tuples(st.integers(-1, 4), st.integers(-1, 4))]),
)
@settings(max_examples=12, deadline=None)
def test_strided(dtype, shape, strides, size, padding):
    with enable_x64(True):
        check(Strided(geometry := Geometry(strides, padding)), size, geometry, shape, dtype)


@given(shape=sizes, strides=st.integers(1, 3))
@settings(max_examples=4, deadline=None)
def test_pointwise(shape, strides):
    with enable_x64(True):
        check(Pointwise((strides, strides)), 1, geometry_of(strides), shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(shape=sizes, kernel_padding=st.sampled_from([(3, 1), (5, 2), (7, 3), (3, 0)]))
@settings(max_examples=3, deadline=None)
def test_space_to_depth(dtype, shape, kernel_padding):
    size, padding = kernel_padding
    with enable_x64(True):
        geometry = geometry_of(2, padding)
        check(SpaceToDepth(geometry), size, geometry, shape, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(shape=st.tuples(st.integers(1, 8), st.integers(1, 8)))
@settings(max_examples=5, deadline=None)
def test_winograd(dtype, shape):
    with enable_x64(True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "pays", lambda x, outputs: True)
        check(Winograd(), 3, geometry_of(1, 1), shape, dtype=dtype)


@pytest.mark.parametrize(("shape", "expected"), [((8, 14, 14, 256), True), ((8, 3, 3, 512), False)])
def test_winograd_where_it_pays(shape, expected):
    """Either way the numbers are the convolution's; the program says which way was taken."""
    kernel = jax.ShapeDtypeStruct((3, 3, shape[3], shape[3]), np.float32)
    x = jax.ShapeDtypeStruct(shape, np.float32)
    program = jax.make_jaxpr(lambda k, x: Winograd().forward(Winograd().prepare(k), x))(kernel, x)
    assert ("conv_general_dilated" not in str(program)) == expected


def test_winograd_batched_and_linearized(x64, monkeypatch):
    monkeypatch.setattr(winograd, "pays", lambda x, outputs: True)
    rng = np.random.default_rng(0)
    x, t = (jnp.asarray(rng.normal(size=(3, 2, 5, 6, 2))) for _ in range(2))
    kernel = jnp.asarray(rng.normal(size=(3, 3, 2, 4)))
    geometry = geometry_of(1, 1)
    form = choose_form((3, 3), geometry, 64)
    f = jax.vmap(lambda x: jnp.tanh(convolve(form, form.prepare(kernel), x)))
    expected = jax.vmap(lambda x: jnp.tanh(reference(x, kernel, geometry)))
    value, push = jax.linearize(f, x)
    wanted, wanted_push = jax.linearize(expected, x)
    np.testing.assert_allclose(value, wanted, atol=1e-12)
    np.testing.assert_allclose(push(t), wanted_push(t), atol=1e-12)
    pull, wanted_pull = jax.linear_transpose(push, x), jax.linear_transpose(wanted_push, x)
    np.testing.assert_allclose(pull(value)[0], wanted_pull(wanted)[0], atol=1e-12)


@pytest.mark.parametrize("size", [(2, 2), (4, 4), (3, 2)])
@pytest.mark.parametrize("shape", [(8, 12), (9, 11)])
def test_patches(size, shape, x64):
    geometry = Geometry(strides=size)
    assert jax.default_backend() != "cpu" or choose_form(size, geometry, 3) == Patches()
    check(Patches(), size, geometry, shape)


def test_forms_on_the_cpu():
    kinds = [
        *[(7, 2, 3, 1, 3), (3, 1, 1, 1, 64), (1, 2, 0, 1, 64), (3, 1, 1, 32, 128)],
        *[(3, 2, 1, 1, 64), (5, 1, 2, 1, 64)],
    ]
    assert jax.default_backend() != "cpu" or [
        type(choose_form((size, size), geometry_of(*settings), channels)).__name__
        for size, *settings, channels in kinds
    ] == ["SpaceToDepth", "Winograd", "Pointwise", "GroupedTaps", "Strided", "Direct"]


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
sides = st.tuples(st.integers(-1, 3), st.integers(-1, 3))


@st.composite
def convolutions(draw):
    """A geometry, the kernel's size and an image's, such that there is an output."""
    size, numbers = draw(pairs), draw(st.booleans())  # names go with undilated images alone
    names = st.sampled_from(["SAME", "SAME_LOWER", "VALID"])
    geometry = Geometry(
        strides=draw(pairs),
        padding=draw(st.tuples(sides, sides) if numbers else names),
        dilation=draw(pairs),
        input_dilation=draw(pairs) if numbers else (1, 1),
        groups=draw(st.integers(1, 3)),
    )
    return geometry, size, draw(st.tuples(st.integers(8, 12), st.integers(8, 12)))


@given(convolutions())
@settings(max_examples=5)
def test_every_geometry(case):
    geometry, size, shape = case
    with enable_x64(True):
        forms = {Direct(geometry), choose_form(size, geometry.resolved(size), 2 * geometry.groups)}
        for form in forms:
            check(form, size, geometry, shape)


@pytest.mark.parametrize("padding", ["SAME", "SAME_LOWER", "VALID", ((0, 1), (2, 0))])
def test_the_stem_with_any_padding(padding, x64):
    geometry = Geometry((2, 2), padding)
    for size, shape in ((3, (8, 9)), (5, (7, 10)), (1, (5, 6))):
        check(SpaceToDepth(geometry), size, geometry, shape)


@pytest.mark.parametrize("padding", [((-1, 1), (-1, 1)), ((3, 0), (2, 0)), ((0, -2), (1, -1))])
def test_cropping_in_float32(padding):
    """XLA's own float32 convolution may read beyond the image here, so float64 is the truth."""
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, 9, 9, 3)), rng.normal(size=(2, 2, 3, 3))

    def value_and_pullback(x, kernel):
        form = Direct(Geometry(padding=padding))
        y, pullback = jax.vjp(lambda x: convolve(form, form.prepare(kernel), x), x)
        return y, pullback(jnp.ones_like(y))[0]

    found = jax.jit(value_and_pullback)(np.float32(x), np.float32(kernel))
    with enable_x64(True):
        expected = jax.jit(value_and_pullback)(x, kernel)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
