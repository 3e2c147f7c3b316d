"""Solutions compared by hand; one that is all there is, and layers that take many for one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, Layer, autoencode, initial_images
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
    model = build_model("mlp", widths=(width,))
    matrix = np.linalg.qr(np.random.default_rng(0).normal(size=(48, 48)))[0][:, :width]
    variables = {
        "params": {"fc1": {"kernel": jnp.asarray(matrix, jnp.float32), "bias": jnp.zeros(width)}}
    }
    images = jax.random.uniform(jax.random.key(0), (3, SIDE, SIDE, 3))
    config = InversionConfig(steps=300, restarts=5, start=far_starts(5), pixels="none")
    run = autoencode(jax.random.key(1), Layer(model, "fc1"), variables, images, config)
    found = uniqueness(
        *(np.asarray(run.images), np.asarray(images), np.asarray(run.embedding_ratio)),
        np.asarray(run.reference_input_distance)[0],
    )
    assert found.matched.all()
    assert (found.recovered == unique).all()
    assert (found.solutions == 1).all() if unique else (found.solutions >= 3).all()
    assert (found.mean_between < 0.1).all() if unique else (found.mean_between > 2).all()
