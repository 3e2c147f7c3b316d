"""Predictions by products alone are those of the whole matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_spectra import maps_of, matrix_layer, with_spectrum
from numpy.testing import assert_allclose

import depthjax
from depthjax.analysis.prediction import (
    descend_and_predict,
    linear_descent,
    predict_input_distance,
)
from depthjax.analysis.prediction_by_products import (
    descend_and_predict_by_products,
    predict_by_products,
)
from depthjax.analysis.singular_directions import singular_directions

VALUES = np.concatenate([np.geomspace(1, 1e-2, 15), np.zeros(5)])
MATRIX = with_spectrum(VALUES[:15], 15, 25)


def errors(count=2):
    return np.random.default_rng(4).normal(size=(count, 25))


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_steps_before_the_last_product_are_exact(x64, momentum):
    """Of a matrix with more singular values than products, and a null space."""
    config = linear_descent(7, 0.3, momentum=momentum)
    directions = singular_directions(MATRIX)
    found = predict_by_products(maps_of(MATRIX, count=2), errors(), config, products=8)
    for one, error in zip(found, errors(), strict=True):
        whole = predict_input_distance(directions, np.zeros(25), error, config)
        assert_allclose(one.input_distance, whole.input_distance, rtol=1e-10)
        assert_allclose(one.embedding_distance, whole.embedding_distance, rtol=1e-10)


def test_later_steps_come_nearer_with_more_products(x64):
    config = linear_descent(400, 0.5)
    (error,) = errors(1)
    whole = predict_input_distance(singular_directions(MATRIX), np.zeros(25), error, config)
    wrong = []
    for products in (3, 8, 16):
        (one,) = predict_by_products(maps_of(MATRIX), error[None], config, products=products)
        wrong.append(np.abs(one.embedding_distance / whole.embedding_distance - 1).max())
    assert (np.diff(wrong) < 0).all() and wrong[-1] < 1e-6
    assert one.lost == pytest.approx(whole.lost, rel=1e-6)


def test_descents_through_a_linear_layer_follow(x64):
    images, starts = (
        jnp.asarray(np.random.default_rng(seed).random((2, 5, 5, 1))) for seed in (0, 1)
    )
    config = linear_descent(12, 0.9, record_every=1)
    found = descend_and_predict_by_products(
        matrix_layer, jnp.asarray(MATRIX), images, starts, config, products=14
    )
    measured = found.inversion.trajectory
    for index, prediction in enumerate(found.predictions):
        assert_allclose(prediction.input_distance, measured.input_distance[:, index], rtol=1e-6)
        assert_allclose(
            prediction.embedding_distance, measured.embedding_distance[:, index], rtol=1e-6
        )


def test_a_convolutional_network_is_predicted_as_by_its_whole_jacobian():
    model = depthjax.build_model("resnet18_small", width=4, stage_sizes=(1,), num_classes=3)
    layer = depthjax.Layer(model, "layer1")
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    random = np.random.default_rng(2)
    images, starts = (jnp.asarray(random.random((2, 8, 8, 3)), jnp.float32) for _ in range(2))
    config = linear_descent(60, 0.5, record_every=20)
    given = (layer, variables, images, starts, config)
    whole, found = descend_and_predict(*given), descend_and_predict_by_products(*given)
    assert found.config.learning_rate == pytest.approx(whole.config.learning_rate, rel=1e-4)
    for one, other in zip(found.predictions, whole.predictions, strict=True):
        assert_allclose(one.input_distance, other.input_distance, rtol=1e-3)
        assert_allclose(one.embedding_distance, other.embedding_distance, rtol=1e-3)


def test_errors_of_another_size_are_refused(x64):
    with pytest.raises(ValueError, match="Jacobians of 1 images of 25 numbers, but errors of"):
        predict_by_products(maps_of(MATRIX), errors()[:, :9], linear_descent(2, 0.1))
