"""The invertible network: nothing is lost, the inverse is exact, errors are one line."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from error_messages import error_of
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax import Layer, build_model, init_variables, layer_names
from depthjax.compat import enable_x64
from depthjax.models import Network, invert_activations, resolve
from depthjax.models.invertible import depth_to_space, space_to_depth

KEY = jax.random.key(0)
NO_INVERSE = ("avgpool", "fc")


def tiny(**fields: Any) -> Network:
    return build_model("irevnet", **({"blocks": (1, 2), "width": 4, "num_classes": 3} | fields))


def draw(*shape: int, dtype: Any = np.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).random(shape), dtype)


def weights_of(model: Network, dtype: Any = jnp.float32) -> dict[str, Any]:
    """The initial weights and biases that are not 0, so that forgetting one shows."""
    variables = init_variables(model, KEY, 8)
    for leaves in variables["params"].values():
        leaves["bias"] = leaves["bias"] + 0.1
    return jax.tree.map(lambda leaf: leaf.astype(dtype), variables)


@given(
    batch=st.integers(1, 2),
    height=st.integers(1, 3),
    width=st.integers(1, 3),
    channels=st.integers(1, 4),
    hidden=st.integers(1, 3),
)
@settings(max_examples=2)
def test_the_inverse_is_exact_at_every_layer(
    batch: int, height: int, width: int, channels: int, hidden: int
) -> None:
    model = tiny(blocks=(1, 1), channels=channels, width=hidden)
    with enable_x64(True):
        variables = weights_of(model, jnp.float64)
        images = draw(batch, 4 * height, 4 * width, channels, dtype=np.float64)
        _, activations = model.apply(variables, images)
        for name in layer_names(model):
            if name in NO_INVERSE:
                continue
            assert activations[name].size == images.size
            back = invert_activations(model, variables, name, activations[name])
            assert back.dtype == np.float64
            np.testing.assert_allclose(back, images, rtol=0, atol=1e-10, err_msg=name)


def test_float32_is_inverted_to_its_rounding() -> None:
    model = build_model("irevnet", num_classes=3)
    variables, images = weights_of(model), draw(2, 32, 32, 3)
    embedding = Layer(model, "layer2")(variables, images)
    back = invert_activations(model, variables, "layer2", embedding)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, images, rtol=0, atol=1e-4)


def test_any_embedding_has_an_image(x64: None) -> None:
    """The layer is onto, too: noise that no image in [0, 1] has made is inverted as well."""
    model = tiny()
    variables = weights_of(model, jnp.float64)
    noise = jnp.asarray(np.random.default_rng(1).normal(size=(2, 2, 2, 48)))
    images = invert_activations(model, variables, "layer2", noise)
    np.testing.assert_allclose(Layer(model, "layer2")(variables, images), noise, atol=1e-10)


def test_a_block_couples_its_halves() -> None:
    """(x₁, x₂) -> (x₂, x₁ + F(x₂)), and F is what the graph says it is."""
    model = tiny(blocks=(1,))
    _, a = model.apply(weights_of(model), draw(1, 4, 6, 3))
    x, y = a["squeeze1"], a["layer1.0"]
    np.testing.assert_array_equal(y[..., :6], x[..., 6:])
    np.testing.assert_array_equal(y[..., 6:], x[..., :6] + a["layer1.0.conv2"])
    np.testing.assert_array_equal(a["layer1.0.relu"], np.maximum(a["layer1.0.conv1"], 0))
    assert np.abs(a["layer1.0.conv2"]).max() > 0.1


def test_prepared_for_a_descent_it_is_the_same_function(x64: None) -> None:
    model = tiny(blocks=(1,))
    variables, images = weights_of(model, jnp.float64), draw(2, 8, 12, 3, dtype=np.float64)
    layer = Layer(model, "layer1")
    fast, weights = layer.prepare(variables)

    @partial(jax.jit, static_argnums=0)
    def value_and_gradient(f: Any, held: Any) -> tuple[jax.Array, jax.Array]:
        value, pullback = jax.vjp(lambda x: f(held, x), images)
        return value, pullback(jnp.cos(value))[0]

    for ours, theirs in zip(
        value_and_gradient(fast, weights), value_and_gradient(layer, variables), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
@settings(max_examples=4)
def test_squares_become_channels_and_back(shape: tuple[int, int, int, int]) -> None:
    batch, height, width, channels = shape
    x = draw(batch, 2 * height, 2 * width, channels)
    y = space_to_depth(x)
    assert y.shape == (batch, height, width, 4 * channels)
    np.testing.assert_array_equal(depth_to_space(y), x)
    np.testing.assert_array_equal(y[0, 0, 0], x[0, :2, :2].ravel())


def test_stages_end_with_their_last_block() -> None:
    model = tiny()
    assert layer_names(model) == (
        *("squeeze1", "layer1.0", "squeeze2", "layer2.0", "layer2.1"),
        *NO_INVERSE,
    )
    assert [resolve(model, stage) for stage in model.stages()] == ["layer1.0", "layer2.1"]


# ----------------------------------------------------------------------------------------- errors


def test_what_has_no_inverse_is_refused() -> None:
    model = tiny()
    variables, embedding = weights_of(model), draw(1, 2, 2, 48)
    for name in (*NO_INVERSE, "layer1.0.conv1"):
        message = error_of(lambda name=name: invert_activations(model, variables, name, embedding))
        assert name in message
        assert "layer2.1" in message
    assert "'layer2'" in error_of(lambda: invert_activations(model, variables, "layr2", embedding))
    resnet = build_model("resnet18")
    assert "irevnet" in error_of(lambda: invert_activations(resnet, {}, "layer1", embedding))


@pytest.mark.parametrize("shape", [(1, 2, 2, 12), (1, 192), (2, 2, 48)])
def test_an_embedding_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    model = tiny()
    message = error_of(lambda: invert_activations(model, {}, "layer2", draw(*shape)))
    assert "48" in message
    assert str(shape) in message


@pytest.mark.parametrize("size", [(9, 8), (8, 6)])
def test_sides_that_cannot_be_halved_are_refused(size: tuple[int, int]) -> None:
    assert "multiples" in error_of(lambda: init_variables(tiny(), KEY, size))
