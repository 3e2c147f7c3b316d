"""Linear theory: its curves are those of linear networks, and its null space is the null space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from depthjax import InversionConfig, invert
from depthjax.analysis.prediction import (
    learning_rates,
    predict_input_distance,
)
from depthjax.analysis.singular_directions import singular_directions
from depthjax.inversion.step_scale import step_scale
from depthjax.jacobian import dense_singular_values, exact_jacobian

SHAPE = (2, 3, 2)
SIZE = 12


def linear_layer(matrix, images):
    return images.reshape(len(images), -1) @ matrix.T + jnp.asarray(0.3, images.dtype)


def descent(**fields):
    given = {"objective": "squared_l2", "optimizer": "sgd", "pixels": "none", "record_every": 1}
    return InversionConfig(**(given | {"steps": 25, "schedule": "constant"} | fields))


def pair(seed=0, images=1):
    random = np.random.default_rng(seed)
    return random.random((images, *SHAPE)), 0.7 + 0.05 * random.normal(size=(images, *SHAPE))


def matrix_of(rows, rank=SIZE, seed=0):
    """Of largest singular value 1."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, rank)) @ random.normal(size=(rank, SIZE))
    return matrix / np.linalg.norm(matrix, 2)


CASES = {
    "wide": (5, {"learning_rate": 0.4}),
    "square": (12, {"learning_rate": 0.4}),
    "tall": (20, {"learning_rate": 0.4}),
    "weighted": (5, {"learning_rate": 0.1, "objective_scale": 3.0}),
    "layer's step": (5, {"learning_rate": 0.5, "step_scale": "layer"}),
    "relative": (5, {"learning_rate": 0.3, "objective": "relative_squared_l2"}),
    "falling with momentum": (
        5,
        {
            "schedule": "linear",
            "learning_rate": 0.3,
            "final_learning_rate": 0.1,
            "optimizer_options": {"momentum": 0.9},
        },
    ),
    "cosine with Nesterov's": (
        5,
        {
            "schedule": "cosine",
            "learning_rate": 0.3,
            "optimizer_options": {"momentum": 0.8, "nesterov": True},
        },
    ),
}
"""Outputs of the layer, and a descent: each kind is compiled anew."""


@pytest.mark.parametrize("case", CASES)
def test_the_curve_of_a_linear_layer_is_the_predicted_one(x64, case):
    rows, fields = CASES[case]
    config = descent(**fields)
    a, start = map(jnp.asarray, pair(images=2))
    matrix = jnp.asarray(matrix_of(rows))
    embedding = linear_layer(matrix, a)
    found = invert(linear_layer, matrix, embedding, start, config, compare_to=a)
    (jacobian,) = exact_jacobian(linear_layer, matrix, a[:1])
    directions = singular_directions(jacobian)
    for image in range(2):
        told = predict_input_distance(
            directions,
            a[image],
            start[image],
            config,
            embedding_norm=float(np.linalg.norm(embedding[image])),
        )
        measured = found.trajectory.input_distance[:, image]
        assert measured[-1] < measured[0]
        assert_allclose(told.input_distance, measured, rtol=1e-6)
        distances = found.trajectory.embedding_distance[:, image]
        assert_allclose(told.embedding_distance, distances, rtol=1e-6, atol=1e-12)


@given(
    rows=st.integers(1, 16),
    rank=st.integers(1, 12),
    rate=st.floats(0.01, 0.9),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_what_is_missing_is_lost_or_slow(rows, rank, rate, seed):
    """The lost part is the exact projection; the rest falls; the whole is Pythagoras's."""
    matrix = matrix_of(rows, rank, seed)
    directions = singular_directions(matrix)
    assert len(directions.values) == min(rows, rank)
    (a,), (start,) = pair(seed)
    told = predict_input_distance(directions, a, start, descent(learning_rate=rate, steps=40))
    difference = (start - a).ravel()
    projection = np.eye(SIZE) - np.linalg.pinv(matrix, rcond=1e-10) @ matrix
    assert_allclose(directions.null_component(difference), projection @ difference, atol=1e-9)
    assert told.lost == pytest.approx(np.linalg.norm(projection @ difference), abs=1e-9)
    assert_allclose(told.input_distance**2, told.lost**2 + told.slow**2)
    assert told.input_distance[0] == pytest.approx(np.linalg.norm(difference))
    assert (np.diff(told.slow) <= 1e-12).all() and (told.input_distance >= told.lost).all()
    # By the powers of a matrix, without any singular vector.
    step = np.eye(SIZE) - 2 * rate * matrix.T @ matrix
    expected = np.linalg.norm(np.linalg.matrix_power(step, 40) @ difference)
    assert told.input_distance[-1] == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(scale=st.floats(0.1, 10), rate=st.floats(0.05, 0.9))
@settings(max_examples=10)
def test_an_orthogonal_layer_is_recovered_at_one_rate(scale, rate):
    orthogonal = np.linalg.qr(np.random.default_rng(0).normal(size=(SIZE, SIZE)))[0]
    directions = singular_directions(scale * orthogonal)
    assert directions.condition_number == pytest.approx(1)
    (a,), (start,) = pair()
    config = descent(learning_rate=rate / (2 * scale**2))
    told = predict_input_distance(directions, a, start, config)
    expected = np.linalg.norm(start - a) * (1 - rate) ** np.arange(26)
    assert_allclose(told.input_distance, expected, rtol=1e-6)
    assert told.lost < 1e-12


def test_what_nothing_depends_on_is_all_lost():
    directions = singular_directions(np.zeros((3, SIZE)))
    assert directions.values.shape == (0,) and np.isnan(directions.condition_number)
    (a,), (start,) = pair()
    told = predict_input_distance(directions, a, start, descent(step_scale="layer"))
    assert_allclose(told.input_distance, np.linalg.norm(start - a))
    assert (told.slow == 0).all() and (told.embedding_distance == 0).all()


def test_the_scale_of_the_step_is_the_layers_own(x64):
    """What the linear theory takes by default is what the descent measures."""
    a, start = pair()
    matrix = jnp.asarray(matrix_of(12))
    target = linear_layer(matrix, jnp.asarray(a))
    (measured,) = np.asarray(step_scale(linear_layer, matrix, jnp.asarray(start), target))
    directions = singular_directions(np.asarray(matrix))
    config = descent(step_scale="layer", learning_rate=0.5)
    alone, given_ = (
        predict_input_distance(directions, a[0], start[0], config, step_scale=scale)
        for scale in (None, float(measured))
    )
    assert_allclose(alone.input_distance, given_.input_distance, rtol=1e-9)
    other = predict_input_distance(directions, a[0], start[0], config, step_scale=2 * measured)
    assert not np.allclose(alone.input_distance, other.input_distance, rtol=1e-3)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_rates_go_from_the_first_to_before_the_last(schedule):
    config = descent(schedule=schedule, learning_rate=0.4, final_learning_rate=0.1, steps=8)
    rates = learning_rates(config)
    assert rates.shape == (8,) and rates[0] == pytest.approx(0.4)
    middle = {"constant": 0.4, "linear": 0.25, "cosine": 0.25}[schedule]
    assert rates[4] == pytest.approx(middle)


def test_jacobians_are_float64_from_float32_weights():
    matrix = matrix_of(5).astype(np.float32)
    a = pair(images=2)[0].astype(np.float32)
    jacobian = exact_jacobian(linear_layer, matrix, a)
    assert jacobian.dtype == np.float64 and jacobian.shape == (2, 5, SIZE)
    assert_allclose(jacobian, np.broadcast_to(matrix.astype(float), jacobian.shape), rtol=1e-14)
    values = dense_singular_values(linear_layer, matrix, a)
    assert_allclose(singular_directions(jacobian[0]).values, values[0], rtol=1e-12)


# -------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objective": "l1"}, "objective 'l1'"),
        ({"optimizer": "adam"}, "optimizer 'adam'"),
        ({"pixels": "clip"}, "pixels 'clip'"),
        ({"blur": True}, "a blur"),
        ({"trust_radius": 0.1}, "a trust radius"),
        ({"fourier_decay": 0.5}, "a Fourier decay"),
        ({"plateau": 0.1}, "a plateau"),
        ({"relu_gradient": "fake"}, "another gradient of ReLUs"),
        ({"soft_gates": 0.3}, "soft gates"),
        ({"optimizer_options": {"accumulator_dtype": "float32"}}, "option 'accumulator_dtype'"),
        ({"objective": "relative_squared_l2"}, "needs embedding_norm"),
    ],
)
def test_descents_that_are_not_linear_are_refused(fields, message):
    (a,), (start,) = pair()
    with pytest.raises(ValueError, match=message) as error:
        predict_input_distance(singular_directions(matrix_of(4)), a, start, descent(**fields))
    assert len(str(error.value).splitlines()) == 1


def test_images_of_another_size_are_refused():
    (a,), (start,) = pair()
    with pytest.raises(ValueError, match="12 inputs, but target and start have 8"):
        predict_input_distance(singular_directions(matrix_of(4)), a[:, :2], start[:, :2], descent())


def test_jax_is_left_in_single_precision():
    exact_jacobian(linear_layer, matrix_of(3), pair()[0])
    assert jnp.asarray(1.0).dtype == jnp.float32 and not jax.config.jax_enable_x64
