"""Bits and effective dimension: the dense log-determinant lies within the bracket, always."""

from functools import cache

import jax
import numpy as np
import pytest
from known_spectra import maps_of, with_spectrum

import depthjax
from depthjax.jacobian import (
    bernstein_sum,
    dense_jacobian,
    information,
    information_of_values,
    linearize,
    spectral_quadrature,
)

NETWORKS = {
    "resnet18_small": ({"width": 4, "stage_sizes": (1, 1), "num_classes": 3}, "conv1", "layer2"),
    "vgg_small": ({"num_classes": 3}, "features.2", "features.7"),
    "mlp": ({"widths": (150, 40), "activation": "relu"}, "relu1", "fc2"),
}
PROBES, SEED = 12, 5
PRIOR, NOISES = 0.25, (1e-3, 0.03, 1.0, 30.0)


def layer_at(network, depth, seed):
    """A layer of a network in float64, and one image of 8×8."""
    fields, *names = NETWORKS[network]
    model = depthjax.build_model(network, **fields)
    layer = depthjax.Layer(model, names[depth])
    variables = depthjax.init_variables(
        model, jax.random.key(seed), 32 if network == "vgg_small" else 8
    )
    image = np.random.default_rng(seed).uniform(size=(1, 8, 8, 3))
    return layer, jax.tree.map(lambda leaf: leaf.astype("float64"), variables), image


def dense(jacobian, noise):
    """Both sums from matrices as large as the embedding or the image, without singular values."""
    matrix = jacobian if len(jacobian) <= jacobian.shape[1] else jacobian.T
    signal = (PRIOR / noise) ** 2 * matrix @ matrix.T
    whole = np.eye(len(signal)) + signal
    return np.linalg.slogdet(whole)[1] / np.log(4), np.trace(np.linalg.solve(whole, signal))


def seen_by_probes(jacobian, function):
    """`zᵀ f(JᵀJ) z` of the probes that `spectral_quadrature` draws, from all singular values."""
    n = jacobian.shape[1]
    z = np.random.default_rng(SEED).choice([-1.0, 1.0], size=(PROBES, 1, 1, n))[:, 0, 0]
    _, values, right = np.linalg.svd(jacobian, full_matrices=False)
    return (np.square(z @ right.T) * function(np.square(values))).sum(1)


@cache
def linearized(network, depth, seed):
    maps = linearize(*layer_at(network, depth, seed))
    return maps, dense_jacobian(maps)[0]


@pytest.mark.parametrize(("seed", "steps"), [(0, 4), (1, 12)])
@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_dense_log_determinant_lies_within_the_bracket(x64, network, depth, seed, steps):
    maps, jacobian = linearized(network, depth, seed)
    quadrature = spectral_quadrature(maps, probes=PROBES, steps=steps, seed=SEED)
    for noise in NOISES:
        found = information(quadrature, prior_std=PRIOR, noise_std=noise)
        for bracket, exact in zip(found, dense(jacobian, noise), strict=True):
            assert bracket.low <= bracket.high
            by_chance = 4 * bracket.error
            assert bracket.low - by_chance <= exact * (1 + 1e-9)
            assert exact * (1 - 1e-9) <= bracket.high + by_chance


@pytest.mark.parametrize("steps", [1, 3, 9])
@pytest.mark.parametrize("function", [np.log1p, np.sqrt, lambda x: x / (1 + x)])
def test_of_each_probe_the_bounds_hold_without_chance(x64, function, steps):
    """Against the same probes, of which nothing is random any more."""
    tall = with_spectrum([*np.geomspace(30, 1e-3, 12), 0, 0], 20, 17)
    for matrix in (tall, tall.T, np.ones((4, 12))):
        quadrature = spectral_quadrature(maps_of(matrix), probes=PROBES, steps=steps, seed=SEED)
        exact = seen_by_probes(matrix, function)
        for probe, of_probe in enumerate(exact):
            alone = quadrature._replace(
                **{
                    name: getattr(quadrature, name)[:, probe : probe + 1]
                    for name in ("nodes", "weights", "radau_nodes", "radau_weights")
                }
            )
            low, high, error = bernstein_sum(alone, function)
            assert low <= of_probe * (1 + 1e-9) + 1e-9 and np.isnan(error)
            assert of_probe * (1 - 1e-9) - 1e-9 <= high


def test_more_steps_close_the_bracket(x64):
    matrix = with_spectrum(np.geomspace(3, 1e-2, 12), 20, 15)
    widths = []
    for steps in (2, 4, 8, 13):
        quadrature = spectral_quadrature(maps_of(matrix), probes=3, steps=steps)
        bits = information(quadrature, prior_std=PRIOR, noise_std=0.1).bits
        widths.append(float((bits.high - bits.low)[0]))
    assert (np.diff(widths) < 0).all() and widths[-1] < 1e-9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_linear_layer_of_known_singular_values_is_exact(x64, dtype):
    """Of r equal singular values a, each probe sees all: r/2 log₂(1 + s² a² / σ²) bits."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(24, 24)))[0]
    quadrature = spectral_quadrature(maps_of(3 * rotation, dtype, count=2), probes=2, steps=2)
    found = information(quadrature, prior_std=0.5, noise_std=np.array([0.5, 1.5]))
    for signal, index in ((9.0, 0), (1.0, 1)):
        for bracket, exact in zip(
            found, (12 * np.log2(1 + signal), 24 * signal / (1 + signal)), strict=True
        ):
            np.testing.assert_allclose(
                [bracket.low[index], bracket.high[index]], exact, rtol=10 * np.finfo(dtype).eps
            )
    values = np.full((2, 24), 3.0)
    same = information_of_values(values, prior_std=0.5, noise_std=np.array([0.5, 1.5]))
    for one, other in zip(found, same, strict=True):
        np.testing.assert_allclose(one.low, other.low, rtol=1e-5)
        np.testing.assert_array_equal(other.low, other.high)
        np.testing.assert_array_equal(other.error, 0)


def test_values_give_what_the_matrix_gives():
    matrix = with_spectrum(np.geomspace(2, 1e-3, 9), 9, 14)
    values = np.linalg.svd(matrix, compute_uv=False)[None]
    found = information_of_values(values, prior_std=PRIOR, noise_std=0.02)
    np.testing.assert_allclose([one.low[0] for one in found], dense(matrix, 0.02), rtol=1e-9)


def test_the_effective_dimension_is_the_gain_of_bits_per_signal():
    """dI / d log₂ s = d, which ties both sums to each other."""
    values, step = np.geomspace(5, 1e-3, 11)[None], 1e-5
    more, less = (
        information_of_values(values, prior_std=0.3 * 2**by, noise_std=0.1).bits.low
        for by in (step, -step)
    )
    (dimension,) = information_of_values(
        values, prior_std=0.3, noise_std=0.1
    ).effective_dimension.low
    np.testing.assert_allclose((more - less) / (2 * step), dimension, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prior_std": 0.0}, "prior_std must be positive and finite, got 0.0"),
        (
            {"noise_std": np.array([0.1, np.nan])},
            r"noise_std must be positive and finite, got \[0.1, nan\]",
        ),
    ],
)
def test_noise_that_is_none(given, message):
    with pytest.raises(ValueError, match=message):
        information_of_values(np.ones((2, 3)), **({"prior_std": 0.2, "noise_std": 0.1} | given))
