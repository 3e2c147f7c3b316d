"""Distances to training examples on sets whose geometry is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import depthjax
from depthjax.analysis import nearness
from depthjax.analysis.nearness import (
    embed_flat,
    neighbour_distance,
    pair_distance,
    principal_distance,
)

DISTANCES = [neighbour_distance, principal_distance]


def draw(count, features, seed):
    return np.random.default_rng(seed).normal(size=(count, features))


def on_plane(count, seed, features=6):
    """Points whose first two coordinates alone differ."""
    return np.pad(draw(count, 2, seed), ((0, 0), (0, features - 2)))


# --------------------------------------------------------------------------------------- embedding


def linear(variables, images):
    return (images.reshape(len(images), -1) @ variables).reshape(len(images), 2, -1)


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 4))
def test_embeddings_do_not_depend_on_the_batches(count, max_batch):
    images = draw(count, 12, 0).reshape(count, 2, 2, 3).astype(np.float32)
    weights = jnp.asarray(draw(12, 4, 1), jnp.float32)
    found = embed_flat(linear, weights, images, max_batch=max_batch)
    assert found.shape == (count, 4) and found.dtype == np.float32
    expected = images.reshape(count, -1) @ np.asarray(weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_bytes_are_brought_to_the_unit_interval():
    images = np.array([[[[0, 51, 255]]]], np.uint8)
    found = embed_flat(lambda variables, x: x * variables, jnp.ones(()), images)
    np.testing.assert_allclose(found, [[0, 0.2, 1]], rtol=1e-6)


def test_batches_of_one_size_compile_once():
    traces = []

    def layer(variables, images):
        traces.append(images.shape)
        return images * variables

    embed_flat(layer, jnp.ones(()), np.zeros((11, 2, 2, 3), np.float32), max_batch=4)
    assert traces == [(4, 2, 2, 3)]


def test_layers_of_networks_are_embedded_as_they_are_called():
    model = depthjax.build_model("resnet18", width=2, stage_sizes=(1, 1), num_classes=3)
    variables = depthjax.init_variables(model, jax.random.key(0), 16)
    layer = depthjax.Layer(model, "layer2")
    images = np.random.default_rng(0).random((3, 16, 16, 3)).astype(np.float32)
    expected = np.asarray(layer(variables, jnp.asarray(images))).reshape(3, -1)
    np.testing.assert_allclose(embed_flat(layer, variables, images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "batch", "message"),
    [((2, 2, 3), 8, "got shape"), ((0, 2, 2, 3), 8, "got shape"), ((1, 2, 2, 3), 0, "max_batch")],
)
def test_what_cannot_be_embedded(shape, batch, message):
    with pytest.raises(ValueError, match=message):
        embed_flat(linear, jnp.ones((12, 4)), np.zeros(shape, np.float32), max_batch=batch)


# --------------------------------------------------------------------------------------- distances


def test_distances_on_a_line_are_counted_by_hand():
    training = np.arange(10.0)[:, None]
    assert pair_distance(training) == 3  # of 45 pairs 9 + 8 are nearer, and 7 as far
    found = neighbour_distance(training, np.array([[3.0], [-2.0], [20.0]]), k=2)
    np.testing.assert_allclose(found, [1 / 3, 3 / 3, 12 / 3])


def test_pairs_that_are_drawn_are_like_all_pairs(monkeypatch):
    training = draw(300, 5, 0)
    drawn = pair_distance(training)
    assert drawn == pair_distance(training)
    monkeypatch.setattr(nearness, "PAIRS", 10**6)
    assert drawn != pair_distance(training) and drawn == pytest.approx(
        pair_distance(training), 0.02
    )


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_a_large_mean_costs_no_digits(offset):
    sets = [draw(40, 8, seed) for seed in range(2)]
    for distance in DISTANCES:
        moved = distance(*(points + offset for points in sets))
        np.testing.assert_allclose(moved, distance(*sets), rtol=1e-6)


@settings(max_examples=30)
@given(st.floats(1e-3, 1e3), st.floats(-10, 10), st.integers(0), st.booleans())
def test_moving_scaling_and_rotating_change_nothing(scale, shift, seed, few):
    """Also where there are fewer examples than features, which takes another way."""
    random = np.random.default_rng(seed)
    features, count = (30, 12) if few else (6, 40)
    rotation, _ = np.linalg.qr(random.normal(size=(features, features)))
    spread = np.linspace(2, 0.1, features)
    sets = [random.normal(size=(count, features)) * spread for _ in range(2)]
    changed = [scale * (points @ rotation + shift) for points in sets]
    for distance in DISTANCES:
        np.testing.assert_allclose(distance(*changed), distance(*sets), rtol=1e-5)


@pytest.mark.parametrize("features", [6, 200])  # more and fewer than examples
def test_a_plane_has_no_distance_and_all_is_distance_off_it(features):
    training = on_plane(50, 0, features)
    off = np.zeros((1, features))
    off[0, 2] = 3.0
    inside, centre = on_plane(7, 1, features), training.mean(0)
    others = np.concatenate([inside, inside + off, centre[None]])
    found = principal_distance(training, others, share=0.999999) * pair_distance(training)
    np.testing.assert_allclose(found, [0] * 7 + [3] * 7 + [0], atol=1e-6)


def test_a_small_distance_from_a_plane_is_no_rounding_of_large_ones():
    """In float32, as embeddings are."""
    training = on_plane(50, 0, 200).astype(np.float32)
    others = (on_plane(7, 1, 200) + 1e-4 * np.eye(200)[2]).astype(np.float32)
    found = principal_distance(training, others, share=0.999999) * pair_distance(training)
    np.testing.assert_allclose(found, 1e-4, rtol=0.01)


def test_components_are_as_few_as_hold_the_share():
    """Variances 16, 4, 1 and 1/4: one component holds 75 %, two 94 %."""
    training = np.concatenate([np.diag([4.0, 2, 1, 0.5]), -np.diag([4.0, 2, 1, 0.5])])
    along = np.eye(4)[1:2]
    unit = pair_distance(training)
    assert principal_distance(training, along, share=0.7)[0] == pytest.approx(1 / unit)
    assert principal_distance(training, along, share=0.9)[0] == pytest.approx(0, abs=1e-9)


# ----------------------------------------------------------------------------------------- refusal


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(9, 4), (3, 5)], "others has 5 features and training 4"),
        ([(9, 4), (0, 4)], "others holds 0 points"),
    ],
)
def test_sets_that_do_not_belong_together(distance, shapes, message):
    with pytest.raises(ValueError, match=message) as error:
        distance(*(draw(*shape, seed=0) for shape in shapes))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("distance", DISTANCES)
def test_what_is_not_finite_or_not_different_is_refused(distance):
    with pytest.raises(ValueError, match="others holds points that are not finite"):
        distance(draw(9, 4, 0), np.full((2, 4), np.inf))
    with pytest.raises(ValueError, match="half of all pairs of training examples are the same"):
        distance(np.ones((9, 4)), draw(2, 4, 0))


@pytest.mark.parametrize("k", [0, 4])
def test_there_must_be_such_a_neighbour(k):
    with pytest.raises(ValueError, match="3 training examples have no neighbour number"):
        neighbour_distance(draw(3, 2, 0), draw(3, 2, 1), k=k)


@pytest.mark.parametrize("share", [0.0, 1.0, 90.0])
def test_a_share_lies_between_nothing_and_all(share):
    with pytest.raises(ValueError, match="share must lie between"):
        principal_distance(draw(3, 2, 0), draw(3, 2, 1), share=share)


def test_many_calls_make_the_fast_form_once(monkeypatch):
    made = []
    monkeypatch.setattr(
        nearness, "fast_form", lambda layer, variables: made.append(1) or (layer, variables)
    )
    images = draw(5, 12, 0).reshape(5, 2, 2, 3).astype(np.float32)
    weights = jnp.asarray(draw(12, 4, 1), jnp.float32)
    embed = nearness.flat_embedder(linear, weights, images, max_batch=2)
    np.testing.assert_array_equal(
        np.concatenate([embed(images[:3]), embed(images[3:])]), embed(images)
    )
    with pytest.raises(ValueError, match="got shape"):
        embed(images[:0])
    assert made == [1]
