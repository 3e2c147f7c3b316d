"""Exact pre-images: they solve what was asked, and lie where the Jacobian says."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from error_messages import error_of
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax import Layer, build_model, init_variables
from depthjax.analysis.preimages import Preimages, preimages
from depthjax.analysis.preimages.square_mlp import square_mlp, unflatten
from depthjax.compat import enable_x64
from depthjax.models import Network

KEY = jax.random.key(3)


def square(shape: tuple[int, int, int], depth: int = 3, activation: str = "linear") -> Network:
    return build_model(
        "mlp", widths=(int(np.prod(shape)),) * depth, activation=activation, channels=shape[-1]
    )


def image_of(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def case(
    shape: tuple[int, int, int] = (3, 4, 2), depth: int = 3, activation: str = "linear"
) -> tuple[Network, dict[str, Any], np.ndarray]:
    """A model, PyTorch's weights for it, and an image."""
    model = square(shape, depth, activation)
    return model, init_variables(model, KEY, shape[:2]), image_of(shape)


def orthogonal(model: Network, shape: tuple[int, int, int]) -> dict[str, Any]:
    variables = init_variables(model, KEY, shape[:2])
    for leaves in variables["params"].values():
        leaves["kernel"] = np.linalg.qr(np.float64(leaves["kernel"]))[0]
    return variables


def jacobian(
    model: Network, variables: dict[str, Any], layer: str, image: np.ndarray
) -> np.ndarray:
    """By automatic differentiation of what descents see."""
    with enable_x64(True):
        held = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), variables)
        f = jax.jacfwd(lambda a: Layer(model, layer)(held, a[None])[0])
        return np.asarray(f(jnp.asarray(image))).reshape(image.size, image.size)


# -------------------------------------------------------------------------------- exact solutions


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    depth=st.integers(1, 3),
    activation=st.sampled_from(["linear", "leaky_relu"]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=8)
def test_the_preimage_of_an_embedding_is_its_image(
    shape: tuple[int, int, int], depth: int, activation: str, seed: int
) -> None:
    """Up to rounding times the condition number, at every layer; `Layer` makes the embedding."""
    model, image = square(shape, depth, activation), image_of(shape, seed)
    variables = orthogonal(model, shape)  # so that the condition number is at most 10 a layer
    with enable_x64(True):
        held = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), variables)
        for name in (f"fc{depth}", model.stages()[0]):
            embedding = Layer(model, name)(held, jnp.asarray(image)[None])
            (back,) = unflatten(
                square_mlp(model, variables, name).solve(np.asarray(embedding)), shape
            )
            np.testing.assert_allclose(back, image, rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("activation", ["linear", "leaky_relu"])
def test_the_cloud_solves_what_it_was_asked(activation: str) -> None:
    model, variables, image = case(activation=activation)
    found = preimages(KEY, model, variables, "fc3", image, std=0.5, draws=7)
    assert found.images.shape == (7, 3, 4, 2)
    assert found.images.dtype == np.float64
    assert found.residuals.max() < 1e-8
    assert found.recovery_distance < 1e-9
    with enable_x64(True):
        held = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), variables)
        layer = Layer(model, "fc3")
        a, x = jnp.asarray(image)[None], jnp.asarray(found.images)
        noise = np.asarray(layer(held, x) - layer(held, a)) / 0.5
    expected = np.asarray(jax.random.normal(KEY, (7, 24)))
    np.testing.assert_allclose(noise, expected, atol=1e-8)
    off = (found.images - image).reshape(7, -1)
    np.testing.assert_allclose(found.distances, np.linalg.norm(off, axis=1), rtol=1e-9)
    share = ((found.images < 0) | (found.images > 1)).mean((1, 2, 3))
    np.testing.assert_array_equal(found.outside, share)


@pytest.mark.parametrize("activation", ["linear", "leaky_relu"])
@pytest.mark.parametrize("layer", ["fc1", "fc3"])
def test_singular_values_are_those_of_the_jacobian(activation: str, layer: str) -> None:
    model, variables, image = case(activation=activation)
    expected = np.linalg.svd(jacobian(model, variables, layer, image), compute_uv=False)
    mlp = square_mlp(model, variables, layer)
    values = mlp.singular_values(mlp.flatten(image))
    np.testing.assert_allclose(values, expected, rtol=1e-8)
    found = preimages(KEY, model, variables, layer, image, std=0.1, draws=1)
    np.testing.assert_array_equal(found.singular_values, values)
    assert found.condition_number == pytest.approx(expected[0] / expected[-1], rel=1e-8)


# ------------------------------------------------------------------------------------- prediction


def test_the_root_mean_square_distance_is_the_predicted_one() -> None:
    """E‖σJ⁻¹ε‖² = σ²‖J⁻¹‖_F², where the layer is affine; with J⁻¹ by another way than ours."""
    model, variables, image = case()
    found = preimages(KEY, model, variables, "fc3", image, std=0.3, draws=4000)
    inverse = np.linalg.inv(jacobian(model, variables, "fc3", image))
    assert found.expected_distance == pytest.approx(0.3 * np.linalg.norm(inverse), rel=1e-8)
    rms = np.sqrt(np.mean(found.distances**2))
    assert rms == pytest.approx(found.expected_distance, rel=0.1)
    assert found.distance_ratio == np.median(found.distances) / found.expected_distance
    assert found.summary()["distance_ratio"] == found.distance_ratio


def test_small_noise_follows_the_jacobian_through_leaky_relus() -> None:
    model, variables, image = case(activation="leaky_relu")
    found = preimages(KEY, model, variables, "fc3", image, std=1e-9, draws=4000)
    rms = np.sqrt(np.mean(found.distances**2))
    assert rms == pytest.approx(found.expected_distance, rel=0.1)


@given(side=st.integers(2, 6), std=st.floats(1e-6, 1e3))
@settings(max_examples=5)
def test_rotations_keep_distances(side: int, std: float) -> None:
    """The well-conditioned control: σ√n, in expectation, and each distance is its ε's length."""
    shape = (side, side, 1)
    model = square(shape)
    found = preimages(
        KEY, model, orthogonal(model, shape), "fc3", image_of(shape), std=std, draws=5
    )
    assert found.expected_distance == pytest.approx(std * side)
    assert found.condition_number == pytest.approx(1)
    noise = np.asarray(jax.random.normal(KEY, (5, side**2)), np.float64)
    np.testing.assert_allclose(found.distances, std * np.linalg.norm(noise, axis=1), rtol=1e-6)


def test_distances_grow_with_the_noise_and_little_noise_stays_inside() -> None:
    model, variables, image = case()
    args = (KEY, model, variables, "fc3", 0.25 + image / 2)
    tiny, small, large = (preimages(*args, std=std) for std in (1e-9, 1e-6, 1e3))
    np.testing.assert_allclose(small.distances, 1e3 * tiny.distances, rtol=1e-4)
    assert tiny.outside.max() == 0
    assert large.outside.mean() > 0.99


# ----------------------------------------------------------------------------------------- errors


def test_layers_that_are_not_square_are_refused() -> None:
    model = build_model("mlp", widths=(24, 23))
    variables, image = init_variables(model, KEY, (2, 4)), image_of((2, 4, 3))
    message = error_of(lambda: preimages(KEY, model, variables, "fc2", image))
    assert "fc2 takes 24 inputs to 23" in message
    found = preimages(KEY, model, variables, "fc1", image)  # square up to here
    assert isinstance(found, Preimages)


@pytest.mark.parametrize("kind", ["equal columns", "zeros", "nan"])
def test_a_singular_layer_is_refused_by_name(kind: str) -> None:
    model, variables, image = case()
    kernel = np.array(variables["params"]["fc2"]["kernel"])
    kernel[:, 0] = {"equal columns": kernel[:, 1], "zeros": 0, "nan": np.nan}[kind]
    variables["params"]["fc2"]["kernel"] = kernel
    message = error_of(lambda: preimages(KEY, model, variables, "fc3", image))
    assert message.startswith("fc2")
    assert isinstance(preimages(KEY, model, variables, "fc1", image), Preimages)


def test_models_without_exact_solutions_are_refused() -> None:
    model, variables, image = case(activation="relu")
    message = error_of(lambda: preimages(KEY, model, variables, "fc2", image))
    assert message.startswith("relu1")
    assert "leaky_relu" in message
    resnet = build_model("resnet18")
    assert "ResNet" in error_of(lambda: preimages(KEY, resnet, {}, "layer1", image))
    linear = square((3, 4, 2))
    assert "fc1" in error_of(lambda: preimages(KEY, linear, variables, "flatten", image))
    assert "'fc3'" in error_of(lambda: preimages(KEY, linear, variables, "fc4", image))


def test_shapes_that_do_not_fit_are_refused() -> None:
    model, variables, image = case()
    for wrong in (image[:2], image[None], image.ravel()):
        message = error_of(lambda wrong=wrong: preimages(KEY, model, variables, "fc3", wrong))
        assert str(wrong.shape) in message
        assert "24" in message
    empty = image.copy()
    empty[0, 0, 0] = np.nan
    assert "NaN" in error_of(lambda: preimages(KEY, model, variables, "fc3", empty))


@pytest.mark.parametrize("wrong", [{"std": 0.0}, {"std": -1.0}, {"draws": 0}])
def test_no_noise_is_refused(wrong: dict[str, Any]) -> None:
    assert "positive" in error_of(lambda: preimages(KEY, *case()[:2], "fc3", case()[2], **wrong))
