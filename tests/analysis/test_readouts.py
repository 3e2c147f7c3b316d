"""Linear read-outs are closed forms of regression and of the Gaussian model; decoders learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_spectra import matrix_layer, with_spectrum
from numpy.testing import assert_allclose

from depthjax.analysis.bits import PRIOR_STD
from depthjax.analysis.readouts import (
    decoder_estimate,
    fit_decoder,
    fit_ridge,
    mmse_estimate,
    power_law_root,
    ridge_estimate,
)
from depthjax.analysis.readouts.decoder import _step
from depthjax.jacobian import information_of_values

SHAPE = (4, 4, 2)
SIZE = 32
MATRIX = with_spectrum(np.geomspace(3, 1e-2, 20), 24, SIZE)


def examples(count, seed=0, std=PRIOR_STD):
    return 0.5 + std * np.random.default_rng(seed).normal(size=(count, *SHAPE))


def embeddings(images, noise=0.0):
    exact = images.reshape(len(images), -1) @ MATRIX.T
    return exact + noise * np.random.default_rng(9).normal(size=exact.shape)


def rms(difference):
    return float(np.sqrt(np.square(difference).mean()))


@pytest.mark.parametrize("count", [15, 60])
def test_the_ridge_read_out_is_the_closed_form(count):
    """Of fewer and of more examples than numbers in an embedding; by the m × m normal equations."""
    images, read = examples(count), embeddings(examples(count), 0.05)
    readout = fit_ridge(read, images, penalty=1e-3)
    centred, pixels = read - read.mean(0), (images - images.mean(0)).reshape(count, -1)
    gram = centred.T @ centred + readout.penalty * np.eye(24)
    weights = np.linalg.solve(gram, centred.T @ pixels)
    held = embeddings(examples(5, seed=1))
    expected = images.mean(0) + ((held - read.mean(0)) @ weights).reshape(5, *SHAPE)
    assert_allclose(ridge_estimate(readout, held), expected, rtol=1e-6, atol=1e-8)


def test_the_error_of_those_left_out_is_that_of_so_many_fits():
    images, read = examples(12), embeddings(examples(12), 0.05)
    readout = fit_ridge(read, images, penalty=1e-2)
    errors = []
    for left_out in range(12):
        kept = np.arange(12) != left_out
        rows, pixels = read[kept], images[kept].reshape(11, -1)
        centred = rows - rows.mean(0)
        gram = centred.T @ centred + readout.penalty * np.eye(24)
        weights = np.linalg.solve(gram, centred.T @ (pixels - pixels.mean(0)))
        guess = pixels.mean(0) + (read[left_out] - rows.mean(0)) @ weights
        errors.append(guess - images[left_out].ravel())
    assert readout.error == pytest.approx(rms(np.array(errors)), rel=1e-8)


def test_the_error_of_groups_left_out_is_that_of_so_many_fits():
    images, read = examples(14), embeddings(examples(14), 0.05)
    groups = [*"abcab", *"cccab", *"aaab"]
    readout = fit_ridge(read, images, groups=groups, penalty=1e-2)
    difference = np.zeros((14, SIZE))
    for group in "abc":
        own = np.array(groups) == group
        rows, pixels = read[~own], images[~own].reshape(-1, SIZE)
        centred = rows - rows.mean(0)
        gram = centred.T @ centred + readout.penalty * np.eye(24)
        weights = np.linalg.solve(gram, centred.T @ (pixels - pixels.mean(0)))
        guess = pixels.mean(0) + (read[own] - rows.mean(0)) @ weights
        difference[own] = guess - images[own].reshape(-1, SIZE)
    assert readout.error == pytest.approx(rms(difference), rel=1e-8)


def test_copies_of_an_example_are_left_out_together():
    """By themselves each would be read by the other, best of all without a penalty."""
    images = examples(20).repeat(2, axis=0)
    read = embeddings(images, 0.3)
    read[1::2] = read[::2]
    singly = fit_ridge(read, images)
    pairs = fit_ridge(read, images, groups=[place // 2 for place in range(40)])
    held = examples(200, seed=2)
    errors = [rms(ridge_estimate(one, embeddings(held, 0.3)) - held) for one in (singly, pairs)]
    assert singly.error < 0.5 * errors[0] and errors[1] < errors[0]
    assert pairs.error == pytest.approx(errors[1], rel=0.25)


def test_the_penalty_is_the_best_for_those_left_out():
    images, read = examples(40), embeddings(examples(40), 0.03)
    chosen = fit_ridge(read, images)
    others = [fit_ridge(read, images, penalty=one).error for one in (1e-6, 1e-3, 1.0, 100.0)]
    assert chosen.error <= min(others) + 1e-12 and chosen.error < PRIOR_STD
    held = examples(200, seed=2)
    assert rms(ridge_estimate(chosen, embeddings(held, 0.03)) - held) < PRIOR_STD


def test_many_examples_of_a_wide_layer_read_every_pixel():
    wide = np.random.default_rng(5).normal(size=(40, SIZE))
    images, held = examples(50), examples(3, seed=1)
    readout = fit_ridge(images.reshape(50, -1) @ wide.T, images, penalty=1e-10)
    assert_allclose(ridge_estimate(readout, held.reshape(3, -1) @ wide.T), held, atol=1e-4)


def covariance_of(root):
    units = np.eye(SIZE).reshape(SIZE, *SHAPE)
    matrix = np.array([root(unit).ravel() for unit in units])
    return matrix @ matrix.T


@pytest.mark.parametrize("noise", [0.01, 0.3])
@pytest.mark.parametrize("prior", ["independent pixels", "1/f"])
def test_the_mmse_estimate_is_the_closed_form(x64, noise, prior):
    root = power_law_root(SHAPE) if prior == "1/f" else None
    covariance = covariance_of(root) if root else PRIOR_STD**2 * np.eye(SIZE)
    images, mean = examples(2), np.full(SHAPE, 0.4)
    read = embeddings(images, noise)
    found = mmse_estimate(
        matrix_layer, jnp.asarray(MATRIX), read, mean=mean, noise_std=noise, root=root
    )
    gain = covariance @ MATRIX.T
    whole = MATRIX @ gain + noise**2 * np.eye(24)
    offsets = read - embeddings(mean[None])
    expected = mean + (gain @ np.linalg.solve(whole, offsets.T)).T.reshape(2, *SHAPE)
    assert found.converged.all() and (found.products > 0).all()
    assert_allclose(found.images, expected, atol=1e-4 * np.abs(expected).max())


def test_what_is_left_is_what_the_effective_dimension_says():
    """(n − d) s² of the prior's variance: the law that ties bits to what can be recovered."""
    signal = MATRIX.T @ MATRIX * (PRIOR_STD / 0.1) ** 2
    left = np.trace(np.linalg.inv(np.eye(SIZE) + signal))
    values = np.linalg.svd(MATRIX, compute_uv=False)[None]
    found = information_of_values(values, prior_std=PRIOR_STD, noise_std=0.1)
    assert left == pytest.approx(SIZE - found.effective_dimension.low[0], rel=1e-9)


def test_the_power_law_root_is_a_symmetric_root_of_that_variance():
    root = power_law_root(SHAPE, std=0.3, power=1.2)
    covariance = covariance_of(root)
    assert_allclose(np.diag(covariance), 0.3**2, rtol=1e-9)
    units = np.eye(SIZE).reshape(SIZE, *SHAPE)
    matrix = np.array([root(unit).ravel() for unit in units])
    assert_allclose(matrix, matrix.T, atol=1e-12)
    neighbour = covariance.reshape(*SHAPE, *SHAPE)[0, 0, 0, 0, 1, 0]
    assert 0.1 < neighbour / 0.3**2 < 1  # like their neighbours, as pixels of photographs are


def test_bad_input_is_one_line():
    images = examples(4)
    with pytest.raises(ValueError, match="needs 2 examples or more"):
        fit_ridge(embeddings(images)[:1], images[:1])
    with pytest.raises(ValueError, match=r"4 examples need a group each.*got 4 of 1"):
        fit_ridge(embeddings(images), images, groups=["a"] * 4)
    with pytest.raises(ValueError, match=r"4 examples need a group each.*got 3 of 3"):
        fit_ridge(embeddings(images), images, groups=[0, 1, 2])
    with pytest.raises(ValueError, match="embeddings of all examples are the same"):
        fit_ridge(np.ones((4, 3)), images)
    with pytest.raises(ValueError, match="penalty must be above 0, got -1"):
        fit_ridge(embeddings(images), images, penalty=-1.0)
    with pytest.raises(ValueError, match="read-out is of 24 numbers, the embeddings have 5"):
        ridge_estimate(fit_ridge(embeddings(images), images), np.ones((2, 5)))
    with pytest.raises(ValueError, match="noise_std must be positive and finite, got 0"):
        mmse_estimate(matrix_layer, MATRIX, np.ones((1, 24)), mean=images[0], noise_std=0.0)


@pytest.mark.parametrize("shape", [(30,), (4, 4, 6)])
def test_a_decoder_learns_what_the_embedding_holds(shape):
    random = np.random.default_rng(0)
    images = random.uniform(0.2, 0.8, (80, 1, 1, 3)) * np.ones((1, 8, 6, 1))  # flat colours
    weights = random.normal(size=(3, int(np.prod(shape))))
    embeddings = (images[:, 0, 0] @ weights).reshape(-1, *shape)
    readout = fit_decoder(jax.random.key(0), embeddings[:60], images[:60], channels=32, steps=300)
    held_out = decoder_estimate(readout, embeddings[60:])
    assert held_out.shape == (20, 8, 6, 3)
    error = np.sqrt(np.square(held_out - images[60:]).mean())
    assert error < 0.3 * images.std() and readout.error < 0.3 * images.std()
    before = _step._cache_size()  # examples are arguments, and no part of the program
    fit_decoder(jax.random.key(1), embeddings[:60] / 2, images[:60] / 2, channels=32, steps=300)
    assert _step._cache_size() == before
    with pytest.raises(ValueError, match="examples must be 2 or more"):
        fit_decoder(jax.random.key(0), embeddings[:1], images[:1])
