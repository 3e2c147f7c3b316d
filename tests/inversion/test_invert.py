"""The descent: what it recovers, what it leaves alone, and what it refuses."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_descents import (
    IMAGE,
    KEY,
    PIXELS,
    draw,
    example,
    leaves_close,
    leaves_equal,
    linear,
    matrix,
    plain,
)

from depthjax import Inversion, InversionConfig, Layer, initial_images, invert, step_scale
from depthjax.compat import enable_x64
from depthjax.inversion.objectives import norms
from depthjax.inversion.results import Progress
from depthjax.inversion.state import RUNNING


def float64(variables: dict[str, Any]) -> dict[str, Any]:
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x), jnp.float64), variables)


# --------------------------------------------------------------------------------- what it recovers


def test_gradient_descent_recovers_what_a_full_rank_layer_keeps(x64: None) -> None:
    variables = matrix(20)
    image, start = draw(3, *IMAGE), draw(3, *IMAGE, seed=1)
    config = plain(steps=300, learning_rate=0.5, step_scale="layer")
    found = invert(linear, variables, linear(variables, image), start, config, compare_to=image)
    np.testing.assert_allclose(found.images, image, atol=1e-10)
    np.testing.assert_allclose(found.trajectory.input_distance[-1], 0, atol=1e-10)
    np.testing.assert_array_equal(found.status, RUNNING)


def test_the_default_recovers_it_too() -> None:
    variables = matrix(20)
    image, start = draw(2, *IMAGE), draw(2, *IMAGE, seed=1)
    found = invert(linear, variables, linear(variables, image), start, compare_to=image)
    np.testing.assert_allclose(found.images, image, atol=2e-3)
    assert (found.trajectory.input_distance[0] > 0.5).all()


@pytest.mark.parametrize("outputs", [1, 5, 11])
def test_gradient_descent_never_touches_the_null_space(outputs: int, x64: None) -> None:
    """What the layer forgets stays as it was in the start, and that is all that is missing."""
    variables = matrix(outputs)
    basis = np.linalg.qr(np.asarray(variables["w"]))[0]
    null = np.eye(PIXELS) - basis @ basis.T
    image, start = draw(2, *IMAGE), draw(2, *IMAGE, seed=1)
    config = plain(steps=400, learning_rate=0.5, step_scale="layer")
    found = invert(linear, variables, linear(variables, image), start, config, compare_to=image)
    moved = np.asarray(found.images - start).reshape(2, -1)
    assert np.abs(moved @ null).max() < 1e-13
    assert np.abs(moved).max() > 0.05
    missing = np.linalg.norm(np.asarray(image - start).reshape(2, -1) @ null, axis=1)
    np.testing.assert_allclose(found.trajectory.input_distance[-1], missing, rtol=1e-9)


# ------------------------------------------------------------------------------ examples do not mix


def test_a_batch_is_its_images_one_by_one(
    network: Layer, weights: dict[str, Any], x64: None
) -> None:
    variables = float64(weights)
    config = InversionConfig.paper(steps=20, record_every=5, objective_scale=0.01)
    image, start = draw(3, 12, 12, 3), draw(3, 12, 12, 3, seed=1)
    target = network(variables, image)
    together = invert(network, variables, target, start, config, compare_to=image)
    assert together.images.shape == image.shape
    for b in range(3):
        one = slice(b, b + 1)
        alone = invert(network, variables, target[one], start[one], config, compare_to=image[one])
        leaves_close(example(together, b), alone, 1e-8)
    # Each has moved, and to another place.
    assert (norms(together.final_images - start) > 0.1).all()
    assert (np.diff(together.objective) != 0).all()


def test_restarts_are_descents_of_their_own(
    network: Layer, weights: dict[str, Any], x64: None
) -> None:
    """Adam, and every image of every restart by itself."""
    variables = float64(weights)
    config = InversionConfig(steps=20, record_every=5, restarts=2, pixels="none")
    image = draw(3, 12, 12, 3)
    target = network(variables, image)
    starts = initial_images(KEY, image.shape, config, dtype=image.dtype)
    together = invert(network, variables, target, starts, config, compare_to=image)
    assert together.images.shape == (2, *image.shape)
    assert together.trajectory.objective.shape == (5, 2, 3)
    assert together.status.shape == together.best_step.shape == (2, 3)
    for restart, b in np.ndindex(2, 3):
        one = slice(b, b + 1)
        alone = invert(
            network, variables, target[one], starts[restart, one], config, compare_to=image[one]
        )
        for name in ("images", "final_images", "objective"):
            ours = getattr(together, name)[restart, b]
            np.testing.assert_allclose(ours, getattr(alone, name)[0], atol=1e-8)
        for name in ("objective", "embedding_distance", "input_distance"):
            values = getattr(together.trajectory, name)[:, restart, b]
            np.testing.assert_allclose(values, getattr(alone.trajectory, name)[:, 0], rtol=1e-8)
    assert len({np.asarray(image).tobytes() for image in together.images.reshape(6, -1)}) == 6


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [("lamb", {}), ("adafactor", {"min_dim_size_to_factor": 2})],
)
def test_optimisers_that_look_at_norms_see_one_example(
    optimizer: str, options: dict[str, Any], x64: None
) -> None:
    variables = matrix(20)
    start = draw(3, *IMAGE) * jnp.array([1.0, 10.0, 0.1])[:, None, None, None]
    target = linear(variables, draw(3, *IMAGE, seed=1))
    config = plain(steps=5, optimizer=optimizer, optimizer_options=options, record_every=1)
    together = invert(linear, variables, target, start, config)
    for b in range(3):
        one = slice(b, b + 1)
        alone = invert(linear, variables, target[one], start[one], config)
        leaves_close(example(together, b), alone, 1e-11)


# ------------------------------------------------------------------------------ the same every time


def test_bit_for_bit_repeatable_also_when_watched(network: Layer, weights: dict[str, Any]) -> None:
    config = InversionConfig.paper(steps=60, record_every=2)
    image, start = draw(2, 12, 12, 3), draw(2, 12, 12, 3, seed=1)
    target = network(weights, image)
    first, again = (
        invert(network, weights, target, start, config, compare_to=image) for _ in range(2)
    )
    leaves_equal(first, again)
    calls: list[Progress] = []
    watched = invert(
        network, weights, target, start, config, compare_to=image, on_progress=calls.append
    )
    assert len(calls) > 2
    leaves_equal(first, watched)


def test_what_it_is_compared_to_has_no_part_in_it(network: Layer, weights: dict[str, Any]) -> None:
    config = InversionConfig.paper(steps=60, record_every=2)
    image, start = draw(2, 12, 12, 3), draw(2, 12, 12, 3, seed=1)
    target = network(weights, image)
    compared = invert(network, weights, target, start, config, compare_to=image)
    other = invert(network, weights, target, start, config, compare_to=start)
    blind = invert(network, weights, target, start, config)
    for found in (other, blind):
        for name in ("images", "final_images", "objective", "best_step", "stopped_step"):
            leaves_equal(getattr(found, name), getattr(compared, name))
        leaves_equal(found.trajectory.objective, compared.trajectory.objective)
    assert np.isnan(blind.trajectory.input_distance).all()
    np.testing.assert_array_equal(other.trajectory.input_distance[0], 0)
    np.testing.assert_allclose(
        compared.trajectory.input_distance[-1], norms(compared.final_images - image), rtol=1e-5
    )


def test_the_start_is_still_there_afterwards() -> None:
    variables, start = matrix(7), draw(2, *IMAGE)
    kept = np.array(start)
    target = linear(variables, draw(2, *IMAGE, seed=1))
    for init in (start, jnp.stack([start, start])):
        copy = np.array(init)
        invert(linear, variables, target, init, plain(steps=3))
        assert not init.is_deleted()
        np.testing.assert_array_equal(init, copy)
    np.testing.assert_array_equal(start, kept)
    np.testing.assert_array_equal(target, linear(variables, draw(2, *IMAGE, seed=1)))


# ------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("init", "target", "compare_to", "sides"),
    [
        ((2, 2, 3), (2, 7), None, ["(2, 2, 3)", "batch, height, width, channels"]),
        ((1, 1, 2, 2, 2, 3), (2, 7), None, ["(1, 1, 2, 2, 2, 3)", "batch, height"]),
        ((2, *IMAGE), (3, 7), None, ["2 images", "(3, 7)"]),
        ((5, 2, *IMAGE), (5, 7), None, ["2 images", "(5, 7)"]),
        ((2, *IMAGE), (2, 6), None, ["(7,)", "(6,)", "(2, 2, 3)"]),
        ((2, *IMAGE), (2, 7, 1), None, ["(7,)", "(7, 1)"]),
        ((2, *IMAGE), (2, 7), (3, *IMAGE), ["2 images", "3 images"]),
        ((2, *IMAGE), (2, 7), (2, 2, 4, 3), ["(2, 4, 3)", "(2, 2, 3)"]),
        ((2, *IMAGE), (2, 7), (2, 1, 1, 3), ["(1, 1, 3)", "(2, 2, 3)"]),
        ((4, 2, *IMAGE), (2, 7), (2, 1, 1, 1), ["(1, 1, 1)", "(2, 2, 3)"]),
    ],
    ids=str,
)
def test_shapes_that_do_not_belong_together(
    init: tuple, target: tuple, compare_to: tuple | None, sides: list[str]
) -> None:
    call = inspect.unwrap(invert)  # without the checks of annotations, which tests alone have
    with pytest.raises(ValueError) as error:  # noqa: PT011
        call(
            linear,
            matrix(7),
            jnp.zeros(target),
            jnp.zeros(init),
            InversionConfig(steps=1),
            compare_to=None if compare_to is None else jnp.zeros(compare_to),
        )
    text = str(error.value)
    assert "\n" not in text
    for side in sides:
        assert side in text


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf])
def test_no_image_has_an_embedding_that_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="all target embeddings hold NaN or infinite numbers"):
        invert(
            linear, matrix(7), jnp.full((1, 7), value), jnp.zeros((1, *IMAGE)), InversionConfig()
        )


def test_variables_are_arrays() -> None:
    variables = {"params": {**matrix(7), "name": "seven"}}
    with pytest.raises(
        ValueError, match=r"variables\['params'\]\['name'\] is a str; variables are"
    ):
        invert(linear, variables, jnp.zeros((1, 7)), jnp.zeros((1, *IMAGE)), InversionConfig())


# ---------------------------------------------------------------------------------------- precision


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("float32", "highest"), ("tf32", "tensorfloat32"), ("bfloat16", "bfloat16")],
)
def test_the_precision_of_the_descent(precision: str, expected: str) -> None:
    """Whatever the precision is outside, where a layer is only looked at for rewriting."""
    seen: set[str | None] = set()

    def layer(variables: dict[str, Any], images: jax.Array) -> jax.Array:
        seen.add(jax.config.jax_default_matmul_precision)
        return linear(variables, images)

    variables, start, target = matrix(7), draw(2, *IMAGE), draw(2, 7)
    with jax.default_matmul_precision("high"):
        invert(layer, variables, target, start, InversionConfig(steps=1, precision=precision))
        assert seen == {expected, "highest", "high"}  # and results', for its shapes
        seen.clear()
        step_scale(layer, variables, start, target)
        assert seen == {"highest"}


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_a_start_of_few_digits_is_widened(dtype: Any) -> None:
    """Sums over an image would overflow in float16."""
    variables, start, target = matrix(7), draw(2, *IMAGE).astype(dtype), draw(2, 7)
    found = invert(linear, variables, target, start, InversionConfig(steps=2))
    wide = invert(linear, variables, target, start.astype(jnp.float32), InversionConfig(steps=2))
    assert found.images.dtype == jnp.float32
    np.testing.assert_array_equal(found.images, wide.images)


@pytest.mark.parametrize("step_scale", ["fixed", "layer"])
def test_float64_weights_with_a_float32_start(step_scale: str) -> None:
    """The descent stays in the dtype of its start, whatever the weights are."""
    with enable_x64(True):
        weights = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(12, 7)))}

        def project(variables: dict, images: jnp.ndarray) -> jnp.ndarray:
            return images.reshape(len(images), -1) @ variables["w"]

        start = jnp.full((2, 2, 2, 3), 0.5, jnp.float32)
        target = project(weights, start + 0.1)
        config = InversionConfig(steps=5, step_scale=step_scale)
        found = invert(project, weights, target, start, config)
        assert target.dtype == jnp.float64
        assert found.images.dtype == jnp.float32
        assert (found.images != start).any()


def test_numpy_counts_are_counts() -> None:
    config = InversionConfig(steps=np.int64(3))
    assert type(config.steps) is int
    with pytest.raises(ValueError, match="steps must be"):
        InversionConfig(steps=True)


PRESETS = {
    "converging": InversionConfig(steps=6),
    "paper": InversionConfig.paper(steps=6),
    "mlp": InversionConfig.paper("mlp", steps=6, step_scale="layer"),
    "fast": InversionConfig.fast(steps=6),
    "trust_radius": InversionConfig(steps=6, trust_radius=0.01),
    "gauss_newton": InversionConfig(steps=6, optimizer="gauss_newton", fourier_decay=0.5),
}


def descents(config: InversionConfig, **settings: Any) -> Inversion:
    variables, start = matrix(7), draw(2, *IMAGE, dtype=jnp.float32)
    variables = jax.tree.map(lambda w: w.astype(jnp.float32), variables)
    target = linear(variables, draw(2, *IMAGE, seed=1, dtype=jnp.float32))
    return invert(linear, variables, target, start, config, **settings)


@pytest.mark.parametrize("preset", PRESETS)
def test_float32_stays_float32_where_float64_is_switched_on(preset: str) -> None:
    without = descents(PRESETS[preset])
    with enable_x64(True):
        found = descents(PRESETS[preset])
    assert found.images.dtype == found.objective.dtype == jnp.float32
    np.testing.assert_allclose(found.images, without.images, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_that_is_traced_is_nan(preset: str) -> None:
    """What is empty has another mark, or JAX's own search for NaN would end every descent."""
    without = descents(PRESETS[preset])
    with jax.debug_nans(True):
        found = descents(PRESETS[preset])
    leaves_equal(without, found)
    assert np.isnan(found.trajectory.input_distance).all()


@pytest.mark.parametrize("leading", [(0,), (0, 2), (2, 0)])
def test_no_image_at_all(leading: tuple[int, ...]) -> None:
    variables = matrix(5)
    target = jnp.zeros((leading[-1], 5))
    with pytest.raises(ValueError, match="there are no images to recover: init has the shape"):
        invert(linear, variables, target, jnp.zeros((*leading, *IMAGE)))


def test_what_it_is_compared_to_has_the_dtype_of_the_start() -> None:
    with enable_x64(True):
        variables = jax.tree.map(jnp.float32, matrix(5))
        image, start = (jnp.float32(draw(2, *IMAGE, seed=seed)) for seed in range(2))
        target = linear(variables, image)
        found = [
            invert(linear, variables, target, start, plain(steps=3), compare_to=to)
            for to in (image, image.astype(jnp.float64))
        ]
    distances = [each.trajectory.input_distance for each in found]
    assert distances[1].dtype == np.float32
    np.testing.assert_array_equal(*distances)
