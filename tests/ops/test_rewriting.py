"""Plain functions whose convolutions and max poolings are ours: the same function, to rounding."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import depthjax
from depthjax.models import fast
from depthjax.ops import equations
from depthjax.ops.rewriting import rewrite

NHWC = ("NHWC", "HWIO", "NHWC")
RNG = np.random.default_rng(0)
SHAPE = (2, 11, 9, 3)


@pytest.fixture(autouse=True)
def _precise(x64):
    """Float64, where rounding hides nothing."""


def array(*shape, dtype=np.float64):
    return jnp.asarray(RNG.normal(size=shape), dtype)


def conv(kernel, x, strides=1, padding="SAME", layout=NHWC, **settings):
    both = (strides, strides) if isinstance(strides, int) else strides
    return lax.conv_general_dilated(x, kernel, both, padding, dimension_numbers=layout, **settings)


def max_pool(x, window, strides, padding):
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)


def odd_order(kernel, x):
    y = conv(kernel, x.transpose(2, 0, 3, 1), layout=("WNCH", "IWOH", "CHNW"))
    return y.transpose(2, 1, 3, 0)


def channels_first(kernel, x):
    return conv(kernel, jnp.moveaxis(x, -1, 1), 2, layout=("NCHW", "OIHW", "NCHW"))


def standardized(kernel, x):
    return conv((kernel - kernel.mean()) / kernel.std(), x, 2, "VALID")


@jax.jit
def nested(kernel, x):
    return jax.checkpoint(lambda x: jnp.tanh(conv(kernel, x)))(x)


def per_image(kernel, x):
    return jax.vmap(lambda image: conv(kernel, image[None])[0])(x)


def pooled(kernel, x):
    # After a ReLU many windows hold ties of 0, to which the shift gives a derivative.
    x = jax.nn.relu(conv(kernel, x)) + x.sum((1, 2, 3), keepdims=True)
    return max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")


def pooled_channels_first(kernel, x):
    x = jnp.moveaxis(conv(kernel, x), -1, 1)
    return max_pool(x, (1, 1, 3, 2), (1, 1, 2, 1), ((0, 0), (0, 0), (1, 0), (1, 0)))


FUNCTIONS = {
    "3×3": (conv, (3, 3, 3, 4), 1),
    "one-sided padding": (partial(conv, padding=((0, 1), (2, 0)), strides=(2, 1)), (3, 3, 3, 4), 1),
    "cropping": (partial(conv, padding=((-1, 0), (0, -2))), (3, 2, 3, 4), 1),
    "dilated": (partial(conv, rhs_dilation=(2, 1)), (3, 3, 3, 4), 1),
    "transposed": (
        partial(conv, padding=((2, 2), (2, 2)), lhs_dilation=(2, 2)), (3, 3, 3, 4), 1),
    "depthwise": (partial(conv, feature_group_count=3), (5, 5, 1, 6), 1),
    "1×1": (partial(conv, strides=2), (1, 1, 3, 5), 1),
    "odd order": (odd_order, (3, 3, 4, 3), 1),
    "channels first": (channels_first, (4, 3, 7, 7), 1),
    "kernels made of weights": (standardized, (3, 3, 3, 4), 1),
    "jit and checkpoint": (nested, (3, 3, 3, 4), 1),
    "vmap": (per_image, (3, 3, 3, 4), 1),
    "max pooling": (pooled, (3, 3, 3, 4), 2),
    "max pooling, channels first": (pooled_channels_first, (3, 3, 3, 4), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_are_those_of_the_function(name):
    function, shape, count = FUNCTIONS[name]
    images, kernel = array(*SHAPE), array(*shape)
    made = rewrite(function, kernel, images)
    assert (made.replaced, made.left) == (count, {})
    assert hash(made.layer) == hash(rewrite(function, kernel, images).layer)
    shape = jax.eval_shape(function, kernel, images).shape
    cotangent, tangent = array(*shape), array(*images.shape)

    @partial(jax.jit, static_argnums=0)
    def everything(function, weights, images):
        value, pull = jax.vjp(partial(function, weights), images)
        pushed = jax.jvp(partial(function, weights), (images,), (tangent,))[1]
        return value, pull(cotangent)[0], pushed

    found = everything(made.layer, made.weights, images)
    for one, other in zip(found, everything(function, kernel, images), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-11)


def test_the_kernel_may_be_closed_over_and_the_weights_unused():
    kernel, images = array(3, 3, 3, 4), array(*SHAPE)

    def function(_, images):
        return conv(kernel, images)

    made = rewrite(function, {}, images)
    assert made.replaced == 1
    np.testing.assert_allclose(made.layer(made.weights, images), function({}, images), atol=1e-12)


def test_other_batches_run_and_other_sizes_run_as_they_are(monkeypatch):
    ran = []
    apply = equations.Convolution.run
    monkeypatch.setattr(equations.Convolution, "run", lambda *given: ran.append(1) or apply(*given))
    function, kernel = partial(conv, strides=2), array(3, 3, 3, 4)  # its padding is of the size
    made = rewrite(function, kernel, array(*SHAPE))
    for shape, ours in (((5, 11, 9, 3), 1), ((2, 10, 8, 3), 0)):
        ran.clear()
        images = array(*shape)
        found = made.layer(made.weights, images)
        np.testing.assert_allclose(found, function(kernel, images), atol=1e-12)
        assert len(ran) == ours, shape


@jax.custom_vjp
def _doubled(x):
    return 2 * conv(jnp.ones((3, 3, 3, 3)), x)


_doubled.defvjp(lambda x: (_doubled(x), None), lambda _, y: (3 * y,))

LEFT = {
    "convolution inside scan": lambda kernel, x: lax.scan(
        lambda x, _: (conv(kernel, x), None), x, None, length=2
    )[0],
    "convolution inside custom_vjp_call": lambda _, x: _doubled(x),
    "convolution whose kernel depends on the images": lambda kernel, x: conv(kernel * x.mean(), x),
    "convolution over 1 axes": lambda kernel, x: lax.conv_general_dilated(
        x[:, :, 0], kernel[0], (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
    ),
    "max pooling with windows of 9×9, float64": lambda _, x: max_pool(
        x, (1, 9, 9, 1), (1, 1, 1, 1), "SAME"
    ),
    "max pooling with windows over 1 of 4 axes": lambda _, x: max_pool(
        x, (1, 3, 1, 1), (1, 1, 1, 1), "SAME"
    ),
}


@pytest.mark.parametrize("why", LEFT)
def test_what_is_left_runs_as_it_is_and_is_named(why):
    function, images = LEFT[why], array(*SHAPE)
    kernel = array(3, 3, 3, 3)
    made = rewrite(function, kernel, images)
    assert (made.replaced, made.left) == (0, {why: 1})
    ours, theirs = (
        jax.grad(lambda x, f=f, w=w: f(w, x).sum())(images)
        for f, w in ((made.layer, made.weights), (function, kernel))
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_half_precision_is_left():
    images, kernel = array(*SHAPE, dtype=np.float16), array(3, 3, 3, 4, dtype=np.float16)
    assert rewrite(conv, kernel, images).left == {
        "convolution of float16 images and float16 kernels": 1
    }


# ------------------------------------------------------------------------------------ where used


def two_layers(kernels, x):
    return jnp.tanh(conv(kernels[1], jax.nn.relu(conv(kernels[0], x, 2)))).mean((1, 2))


def problem():
    kernels = [array(3, 3, 3, 4, dtype=np.float32), array(3, 3, 4, 4, dtype=np.float32)]
    images = jnp.asarray(RNG.random((2, 8, 8, 3)), jnp.float32)
    return kernels, images, two_layers(kernels, images)


def test_a_descent_takes_the_fast_form_and_ends_where_the_function_does(monkeypatch):
    kernels, images, target = problem()
    # Not Adam, which makes whole steps of gradients that are rounding.
    config = depthjax.InversionConfig(steps=4, optimizer="sgd", learning_rate=3.0)
    made = []

    def noted(*given):
        made.append(rewrite(*given))
        return made[-1]

    monkeypatch.setattr(fast, "rewrite", noted)
    found = depthjax.invert(two_layers, kernels, target, 1 - images, config)
    assert [each.replaced for each in made] == [2]
    monkeypatch.setattr(fast.jax, "default_backend", lambda: "gpu")
    expected = depthjax.invert(
        lambda *given: two_layers(*given), kernels, target, 1 - images, config
    )
    np.testing.assert_allclose(found.images, expected.images, atol=1e-5)
    assert np.abs(found.images - (1 - images)).max() > 0.01


def test_a_wrong_rewriting_is_not_believed(monkeypatch):
    kernels, images, _ = problem()

    def again(*given):  # nothing is compiled of it yet
        return two_layers(*given)

    apply = equations.Convolution.run
    monkeypatch.setattr(equations.Convolution, "run", lambda *given: 2 * apply(*given))
    with pytest.warns(UserWarning, match="layer again runs as it is.* away from the layer"):
        layer, weights = fast.prepare_layer(again, kernels, images)
    assert layer is again and weights is kernels


def test_a_function_of_one_size_of_batch_runs_as_it_is():
    kernels, images, _ = problem()

    def of_two(kernels, x):
        return conv(kernels[0], x).reshape(2, -1)[:, :5] + x.reshape(2, 8, -1)[:, :5, 0]

    with pytest.warns(UserWarning, match="of_two runs as it is"):
        layer, _ = fast.prepare_layer(of_two, kernels, images)
    assert layer is of_two


def test_slow_convolutions_that_stay_are_told():
    kernels, images, _ = problem()
    one_by_one = lambda kernels, x: lax.map(lambda kernel: conv(kernel, x), kernels)  # noqa: E731
    with pytest.warns(UserWarning, match="1 convolution inside scan"):
        fast.fast_form(one_by_one, jnp.stack([kernels[0]] * 2), images)


def test_a_function_that_takes_another_kernel_of_another_size():
    """Its convolutions have the same settings, so the size alone tells the programs apart."""

    def by_size(kernels, x):
        return conv(kernels[int(x.shape[1] >= 10)], x).sum((1, 2, 3))

    kernels = jnp.ones((3, 3, 3, 2)), jnp.full((3, 3, 3, 2), 2.0)
    made = rewrite(by_size, kernels, array(1, 8, 8, 3))
    for size in (8, 12):
        x = array(1, size, size, 3)
        np.testing.assert_allclose(made.layer(made.weights, x), by_size(kernels, x), rtol=1e-10)
