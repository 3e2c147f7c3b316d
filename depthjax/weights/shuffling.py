"""Weights without what training put into their order."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from depthjax.models.initializers import Stream
from depthjax.typing import Variables


def shuffled(variables: Variables, seed: int) -> dict[str, Any]:
    """Weights with the entries of each kernel permuted within that kernel.

    A control for trained weights: each kernel keeps all of its values, and nothing of what they
    say together. Biases, scales and the statistics of BatchNorm stay as they are.

    Args:
        variables: of a model.
        seed: of the permutations, which depend on it and on a kernel's name and size alone.
    """
    key = jax.random.key(seed)

    def permuted(path: tuple[Any, ...], leaf: Any) -> Any:
        names = [str(getattr(part, "key", part)) for part in path]
        if names[0] != "params" or names[-1] != "kernel" or leaf.ndim < 2:
            return leaf
        order = Stream(key, "/".join(names)).generator().permutation(leaf.size)
        return jnp.asarray(np.asarray(leaf).reshape(-1)[order].reshape(leaf.shape))

    return jax.tree_util.tree_map_with_path(permuted, dict(variables))
