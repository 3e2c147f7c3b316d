"""BatchNorm in training: NumPy's formulas, PyTorch's recorded numbers."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.formula import formula_cotangent, formula_image, formula_state_dict
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.models.operations import BatchNorm, batch_norm

FILE = Path(__file__).parent / "golden" / "batch_norm.npz"
NORM = batch_norm()
EPSILON = 1e-5


def variables_of(channels: int, dtype: Any = np.float32) -> dict[str, Any]:
    """Scale, bias and statistics that all do something."""
    shapes = {f"n.{n}": (channels,) for n in ("weight", "bias", "running_mean", "running_var")}
    leaves = {k: jnp.asarray(v.astype(dtype)) for k, v in formula_state_dict(shapes).items()}
    return {
        "params": {"scale": leaves["n.weight"], "bias": leaves["n.bias"]},
        "batch_stats": {"mean": leaves["n.running_mean"], "var": leaves["n.running_var"]},
    }


@jax.jit
def train_step(variables: dict[str, Any], x: jax.Array) -> tuple[jax.Array, dict[str, Any]]:
    y, updates = NORM.apply(variables, x, use_running_average=False, mutable=["batch_stats"])
    return y, variables | updates


def gradients(variables: dict[str, Any], x: jax.Array, cotangent: jax.Array) -> Any:
    """Of ⟨cotangent, y⟩ with respect to the input and the parameters."""

    def product(x: jax.Array, params: dict[str, Any]) -> jax.Array:
        return (train_step(variables | {"params": params}, x)[0] * cotangent).sum()

    return jax.grad(product, (0, 1))(x, variables["params"])


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


def input_and_cotangent(step: int) -> tuple[np.ndarray, np.ndarray]:
    """In PyTorch's layout, `[2, 3, 4, 5]`; `make_batch_norm.py` takes the same."""
    x = 4 * formula_image(4, 5 + step, batch=2)[..., :5] - 1
    return x, formula_cotangent(x.shape)


def compare_training_steps(golden: dict[str, np.ndarray], dtype: Any, tolerance: float) -> None:
    """Two steps of training, each with its output, statistics and gradients."""
    variables = variables_of(3, dtype)
    for step in range(2):
        x, cotangent = (
            jnp.asarray(array.transpose(0, 2, 3, 1), dtype) for array in input_and_cotangent(step)
        )
        found = gradients(variables, x, cotangent)
        y, variables = train_step(variables, x)
        ours = {
            "y": np.moveaxis(np.asarray(y), -1, 1),
            "x_gradient": np.moveaxis(np.asarray(found[0]), -1, 1),
            "weight_gradient": found[1]["scale"],
            "bias_gradient": found[1]["bias"],
            "running_mean": variables["batch_stats"]["mean"],
            "running_var": variables["batch_stats"]["var"],
        }
        for name, array in ours.items():
            expected = golden[f"{step}/{name}"]
            assert array.dtype == dtype
            np.testing.assert_allclose(
                array, expected, rtol=tolerance, atol=tolerance, err_msg=f"step {step}: {name}"
            )


def test_pytorchs_recorded_numbers() -> None:
    with np.load(FILE) as file:
        golden = dict(file)
    assert len(golden) == 2 * 6 + 1
    compare_training_steps(golden, np.float32, 2e-5)
    with jax.enable_x64(True):
        compare_training_steps(golden, np.float64, 1e-12)
