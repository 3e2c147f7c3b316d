"""The measurement in one call: consistent with its parts, and honest about what it cannot do."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import (
    Autoencoding,
    InversionConfig,
    Layer,
    autoencode,
    build_model,
    init_variables,
    initial_images,
    invert,
    measure,
)
from depthjax.inversion.metrics import MATCHED_RATIOS, baselines, input_ratio_at
from depthjax.inversion.reference import ReferenceNoise, checked_images, reference_distances
from depthjax.inversion.results import Progress
from depthjax.inversion.state import REACHED

KEY = jax.random.key(2)
IMAGE = (4, 4, 3)
PIXELS = 48
CONFIG = InversionConfig(
    steps=30,
    record_every=4,
    objective="l2",
    optimizer="sgd",
    learning_rate=0.2,
    schedule="constant",
)
"""Steps of one length on a distance overshoot: the best iterate is not the last."""


def linear(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) @ variables["w"]


def narrower(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return linear(variables, images)[:, :9]


def constant(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return jnp.zeros((len(images), 4)) * images.sum()


def undefined(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return jnp.log(linear(variables, images) - 1e6)


def draw(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).random(shape), jnp.float32)


@pytest.fixture(scope="module")
def variables() -> dict[str, Any]:
    """Of an invertible linear layer; singular values from 1 to 2."""
    u, _, v = np.linalg.svd(np.random.default_rng(1).normal(size=(PIXELS, PIXELS)))
    return {"w": jnp.asarray((u * np.linspace(2, 1, PIXELS)) @ v, jnp.float32)}


@pytest.fixture(scope="module", params=[1, 3])
def restarts(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(scope="module")
def run(variables: dict[str, Any], restarts: int) -> Autoencoding:
    return autoencode(KEY, linear, variables, draw(2, *IMAGE), CONFIG.replace(restarts=restarts))


# -------------------------------------------------------------------------------------- results


def test_shapes(run: Autoencoding, restarts: int) -> None:
    leading = (2,) if restarts == 1 else (3, 2)
    records = len(range(0, 30, 4)) + 1
    assert run.start.shape == run.images.shape == (*leading, *IMAGE)
    assert run.inversion.final_images.shape == (*leading, *IMAGE)
    for part in (run.measurement, run.final_measurement):
        for field in dataclasses.fields(part):
            assert getattr(part, field.name).shape == leading, field.name
    assert run.matched_input_ratio.shape == (len(MATCHED_RATIOS), *leading)
    assert run.inversion.trajectory.objective.shape == (records, *leading)
    assert {name: value.shape for name, value in run.baselines.items()} == {
        "start": leading, "flat": (2,), "blur": (2,),
    }  # fmt: skip


def test_the_short_names(run: Autoencoding) -> None:
    assert run.images is run.inversion.images
    for name in (
        "embedding_distance", "reference_embedding_distance", "embedding_ratio",
        "input_distance", "reference_input_distance", "input_ratio",
    ):  # fmt: skip
        assert getattr(run, name) is getattr(run.measurement, name)


def test_the_measurements_are_those_of_the_images(
    run: Autoencoding, variables: dict[str, Any]
) -> None:
    reference_key = jax.random.split(KEY)[1]
    assert (run.inversion.best_step < 30).all()
    for images, part in (
        (run.images, run.measurement),
        (run.inversion.final_images, run.final_measurement),
    ):
        again = measure(linear, variables, draw(2, *IMAGE), images, reference_key)
        for field in dataclasses.fields(part):
            mine, theirs = (getattr(one, field.name) for one in (part, again))
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, err_msg=field.name)
    w, a = np.asarray(variables["w"], float), np.asarray(draw(2, *IMAGE), float)
    m_i = np.asarray(run.images, float) - a
    m_g = np.linalg.norm(m_i.reshape(*m_i.shape[:-3], -1) @ w, axis=-1)
    np.testing.assert_allclose(run.embedding_distance, m_g, rtol=1e-4)
    np.testing.assert_allclose(
        run.embedding_ratio, m_g / run.reference_embedding_distance, rtol=1e-4
    )


def test_the_start_is_drawn_from_the_key(run: Autoencoding, restarts: int) -> None:
    config = CONFIG.replace(restarts=restarts)
    start = initial_images(jax.random.split(KEY)[0], (2, *IMAGE), config)
    np.testing.assert_array_equal(run.start, start)


def test_baselines_and_matched_ratios_follow_from_the_rest(run: Autoencoding) -> None:
    scale = np.asarray(run.reference_input_distance).reshape(-1, 2)[0]
    expected = baselines(draw(2, *IMAGE), run.start, jnp.asarray(scale))
    for name, value in expected.items():
        np.testing.assert_allclose(run.baselines[name], value, rtol=1e-6)
    trajectory = run.inversion.trajectory
    rho = trajectory.embedding_distance / np.asarray(run.reference_embedding_distance)
    d = trajectory.input_distance / np.asarray(run.reference_input_distance)
    np.testing.assert_allclose(run.matched_input_ratio, input_ratio_at(rho, d), rtol=1e-5)
    np.testing.assert_allclose(d[0], run.baselines["start"], rtol=1e-5)
    np.testing.assert_allclose(rho[-1], run.final_measurement.embedding_ratio, rtol=1e-3)
    # The descent passes the first of them and has some on either side of a crossing.
    assert np.isfinite(run.matched_input_ratio[0]).all()
    assert (rho[0] > MATCHED_RATIOS[0]).all()


def test_an_invertible_layer_gives_the_image_back(variables: dict[str, Any]) -> None:
    run = autoencode(KEY, linear, variables, draw(2, *IMAGE), InversionConfig(steps=300))
    assert (run.embedding_ratio <= 0.03).all()
    assert (run.input_ratio <= 0.05).all()
    assert np.isfinite(run.matched_input_ratio).all()
    assert (run.baselines["start"] > 3).all()
    # What it recovers gets nearer as the embedding does.
    assert (np.diff(run.matched_input_ratio, axis=0) < 0).all()


def test_a_network() -> None:
    model = build_model("resnet18", width=4, stage_sizes=(1, 1), stem="small", num_classes=5)
    weights = init_variables(model, jax.random.key(0), 12)
    images = draw(2, 12, 12, 3)
    run = autoencode(KEY, Layer(model, "relu"), weights, images, CONFIG)
    assert (run.embedding_ratio < run.inversion.trajectory.embedding_distance[0]).all()
    again = measure(Layer(model, "relu"), weights, images, run.images, jax.random.split(KEY)[1])
    np.testing.assert_allclose(run.embedding_ratio, again.embedding_ratio, rtol=1e-6)
    # The loop and the measurement agree on how far the last iterate's embedding is.
    np.testing.assert_allclose(
        run.inversion.trajectory.embedding_distance[-1],
        run.final_measurement.embedding_distance,
        rtol=1e-4,
    )


# -------------------------------------------------------------------------------- keys and starts


def test_layers_share_start_and_reference(variables: dict[str, Any]) -> None:
    one, other = (
        autoencode(KEY, layer, variables, draw(2, *IMAGE), CONFIG) for layer in (linear, narrower)
    )
    np.testing.assert_array_equal(one.start, other.start)
    np.testing.assert_array_equal(one.reference_input_distance, other.reference_input_distance)
    for name in one.baselines:
        np.testing.assert_array_equal(one.baselines[name], other.baselines[name])
    assert (one.reference_embedding_distance != other.reference_embedding_distance).all()
    assert (one.images != other.images).any()


def test_the_reference_key_decides_the_reference_alone(variables: dict[str, Any]) -> None:
    images = draw(2, *IMAGE)
    one, other = (
        autoencode(
            KEY, linear, variables, images, CONFIG, reference_key=jax.random.key(s), draws=2,
            reference_std=0.2,
        )
        for s in (0, 1)
    )  # fmt: skip
    np.testing.assert_array_equal(one.images, other.images)
    assert (one.reference_input_distance != other.reference_input_distance).all()
    noise = ReferenceNoise(jax.random.key(1), 0.2, draws=2)
    expected = reference_distances(linear, variables, images, noise)
    np.testing.assert_allclose(other.reference_input_distance, expected.input_distance, rtol=1e-6)
    np.testing.assert_allclose(
        other.final_measurement.reference_embedding_distance,
        expected.embedding_distance,
        rtol=1e-6,
    )


def test_a_start_of_ones_own(variables: dict[str, Any], run: Autoencoding) -> None:
    own = draw(*run.start.shape, seed=9)
    kept = np.array(own)
    config = CONFIG.replace(restarts=7)  # the start decides how many there are
    found = autoencode(KEY, linear, variables, draw(2, *IMAGE), config, init=own)
    np.testing.assert_array_equal(found.start, kept)
    assert found.images.shape == own.shape
    difference = np.asarray(own, float) - np.asarray(draw(2, *IMAGE), float)
    np.testing.assert_allclose(
        found.inversion.trajectory.input_distance[0],
        np.linalg.norm(difference.reshape(*difference.shape[:-3], -1), axis=-1),
        rtol=1e-5,
    )


def test_other_images_as_starts(variables: dict[str, Any]) -> None:
    images = draw(2, *IMAGE)
    run = autoencode(KEY, linear, variables, images, CONFIG.replace(start="image"))
    np.testing.assert_array_equal(run.start, images[::-1])


def test_progress_tells_the_embedding_ratio(variables: dict[str, Any], run: Autoencoding) -> None:
    calls: list[tuple[Progress, np.ndarray]] = []
    restarts = 1 if run.start.ndim == 4 else 3
    watched = autoencode(
        KEY,
        linear,
        variables,
        draw(2, *IMAGE),
        CONFIG.replace(restarts=restarts),
        on_progress=lambda progress, ratio: calls.append((progress, ratio)),
    )
    np.testing.assert_array_equal(watched.images, run.images)
    progress, ratio = calls[-1]
    assert progress.step == progress.steps == 30
    assert ratio.shape == (2 * restarts,)
    expected = np.asarray(run.final_measurement.embedding_ratio).ravel()
    np.testing.assert_allclose(ratio, expected, rtol=1e-3)


# --------------------------------------------------------------------------------------- errors


def test_a_layer_that_knows_nothing(variables: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is constant around image 0") as error:
        autoencode(KEY, constant, variables, draw(2, *IMAGE), CONFIG)
    assert "\n" not in str(error.value)


def test_one_image_that_a_layer_knows_nothing_of(variables: dict[str, Any]) -> None:
    """A dead ReLU for one image: its number is in the message."""

    def dead_for_dark(variables: dict[str, Any], images: jax.Array) -> jax.Array:
        return jnp.maximum(images.mean((1, 2, 3)) - 0.5, 0)[:, None]

    images = jnp.full((3, *IMAGE), 0.9).at[1].set(0.0)
    with pytest.raises(ValueError, match="is constant around image 1") as error:
        autoencode(KEY, dead_for_dark, variables, images, CONFIG)
    assert "\n" not in str(error.value)


def test_a_layer_whose_name_is_told() -> None:
    model = build_model("mlp", widths=(5, 4))
    weights = jax.tree.map(jnp.zeros_like, init_variables(model, KEY, (4, 4)))
    with pytest.raises(ValueError, match="layer 'fc2' is constant"):
        autoencode(KEY, Layer(model, "fc2"), weights, draw(2, *IMAGE), CONFIG)


def test_a_layer_that_is_not_finite(variables: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not finite around image 0") as error:
        autoencode(KEY, undefined, variables, draw(2, *IMAGE), CONFIG)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        ((200.0, 100.0, 0.0), "must lie in [0, 1], got 0 to 200; divide 8-bit pixels by 255"),
        ((-0.5, 0.5, 0.9), "got -0.5 to 0.9; give them as they are before normalisation"),
        ((0.5, np.nan, 0.5), "NaN or infinite"),
        ((0.5, np.inf, 0.5), "NaN or infinite"),
    ],
)
def test_pixels_that_are_none(pixels: tuple, text: str, variables: dict[str, Any]) -> None:
    images = jnp.full((1, *IMAGE), 0.5).at[0, 1, 2].set(jnp.array(pixels))
    with pytest.raises(ValueError) as error:  # noqa: PT011
        autoencode(KEY, linear, variables, images, CONFIG)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "images",
    [jnp.ones((1, *IMAGE), jnp.uint8), jnp.ones((1, *IMAGE), bool), jnp.ones(IMAGE),
     jnp.ones((1, 1, *IMAGE))],
    ids=["8-bit", "mask", "one", "five"],
)  # fmt: skip
def test_arrays_that_are_no_images(images: jax.Array) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        checked_images(images)
    assert "floats [batch, height, width, channels]" in str(error.value)
    assert f"{images.dtype} {images.shape}" in str(error.value)
    assert "\n" not in str(error.value)


def test_images_of_half_precision_are_widened_and_none_at_all_are_refused() -> None:
    half = draw(2, *IMAGE).astype(jnp.float16)
    np.testing.assert_array_equal(checked_images(half), half.astype(jnp.float32))
    assert checked_images(half).dtype == jnp.float32
    with pytest.raises(ValueError, match=r"no images .* \(0, 4, 4, 3\)"):
        checked_images(jnp.zeros((0, *IMAGE)))


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (lambda flat: {"out": flat}, "returns a dict; return one array"),
        (lambda flat: (flat, flat), "returns a tuple"),
        (lambda flat: flat.mean(), "first axis must be the batch"),
        (lambda flat: flat.mean(0), "first axis must be the batch"),
        (lambda flat: flat.argmax(1), "before argmax"),
        (lambda flat: flat + 1j, "is real floats"),
        (lambda flat: flat[:, :0], "use larger images"),
    ],
)
def test_what_gives_no_embedding_is_no_layer(output: Any, text: str) -> None:
    def layer(_: Any, images: jax.Array) -> Any:
        return output(images.reshape(len(images), -1))

    images = draw(2, *IMAGE)
    calls = (
        lambda: autoencode(KEY, layer, {}, images, CONFIG),
        lambda: invert(layer, {}, jnp.zeros((2, 5)), images, CONFIG),
    )
    for call in calls:
        with pytest.raises(ValueError, match="layer is no layer: ") as error:
            call()
        assert text in str(error.value)
        assert "\n" not in str(error.value)


def test_rounding_errors_of_pixels_are_let_through() -> None:
    checked_images(jnp.array([-0.001, 0.5, 1.001]).reshape(1, 1, 1, 3))


def test_a_start_that_does_not_fit(variables: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="3 images") as error:
        autoencode(KEY, linear, variables, draw(2, *IMAGE), CONFIG, init=draw(3, *IMAGE))
    assert "\n" not in str(error.value)


def test_stopping_at_a_matched_ratio(variables: dict[str, Any], restarts: int) -> None:
    """The image itself where the table of matched ratios has only its D."""
    config = CONFIG.replace(restarts=restarts, record_every=1)
    endless = autoencode(KEY, linear, variables, draw(2, *IMAGE), config)
    found = autoencode(KEY, linear, variables, draw(2, *IMAGE), config, stop_ratio=0.3)
    np.testing.assert_array_equal(found.inversion.status, REACHED)
    scale = np.asarray(found.reference_embedding_distance)
    recorded = endless.inversion.trajectory.embedding_distance / scale
    steps = np.asarray(found.inversion.stopped_step)
    rho = np.take_along_axis(recorded, steps[None], axis=0)[0]
    before = np.take_along_axis(recorded, steps[None] - 1, axis=0)[0]
    assert (rho <= 0.3).all() and (before > 0.3).all()
    np.testing.assert_allclose(found.embedding_ratio, rho, rtol=1e-4)
    np.testing.assert_array_equal(found.matched_input_ratio[1], endless.matched_input_ratio[1])


@pytest.mark.parametrize("ratio", [0.0, -1.0, float("nan")])
def test_a_ratio_that_stops_nothing(ratio: float, variables: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="stop_ratio must be positive, got"):
        autoencode(KEY, linear, variables, draw(2, *IMAGE), CONFIG, stop_ratio=ratio)
