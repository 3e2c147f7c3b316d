"""Ratios to held-out examples on sets whose geometry is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import depthjax
from depthjax.analysis.nearness import embed, neighbour_ratio, principal_residual

RATIOS = [neighbour_ratio, principal_residual]


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
    found = embed(linear, weights, images, max_batch=max_batch)
    assert found.shape == (count, 4) and found.dtype == np.float32
    expected = images.reshape(count, -1) @ np.asarray(weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_bytes_are_brought_to_the_unit_interval():
    images = np.array([[[[0, 51, 255]]]], np.uint8)
    found = embed(lambda variables, x: x * variables, jnp.ones(()), images)
    np.testing.assert_allclose(found, [[0, 0.2, 1]], rtol=1e-6)


def test_batches_of_one_size_compile_once():
    traces = []

    def layer(variables, images):
        traces.append(images.shape)
        return images * variables

    embed(layer, jnp.ones(()), np.zeros((11, 2, 2, 3), np.float32), max_batch=4)
    assert traces == [(4, 2, 2, 3)]


def test_layers_of_networks_are_embedded_as_they_are_called():
    model = depthjax.build_model("resnet18", width=2, stage_sizes=(1, 1), num_classes=3)
    variables = depthjax.init_variables(model, jax.random.key(0), 16)
    layer = depthjax.Layer(model, "layer2")
    images = np.random.default_rng(0).random((3, 16, 16, 3)).astype(np.float32)
    expected = np.asarray(layer(variables, jnp.asarray(images))).reshape(3, -1)
    np.testing.assert_allclose(embed(layer, variables, images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "batch", "message"),
    [((2, 2, 3), 8, "got shape"), ((0, 2, 2, 3), 8, "got shape"), ((1, 2, 2, 3), 0, "max_batch")],
)
def test_what_cannot_be_embedded(shape, batch, message):
    with pytest.raises(ValueError, match=message):
        embed(linear, jnp.ones((12, 4)), np.zeros(shape, np.float32), max_batch=batch)


# ------------------------------------------------------------------------------------- neighbours


def test_distances_on_a_line_are_counted_by_hand():
    training = np.arange(10.0)[:, None]
    held_out = np.array([[0.5], [4.5], [8.5]])  # the second neighbour of each is half away
    found = neighbour_ratio(training, held_out, np.array([[3.0], [-2.0], [20.0]]), k=2)
    np.testing.assert_allclose(found, [2.0, 6.0, 24.0])


def test_the_median_of_held_out_examples_is_1():
    held_out = draw(51, 4, 1)
    for ratio in RATIOS:
        assert np.median(ratio(draw(80, 4, 0), held_out, held_out)) == pytest.approx(1)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_a_large_mean_costs_no_digits(offset):
    sets = [draw(40, 8, seed) for seed in range(3)]
    for ratio in RATIOS:
        moved = ratio(*(embeddings + offset for embeddings in sets))
        np.testing.assert_allclose(moved, ratio(*sets), rtol=1e-6)


@settings(max_examples=20)
@given(
    st.integers(2, 7), st.integers(6, 20), st.floats(1e-3, 1e3), st.floats(-10, 10), st.integers(0)
)
def test_moving_scaling_and_rotating_change_nothing(features, count, scale, shift, seed):
    random = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(random.normal(size=(features, features)))
    sets = [random.normal(size=(count, features)) for _ in range(3)]
    changed = [scale * (embeddings @ rotation) + shift for embeddings in sets]
    np.testing.assert_allclose(
        neighbour_ratio(*changed, k=3), neighbour_ratio(*sets, k=3), rtol=1e-6
    )


@settings(max_examples=30)
@given(st.floats(1e-3, 1e3), st.integers(0), st.booleans())
def test_the_residual_does_not_change_either(scale, seed, few):
    """Also where there are fewer examples than features, which takes another way."""
    random = np.random.default_rng(seed)
    features, count = (30, 12) if few else (6, 40)
    rotation, _ = np.linalg.qr(random.normal(size=(features, features)))
    spread = np.linspace(2, 0.1, features)
    sets = [random.normal(size=(count, features)) * spread for _ in range(3)]
    changed = [scale * (embeddings @ rotation) for embeddings in sets]
    np.testing.assert_allclose(principal_residual(*changed), principal_residual(*sets), rtol=1e-6)


# --------------------------------------------------------------------------------------- residual


@pytest.mark.parametrize("features", [6, 200])  # more and fewer than examples
def test_a_plane_has_no_residual_and_all_is_residual_off_it(features):
    training = on_plane(50, 0, features)
    off = np.zeros((1, features))
    off[0, 2] = 3.0
    centre = training.mean(0)
    held_out = centre + 5 * np.eye(features)[3:5]
    inside = on_plane(7, 1, features)
    arbitrary = np.concatenate([inside, centre + off, centre[None]])
    found = principal_residual(training, held_out, arbitrary, share=0.999999)
    np.testing.assert_allclose(found, [0] * 7 + [1, 0], atol=1e-6)


def test_components_are_as_few_as_hold_the_share():
    """Variances 16, 4, 1 and 1/4: one component holds 75 %, two 94 %."""
    training = np.concatenate([np.diag([4.0, 2, 1, 0.5]), -np.diag([4.0, 2, 1, 0.5])])
    held_out, along = np.eye(4)[3:], np.eye(4)[1:2]
    assert principal_residual(training, held_out, along, share=0.7)[0] == pytest.approx(1)
    assert principal_residual(training, held_out, along, share=0.9)[0] == pytest.approx(0, abs=1e-9)


def test_a_diagonal_lies_outside_by_its_sine():
    training = np.concatenate([np.diag([5.0, 0.1]), -np.diag([5.0, 0.1])])
    held_out = np.array([[0.0, 1.0]])
    arbitrary = np.array([[1.0, 1.0], [np.sqrt(3), 1.0]])
    found = principal_residual(training, held_out, arbitrary)
    np.testing.assert_allclose(found, [np.sqrt(0.5), 0.5])


# ----------------------------------------------------------------------------------------- refusal


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(9, 4), (3, 5), (3, 4)], "held_out has 5 features and training 4"),
        ([(9, 4), (3, 4), (3, 2)], "arbitrary has 2 features"),
        ([(9, 4), (0, 4), (3, 4)], "held_out holds 0"),
        ([(9, 4), (3, 4), (0, 4)], "arbitrary holds 0"),
    ],
)
def test_sets_that_do_not_belong_together(ratio, shapes, message):
    with pytest.raises(ValueError, match=message) as error:
        ratio(*(draw(*shape, seed=0) for shape in shapes))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("ratio", RATIOS)
def test_what_is_not_finite_is_refused(ratio):
    with pytest.raises(ValueError, match="arbitrary holds embeddings that are not finite"):
        ratio(draw(9, 4, 0), draw(3, 4, 1), np.full((2, 4), np.inf))


@pytest.mark.parametrize("k", [0, 4])
def test_there_must_be_such_a_neighbour(k):
    with pytest.raises(ValueError, match="3 training embeddings have no neighbour number"):
        neighbour_ratio(draw(3, 2, 0), draw(3, 2, 1), draw(3, 2, 2), k=k)


@pytest.mark.parametrize("share", [0.0, 1.0, 90.0])
def test_a_share_lies_between_nothing_and_all(share):
    with pytest.raises(ValueError, match="share must lie between"):
        principal_residual(draw(3, 2, 0), draw(3, 2, 1), draw(3, 2, 2), share=share)


def test_there_must_be_something_to_compare_with():
    training = on_plane(20, 0)
    with pytest.raises(ValueError, match="half of the held-out embeddings lie among"):
        neighbour_ratio(np.repeat(training, 2, axis=0), training, training, k=2)
    with pytest.raises(ValueError, match="half of the held-out embeddings lie in the span"):
        principal_residual(np.eye(2)[:1] * [[1.0], [-1.0]], np.eye(2)[:1], np.eye(2))
    with pytest.raises(ValueError, match="all training embeddings are the same"):
        principal_residual(np.ones((4, 3)), draw(2, 3, 0), draw(2, 3, 1))
