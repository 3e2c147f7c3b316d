"""Solutions compared by hand; one that is all there is, and layers that take many for one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, Layer, autoencode, initial_images
from depthjax.analysis.pushing_apart import mean_distance, push_apart
from depthjax.analysis.uniqueness import far_starts, uniqueness
from depthjax.models import build_model

SIDE = 4


def at(*places: float) -> np.ndarray:
    """Grey images of one value each, `[R, 1, 4, 4, 3]`: D between two is their difference × 10."""
    return np.stack([np.full((1, SIDE, SIDE, 3), place) for place in places])


def compare(places, target=0.0, rho=None, **settings):
    scale = np.array([np.sqrt(SIDE * SIDE * 3) / 10])
    rho = np.zeros((len(places), 1)) if rho is None else np.array(rho)[:, None]
    return uniqueness(at(*places), at(target)[0], rho, scale, **settings)


def test_distances_are_those_of_the_images():
    found = compare([0.0, 0.1, 0.4])
    np.testing.assert_allclose(found.to_target[:, 0], [0, 1, 4], atol=1e-12)
    expected = [[0, 1, 4], [1, 0, 3], [4, 3, 0]]
    np.testing.assert_allclose(found.between[..., 0], expected, atol=1e-12)
    np.testing.assert_allclose(found.mean_between, (1 + 4 + 3) / 3)
    np.testing.assert_allclose(found.mean_to_target, 5 / 3)
    np.testing.assert_allclose(found.spread, np.std([0, 0.1, 0.4], ddof=1))


@pytest.mark.parametrize(
    ("places", "target", "solutions", "recovered"),
    [
        ([0.5, 0.51, 0.52], 0.5, 1, True),
        ([0.5, 0.51, 0.9], 0.5, 2, True),
        ([0.2, 0.5, 0.8], 0.0, 3, False),
        ([0.3, 0.39, 0.48], 0.3, 1, True),  # a chain
        ([0.42, 0.58], 0.5, 2, True),  # the target links no two solutions
    ],
)
def test_solutions_are_counted(places, target, solutions, recovered):
    found = compare(places, target)
    assert (found.solutions[0], found.recovered[0]) == (solutions, recovered)


def test_what_is_not_matched_counts_nowhere():
    found = compare([0.5, 0.9, 0.51], 0.5, rho=[0.05, 0.5, 0.1])
    assert found.matched[:, 0].tolist() == [True, False, True] and found.solutions[0] == 1
    np.testing.assert_allclose(found.mean_between, 0.1, rtol=1e-9)
    np.testing.assert_allclose(found.spread, np.std([0.5, 0.51], ddof=1))
    assert compare([0.5, 0.9, 0.51], 0.5, rho=[0.05, 0.5, 0.1], level=0.5).solutions[0] == 2
    none = compare([0.5, 0.9], 0.5, rho=[np.nan, 2.0])
    assert none.solutions[0] == 0 and not none.recovered[0]
    assert np.isnan([none.mean_between[0], none.mean_to_target[0]]).all()
    assert np.isnan(none.spread).all()
    one = compare([0.5, 0.9], 0.5, rho=[0.01, 2.0])
    assert one.solutions[0] == 1 and np.isnan(one.mean_between[0])


def test_no_two_starts_are_one():
    config = InversionConfig(restarts=9, start=far_starts(9))
    images = jax.random.uniform(jax.random.key(0), (3, 4, 4, 3))
    starts = np.asarray(initial_images(jax.random.key(1), images.shape, config, others=images))
    between = np.linalg.norm((starts[:, None] - starts[None]).reshape(9, 9, 3, -1), axis=-1)
    assert (between[~np.eye(9, dtype=bool)] > 0.1).all()


def test_one_restart_tells_nothing():
    with pytest.raises(ValueError, match="there is 1 for each image; give several restarts"):
        compare([0.5])


@pytest.mark.parametrize(("width", "unique"), [(48, True), (24, False)])
def test_a_layer_that_keeps_all_has_one_solution_and_one_that_keeps_half_many(width, unique):
    layer, variables, images = orthonormal(width)
    config = InversionConfig(steps=300, restarts=5, start=far_starts(5), pixels="none")
    run = autoencode(jax.random.key(1), layer, variables, images, config)
    found = uniqueness(
        *(np.asarray(run.images), np.asarray(images), np.asarray(run.embedding_ratio)),
        np.asarray(run.reference_input_distance)[0],
    )
    assert found.matched.all()
    assert (found.recovered == unique).all()
    assert (found.solutions == 1).all() if unique else (found.solutions >= 3).all()
    assert (found.mean_between < 0.1).all() if unique else (found.mean_between > 2).all()


def orthonormal(width: int):
    """A linear layer with orthonormal rows, its weights, and three images."""
    matrix = np.linalg.qr(np.random.default_rng(0).normal(size=(48, 48)))[0][:, :width]
    kernel = jnp.asarray(matrix, jnp.float32)
    variables = {"params": {"fc1": {"kernel": kernel, "bias": jnp.zeros(width)}}}
    layer = Layer(build_model("mlp", widths=(width,)), "fc1")
    return layer, variables, jax.random.uniform(jax.random.key(0), (3, SIDE, SIDE, 3))


def test_pushing_moves_only_where_the_layer_cannot_tell():
    config = InversionConfig(steps=100, pixels="none")
    near = np.full(3, 0.05)
    apart = {}
    for width in (48, 24):
        layer, variables, images = orthonormal(width)
        target = layer(variables, images)
        solutions = np.stack([np.asarray(images), np.asarray(images) + 1e-3])
        matched = np.ones((2, 3), bool)
        before = mean_distance(solutions, matched)
        asked = (layer, variables, target, solutions, near, matched, config)
        pushed = push_apart(*asked, rounds=4)
        after = mean_distance(pushed, matched)
        embedded = np.stack([layer(variables, jnp.asarray(each)) for each in pushed])
        off = np.linalg.norm(embedded - np.asarray(target), axis=-1)
        assert (off <= near * 1.01).all()
        assert (after >= before).all()
        np.testing.assert_array_equal(push_apart(*asked, rounds=0), solutions)
        apart[width] = after
    # Orthonormal rows: two matches differ by 2 · 0.05 at most where nothing is lost.
    assert (apart[48] <= 0.1 * 1.02).all() and (apart[24] > 1).all()


def test_what_is_not_matched_is_not_pushed_and_pushes_nobody():
    layer, variables, images = orthonormal(24)
    target = layer(variables, images)
    solutions = np.stack([np.asarray(images) + d for d in (0.0, 1e-3, 0.5)])
    matched = np.array([[True] * 3, [True] * 3, [False] * 3])
    config = InversionConfig(steps=50, pixels="none")
    near = np.full(3, 0.05)
    three = push_apart(layer, variables, target, solutions, near, matched, config, rounds=2)
    two = push_apart(layer, variables, target, solutions[:2], near, matched[:2], config, rounds=2)
    np.testing.assert_array_equal(three[2], solutions[2])
    np.testing.assert_allclose(three[:2], two, atol=1e-5)
    alone = np.array([[True] * 3, [False] * 3, [False] * 3])
    kept = push_apart(layer, variables, target, solutions, near, alone, config, rounds=2)
    np.testing.assert_array_equal(kept, solutions)
    with pytest.raises(ValueError, match="give several restarts"):
        push_apart(layer, variables, target, solutions[:1], near, matched[:1], config)
