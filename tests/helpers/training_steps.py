"""Steps of BatchNorm in training, compared with recorded or live numbers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from golden.formula import formula_cotangent, formula_image, formula_state_dict

from depthjax.models.operations import batch_norm

NORM = batch_norm()


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
