"""Small weights of which no two are equal, and weights by their names."""

import jax
import numpy as np

import depthjax
from depthjax.models.catalogue import find_model

FIELDS = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3}
"""Of a small ResNet-18."""


def drawn_weights():
    """A model, and weights of which no two are equal."""
    found = find_model("resnet18", FIELDS)
    variables = depthjax.init_variables(found.model, jax.random.key(5), 16)
    random = np.random.default_rng(0)
    return found, jax.tree.map(lambda x: x + np.float32(random.uniform(0, 0.1, x.shape)), variables)


def leaves(variables):
    """Each array by its path."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables)
    }
