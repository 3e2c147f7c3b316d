"""BatchNorm in training: NumPy's formulas, PyTorch's recorded numbers."""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.formula import formula_image
from hypothesis import given, settings
from hypothesis import strategies as st
from training_steps import (
    NORM,
    compare_training_steps,
    gradients,
    train_step,
    variables_of,
)

from depthjax.compat import enable_x64
from depthjax.models.operations import BatchNorm, batch_norm

FILE = Path(__file__).parents[1] / "golden" / "batch_norm.npz"
EPSILON = 1e-5


@settings(max_examples=12)
@given(
    shape=st.tuples(*(st.integers(1, 5) for _ in range(3)), st.integers(1, 3)),
    seed=st.integers(0, 9),
)
def test_training_is_what_the_formulas_say(shape: tuple[int, ...], seed: int) -> None:
    x = np.random.default_rng(seed).normal(2, 3, shape).astype(np.float32)
    before = variables_of(shape[-1])
    y, after = train_step(before, jnp.asarray(x))
    n = x.size // shape[-1]
    values = x.reshape(n, -1).astype(np.float64)
    mean, var = values.mean(0), values.var(0)
    held, params = before["batch_stats"], before["params"]
    unbiased = var * n / max(n - 1, 1)
    np.testing.assert_allclose(
        after["batch_stats"]["mean"], 0.9 * held["mean"] + 0.1 * mean, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        after["batch_stats"]["var"], 0.9 * held["var"] + 0.1 * unbiased, rtol=1e-5
    )
    normalised = (x - mean) / np.sqrt(var + EPSILON)
    expected = np.asarray(params["scale"]) * normalised + np.asarray(params["bias"])
    np.testing.assert_allclose(y, expected, rtol=2e-4, atol=2e-4)


def test_one_value_for_each_channel_stays_finite() -> None:
    before = variables_of(3)
    x = jnp.asarray([[[[1.0, -2.0, 3e4]]]])
    y, after = train_step(before, x)
    np.testing.assert_allclose(y[0, 0, 0], before["params"]["bias"], atol=1e-6)
    np.testing.assert_allclose(
        after["batch_stats"]["var"], 0.9 * before["batch_stats"]["var"], rtol=1e-6
    )
    assert all(
        np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients(before, x, jnp.ones_like(x)))
    )


def test_a_large_mean_hides_no_variance() -> None:
    """In one pass, E[x²] − E[x]², float32 would find a variance of 0 here."""
    x = 3000 + np.random.default_rng(0).choice([-0.25, 0.25], (8, 4, 4, 2)).astype(np.float32)
    y, _ = train_step(variables_of(2), jnp.asarray(x))
    params = variables_of(2)["params"]
    spread = (np.asarray(y) - np.asarray(params["bias"])) / np.asarray(params["scale"])
    np.testing.assert_allclose(np.abs(spread), 1, atol=0.2)
    np.testing.assert_allclose((spread**2).mean((0, 1, 2)), 1, rtol=1e-3)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("half_parameters", [False, True])
def test_half_precision_images_and_float32_statistics(train: bool, half_parameters: bool) -> None:
    """bfloat16 has 8 bits: summed in it, 4096 values near 1 would stop at 256."""
    x = jnp.asarray(formula_image(64, 64).transpose(0, 2, 3, 1), jnp.bfloat16)
    variables = variables_of(3)
    expected, expected_after = NORM.apply(
        variables,
        x.astype(jnp.float32),
        use_running_average=not train,
        mutable=["batch_stats"],
    )
    if half_parameters:
        params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables["params"])
        variables = variables | {"params": params}
    y, after = NORM.apply(variables, x, use_running_average=not train, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {np.dtype(np.float32)}
    for name, leaf in after["batch_stats"].items():
        np.testing.assert_allclose(leaf, expected_after["batch_stats"][name], rtol=1e-5)
    scale = float(jnp.abs(expected).max())
    np.testing.assert_allclose(
        np.asarray(y, np.float32) / scale, np.asarray(expected) / scale, atol=2**-7
    )


def test_evaluation_is_flaxs() -> None:
    x = jnp.asarray(formula_image(5, 6, batch=2).transpose(0, 2, 3, 1), jnp.float32)
    theirs = nn.BatchNorm(momentum=0.9, epsilon=EPSILON)
    expected = theirs.apply(variables_of(3), x, use_running_average=True)
    y, after = NORM.apply(variables_of(3), x, use_running_average=True, mutable=["batch_stats"])
    np.testing.assert_array_equal(y, expected)
    jax.tree.map(
        np.testing.assert_array_equal, after["batch_stats"], variables_of(3)["batch_stats"]
    )


def test_initialisation_is_flaxs() -> None:
    x = jnp.ones((2, 3, 3, 4))
    ours, theirs = (
        norm.init(jax.random.key(0), x, use_running_average=False)
        for norm in (NORM, nn.BatchNorm())
    )
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert isinstance(NORM, nn.BatchNorm) and isinstance(NORM, BatchNorm)
    assert batch_norm() == NORM and hash(NORM) == hash(batch_norm())


def test_pytorchs_recorded_numbers() -> None:
    with np.load(FILE) as file:
        golden = dict(file)
    assert len(golden) == 2 * 6 + 1
    compare_training_steps(golden, np.float32, 2e-5)
    with enable_x64(True):
        compare_training_steps(golden, np.float64, 1e-12)
