"""PyTorch weights in and out: one rename rule and one transpose rule.

Our operations carry torchvision's names, so `layer1.0.conv1.weight` is the leaf `kernel` of
`layer1.0.conv1`; kernels are stored outputs first there (OIHW, or [out, in]) and last here.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from depthjax.typing import Variables

_LEAVES = {  # torch's name -> (collection, our name); `weight` is a scale where it is a vector
    "weight": ("params", "kernel"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}
IGNORED = ("num_batches_tracked",)  # PyTorch counts batches; nothing reads it in evaluation


def from_torch_state_dict(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The variables that a torchvision state dict holds (float64 stays so only where x64 is on).

    Args:
        state: torchvision's names to arrays in PyTorch's layout.

    Raises:
        ValueError: for a name that is no weight or statistic of ours.
    """
    variables: dict[str, Any] = {}
    for key, array in state.items():
        name, _, leaf = key.rpartition(".")
        if leaf in IGNORED:
            continue
        if leaf not in _LEAVES:
            raise ValueError(f"{key!r} is no weight of a torchvision network: {sorted(_LEAVES)}")
        collection, ours = _LEAVES[leaf]
        if leaf == "weight" and np.ndim(array) == 1:
            ours = "scale"
        variables.setdefault(collection, {}).setdefault(name, {})[ours] = jax.numpy.asarray(
            _outputs_last(np.asarray(array))
        )
    return variables


def to_torch_state_dict(variables: Variables) -> dict[str, np.ndarray]:
    """The way back: torchvision's names to numpy arrays in PyTorch's layout."""
    theirs = {ours: leaf for leaf, (_, ours) in _LEAVES.items()} | {"scale": "weight"}
    return {
        f"{name}.{theirs[leaf]}": _outputs_first(np.asarray(array))
        for collection in variables.values()
        for name, leaves in collection.items()
        for leaf, array in leaves.items()
    }


def _outputs_last(array: np.ndarray) -> np.ndarray:
    """OIHW -> HWIO and [out, in] -> [in, out]; vectors stay."""
    return np.transpose(array, (2, 3, 1, 0)) if array.ndim == 4 else array.T


def _outputs_first(array: np.ndarray) -> np.ndarray:
    """HWIO -> OIHW and [in, out] -> [out, in]; vectors stay."""
    return np.transpose(array, (3, 2, 0, 1)) if array.ndim == 4 else array.T
