"""Distances and ratios against plain NumPy on a linear layer, with the same draws of noise."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax import Measurement, measure
from depthjax.inversion import metrics
from depthjax.inversion.metrics import (
    MATCHED_RATIOS,
    baselines,
    elasticity,
    embedding_distances,
    input_distances,
    input_ratio_at,
)
from depthjax.inversion.reference import REFERENCE_STD

KEY = jax.random.key(5)
SHAPE = (3, 4, 5, 2)
RATIOS = [field.name for field in dataclasses.fields(Measurement) if "ratio" in field.name]


def linear(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) @ variables["w"]


def folded(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    """The same numbers with more axes, as a convolution's output has."""
    return linear(variables, images).reshape(len(images), 2, 3, -1)


@pytest.fixture(scope="module")
def variables() -> dict[str, Any]:
    weights = np.random.default_rng(0).normal(size=(40, 18))
    return {"w": jnp.asarray(weights, jnp.float32)}


def draw(shape: tuple[int, ...], seed: int, low: float = 0.0, high: float = 1.0) -> jax.Array:
    generator = np.random.default_rng(seed)
    return jnp.asarray(generator.uniform(low, high, shape), jnp.float32)


def size(x: np.ndarray, axes: int = 3) -> np.ndarray:
    return np.sqrt((x**2).sum(tuple(range(-axes, 0))))


def assert_same(one: Any, other: Any) -> None:
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)


def by_hand(w: np.ndarray, a: np.ndarray, a_g: np.ndarray, std: float, draws: int) -> dict:
    """Every field of `Measurement`, in float64."""

    def embed(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:-3], -1) @ w

    keys = jax.random.split(KEY, draws)
    noise = std * np.stack([jax.random.normal(k, a.shape, jnp.float32) for k in keys]).astype(float)
    moved = size(embed(a + noise) - embed(a), 1)
    m_r, spread, m_i_reference = (
        moved.mean(0),
        moved.std(0, ddof=1) if draws > 1 else np.nan,
        size(noise).mean(0),
    )
    clipped = np.clip(a_g, 0, 1)
    versions = {"": a_g, "clipped_": clipped, "rounded_": np.round(clipped * 255) / 255}
    m_g = {name: size(embed(version) - embed(a), 1) for name, version in versions.items()}
    m_i = {name: size(version - a) for name, version in versions.items()}
    return {
        "embedding_distance": m_g[""],
        "input_distance": m_i[""],
        "reference_embedding_distance": np.broadcast_to(m_r, m_g[""].shape),
        "reference_embedding_distance_std": np.broadcast_to(spread, m_g[""].shape),
        "reference_input_distance": np.broadcast_to(m_i_reference, m_g[""].shape),
        "relative_embedding_distance": m_g[""] / size(embed(a), 1),
        "out_of_range": ((a_g < 0) | (a_g > 1)).mean((-3, -2, -1)),
        **{f"{name}embedding_ratio": m_g[name] / m_r for name in versions},
        **{f"{name}input_ratio": m_i[name] / m_i_reference for name in versions},
    }


@pytest.mark.parametrize(
    ("layer", "leading", "std", "draws"),
    [(linear, (3,), REFERENCE_STD, 8), (folded, (2, 3), 0.3, 3), (folded, (1, 3), 0.01, 1)],
)
def test_every_field(layer: Any, leading: tuple, std: float, draws: int, variables: dict) -> None:
    a, a_g = draw(SHAPE, 1), draw((*leading, *SHAPE[1:]), 2, -0.5, 1.5)
    ours = measure(layer, variables, a, a_g, KEY, reference_std=std, draws=draws)
    expected = by_hand(
        *(np.asarray(x, float) for x in (variables["w"], a, a_g)), std=std, draws=draws
    )
    assert set(expected) == {field.name for field in dataclasses.fields(ours)}
    for name, value in expected.items():
        assert getattr(ours, name).shape == leading, name
        np.testing.assert_allclose(getattr(ours, name), value, rtol=2e-5, err_msg=name)
    # The versions differ, so that none stands for another.
    assert len({np.asarray(getattr(ours, name)).tobytes() for name in RATIOS}) == len(RATIOS)


def test_the_default_is_the_authors_noise_and_eight_draws(variables: dict) -> None:
    a, a_g = draw(SHAPE, 1), draw(SHAPE, 2)
    ours = measure(linear, variables, a, a_g, KEY)
    explicit = measure(linear, variables, a, a_g, KEY, reference_std=1 / 18, draws=8)
    assert_same(ours, explicit)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_rounded_to_8_bits_and_no_further(dtype: Any, variables: dict) -> None:
    a, half = draw(SHAPE, 1), draw(SHAPE, 2).astype(dtype)
    ours = measure(linear, variables, a, half, KEY)
    assert_same(ours, measure(linear, variables, a, half.astype(jnp.float32), KEY))


@pytest.mark.parametrize(("shape", "draws"), [((0, *SHAPE), 8), (SHAPE, 0)])
def test_nothing_to_measure(shape: tuple, draws: int, variables: dict) -> None:
    with pytest.raises(ValueError, match=r"must be (floats of that shape|at least 1)"):
        measure(linear, variables, draw(SHAPE, 1), jnp.zeros(shape), KEY, draws=draws)


def test_restarts_are_measured_one_by_one(variables: dict) -> None:
    a, a_g = draw(SHAPE, 1), draw((4, *SHAPE), 2, -0.2, 1.2)
    together = measure(linear, variables, a, a_g, KEY)
    for restart in range(4):
        alone = measure(linear, variables, a, a_g[restart], KEY)
        for field in dataclasses.fields(alone):
            value = getattr(together, field.name)[restart]
            np.testing.assert_allclose(value, getattr(alone, field.name), rtol=1e-5)


def test_examples_are_measured_one_by_one(variables: dict) -> None:
    """But for the noise, which is drawn for the batch."""
    a, a_g = draw(SHAPE, 1), draw(SHAPE, 2, -0.2, 1.2)
    together = measure(linear, variables, a, a_g, KEY)
    for b in range(3):
        alone = measure(linear, variables, a[b : b + 1], a_g[b : b + 1], KEY)
        for name in ("embedding_distance", "input_distance", "relative_embedding_distance"):
            np.testing.assert_allclose(
                getattr(together, name)[b], getattr(alone, name)[0], rtol=1e-5
            )


def test_the_target_itself_is_at_distance_zero(variables: dict) -> None:
    a = jnp.round(draw(SHAPE, 1) * 255) / 255
    ours = measure(linear, variables, a, a, KEY)
    assert (ours.reference_embedding_distance > 0).all()
    for name in (*RATIOS, "embedding_distance", "input_distance", "out_of_range"):
        if not name.startswith("reference"):
            np.testing.assert_allclose(getattr(ours, name), 0, atol=1e-5, err_msg=name)


def test_rounding_leaves_an_8_bit_image_alone(variables: dict) -> None:
    a_g = jnp.arange(256, dtype=jnp.float32).reshape(2, 8, 8, 2) / 255
    a = draw((2, 8, 8, 2), 1)
    weights = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(128, 7)), jnp.float32)}
    ours = measure(linear, weights, a, a_g, KEY)
    np.testing.assert_allclose(ours.rounded_input_ratio, ours.input_ratio, rtol=1e-6)
    np.testing.assert_allclose(ours.rounded_embedding_ratio, ours.embedding_ratio, rtol=1e-5)
    between = measure(linear, weights, a, a_g + 0.4 / 255, KEY)
    np.testing.assert_allclose(between.rounded_input_ratio, ours.input_ratio, rtol=1e-6)
    assert (between.input_ratio != between.rounded_input_ratio).all()


def test_clipping_never_moves_an_image_away(variables: dict) -> None:
    """The target lies in the box, and projection on a convex set brings every point nearer."""
    a, a_g = draw(SHAPE, 1), draw(SHAPE, 2, -1, 2)
    ours = measure(linear, variables, a, a_g, KEY)
    assert (ours.clipped_input_ratio < ours.input_ratio).all()
    assert (ours.out_of_range > 0.4).all()
    inside = measure(linear, variables, a, draw(SHAPE, 2), KEY)
    np.testing.assert_array_equal(inside.clipped_input_ratio, inside.input_ratio)
    np.testing.assert_array_equal(inside.out_of_range, 0)


# --------------------------------------------------------------------------------------- programs


def test_new_noise_needs_no_new_program(variables: dict) -> None:
    a = draw((2, 4, 5, 2), 1)
    traces = 0

    def counted(variables: dict[str, Any], images: jax.Array) -> jax.Array:
        nonlocal traces
        traces += 1
        return linear(variables, images)

    measure(counted, variables, a, a, KEY, reference_std=0.1)
    once = traces
    assert once > 0
    measure(counted, {"w": 2 * variables["w"]}, a / 2, a, jax.random.key(1), reference_std=0.2)
    assert traces == once
    measure(counted, variables, a, a, KEY, draws=3)
    assert traces == once


def test_distances_take_restarts(variables: dict) -> None:
    a, a_g = draw(SHAPE, 1), draw((2, *SHAPE), 2)
    w = np.asarray(variables["w"], float)
    difference = np.asarray(a_g, float) - np.asarray(a, float)
    np.testing.assert_allclose(input_distances(a, a_g), size(difference), rtol=1e-5)
    expected = size(difference.reshape(2, 3, -1) @ w, 1)
    np.testing.assert_allclose(embedding_distances(folded, variables, a, a_g), expected, rtol=1e-5)
    np.testing.assert_allclose(
        embedding_distances(folded, variables, a, a_g[1]), expected[1], rtol=1e-5
    )


# ------------------------------------------------------------------------------------- matched ρ


def ratio_at(rho: list[float], d: list[float], *levels: float) -> list[float]:
    column = (np.array(rho)[:, None], np.array(d)[:, None])
    return list(input_ratio_at(*column, levels)[:, 0])


def test_a_power_law_is_interpolated_exactly() -> None:
    rho = np.array([8.0, 2.0, 0.7, 0.2, 0.01])
    d = 5 * rho**0.4
    found = input_ratio_at(rho[:, None], d[:, None])
    np.testing.assert_allclose(found[:, 0], 5 * np.array(MATCHED_RATIOS) ** 0.4, rtol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    ratios=st.tuples(*[st.floats(1e-4, 1e3)] * 3).map(sorted).filter(lambda r: r[1] < r[2]),
    first=st.floats(1e-3, 1e3),
    second=st.floats(1e-3, 1e3),
)
def test_between_two_records(ratios: list[float], first: float, second: float) -> None:
    after, level, before = ratios
    (found,) = ratio_at([before, after], [first, second], level)
    weight = np.log(level / before) / np.log(after / before)
    np.testing.assert_allclose(
        np.log(found), np.log(first) * (1 - weight) + np.log(second) * weight
    )
    low, high = sorted((first, second))
    assert low * (1 - 1e-9) <= found <= high * (1 + 1e-9)


def test_never_there() -> None:
    assert np.isnan(ratio_at([3.0, 2.0, 1.1], [1.0, 2.0, 3.0], 1.0, 0.1)).all()
    assert np.isnan(ratio_at([np.nan, np.nan], [1.0, 2.0], 1.0)).all()


def test_exactly_there() -> None:
    assert ratio_at([3.0, 1.0, 0.5], [7.0, 5.0, 3.0], 1.0, 0.5) == [5, 3]
    assert ratio_at([1.0, 0.5], [7.0, 5.0], 1.0, 3.0) == [7, 7]  # from the start


def test_an_exact_embedding() -> None:
    """ρ = 0 or D = 0 has no logarithm: the record itself counts."""
    assert ratio_at([3.0, 0.0], [7.0, 5.0], 1.0) == [5]
    assert ratio_at([3.0, 0.5], [7.0, 0.0], 1.0) == [0]


def test_the_first_crossing_counts() -> None:
    rho = [4.0, 0.5, 4.0, 0.25]
    d = [4.0, 2.0, 4.0, 1.0]
    found = ratio_at(rho, d, 1.0)[0]
    np.testing.assert_allclose(found, 4 ** (1 / 3) * 2 ** (2 / 3))
    assert ratio_at(rho, [4.0, 2.0, 9.0, 1.0], 1.0)[0] == found  # what comes later does not


def test_a_record_that_is_not_finite_is_not_interpolated() -> None:
    assert ratio_at([np.nan, 0.5], [7.0, 5.0], 1.0) == [5]


def test_columns_of_any_shape() -> None:
    generator = np.random.default_rng(0)
    rho = np.sort(generator.uniform(0.01, 4, (6, 2, 3)), axis=0)[::-1]
    d = generator.uniform(1, 2, (6, 2, 3))
    found = input_ratio_at(rho, d, (2.0, 0.5))
    assert found.shape == (2, 2, 3)
    for index in np.ndindex(2, 3):
        one = ratio_at(list(rho[(slice(None), *index)]), list(d[(slice(None), *index)]), 2.0, 0.5)
        np.testing.assert_array_equal(found[(slice(None), *index)], one)
    np.testing.assert_array_equal(input_ratio_at(rho[:, 0, 0], d[:, 0, 0]).shape, (4,))


# -------------------------------------------------------------------------------------- baselines


def test_a_constant_image_is_its_own_mean_and_blur() -> None:
    a = jnp.full((2, 9, 7, 3), 0.3) * jnp.array([1.0, 2.0, 3.0])[None, None, None]
    ours = baselines(a, a + 0.1, jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(ours["flat"], 0, atol=1e-5)
    np.testing.assert_allclose(ours["blur"], 0, atol=1e-5)
    np.testing.assert_allclose(ours["start"], 0.1 * 189**0.5 / np.array([1, 2]), rtol=1e-5)


def test_flat_is_the_standard_deviation_of_each_colour() -> None:
    a = draw((2, 9, 7, 3), 1)
    ours = baselines(a, a, jnp.array([0.5, 2.0]))
    variance = np.asarray(a, float).var((1, 2)).sum(-1)
    np.testing.assert_allclose(ours["flat"], (63 * variance) ** 0.5 / [0.5, 2], rtol=1e-5)
    np.testing.assert_array_equal(ours["start"], 0)


def test_a_blur_knows_less_the_wider_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    a = draw((1, 16, 16, 3), 1)

    def blurred(sigma: float) -> float:
        monkeypatch.setattr(metrics, "BLUR_SIGMA", sigma)
        return float(baselines(a, a, jnp.ones(1))["blur"][0])

    narrow, middle, wide = map(blurred, (0.5, 2.0, 200.0))
    flat = float(baselines(a, a, jnp.ones(1))["flat"][0])
    assert 0 < narrow < middle < wide
    np.testing.assert_allclose(wide, flat, rtol=1e-3)  # an endless blur is the mean


def test_the_blur_leaves_channels_and_images_apart() -> None:
    a = jnp.zeros((2, 8, 8, 2)).at[0, :, :, 0].set(1.0)
    np.testing.assert_allclose(baselines(a, a, jnp.ones(2))["blur"], 0, atol=1e-6)


def test_the_start_has_the_shape_of_the_descents() -> None:
    a, starts = draw((2, 4, 4, 3), 1), draw((3, 2, 4, 4, 3), 2)
    ours = baselines(a, starts, jnp.array([1.0, 2.0]))
    assert (ours["start"].shape, ours["flat"].shape, ours["blur"].shape) == ((3, 2), (2,), (2,))
    difference = np.asarray(starts, float) - np.asarray(a, float)
    np.testing.assert_allclose(ours["start"], size(difference) / [1, 2], rtol=1e-5)
    assert all(isinstance(value, np.ndarray) for value in ours.values())


# ------------------------------------------------------------------------------ elasticity


@settings(max_examples=30)
@given(
    slopes=st.lists(st.floats(-2, 2), min_size=1, max_size=4),
    scale=st.floats(0.1, 20),
    records=st.integers(4, 40),
)
def test_the_elasticity_of_a_power_law_is_its_exponent(
    slopes: list[float], scale: float, records: int
) -> None:
    rho = np.geomspace(3, 0.01, records)[:, None] * np.ones(len(slopes))
    np.testing.assert_allclose(elasticity(rho, scale * rho**slopes), slopes, atol=1e-9)


def test_only_the_ends_of_the_window_count() -> None:
    """Many records at one ρ, which drew a fitted line, change nothing."""
    rho = np.array([1.0, 0.3, 0.29, 0.28, 0.27, 0.1, 0.03, 0.03, 0.01])
    d = np.array([9.0, 8.0, 1.0, 1.0, 1.0, 50.0, 4.0, 0.1, 0.1])
    assert elasticity(rho, d) == pytest.approx(np.log10(2))
    assert elasticity(rho, d[::-1]) < 0  # the image moves away
    assert elasticity(rho, d, (0.3, 1 - 1e-12)) == pytest.approx(np.log(9 / 8) / np.log(1 / 0.3))


def test_the_first_crossing_counts_where_a_descent_goes_back() -> None:
    rho = np.array([1.0, 0.3, 0.5, 0.3, 0.03, 0.5])
    d = np.array([9.0, 8.0, 7.0, 6.0, 4.0, 1.0])
    assert elasticity(rho, d) == pytest.approx(np.log10(2))


def test_an_elasticity_needs_the_whole_window() -> None:
    rho = np.array([[1, 0.2, 1, 1], [0.2, 0.1, 0.2, np.nan], [0.02, 0.02, 0.04, np.nan]])
    assert np.isnan(elasticity(rho, rho)).tolist() == [False, True, True, True]
    d = np.full_like(rho, np.nan)  # images that are not compared have no D
    assert np.isnan(elasticity(rho, d)).all()


def test_elasticity_keeps_the_leading_axes() -> None:
    rho = np.geomspace(1, 0.01, 20)[:, None, None] * np.ones((2, 3))
    assert elasticity(rho, rho).shape == (2, 3)


@pytest.mark.parametrize(
    ("layer", "images", "message"),
    [
        (lambda _, x: 1j * x, 0.5, "the output is complex64"),
        (lambda _, x: (x, x), 0.5, "it returns a tuple"),
        (lambda _, x: x.argmax(-1), 0.5, "the output is int32"),
        (lambda _, x: x, 127.0, "images must lie in .0, 1., got 127 to 127; divide 8-bit"),
    ],
)
def test_what_cannot_be_measured(layer: Any, images: float, message: str) -> None:
    a = jnp.full(SHAPE, images)
    with pytest.raises(ValueError, match=message) as caught:
        measure(layer, {}, a, 0.9 * a, KEY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(1, *SHAPE[1:]), (*SHAPE[:2], 3, SHAPE[3]), SHAPE[1:]])
def test_recovered_images_are_of_the_targets_number_and_size(
    variables: dict, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"recovered images of targets .* must be floats of that"):
        measure(linear, variables, jnp.full(SHAPE, 0.5), jnp.full(shape, 0.5), KEY)
