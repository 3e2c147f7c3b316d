"""A small network as an importer makes them, with its weights; no source is needed for it."""

import flax.linen as nn
import jax
import numpy as np

import depthjax
from depthjax.importing.network import Graph, ImportedNetwork
from depthjax.importing.values import Value
from depthjax.models.network import INPUT, GraphBuilder
from depthjax.models.operations import (
    GELU,
    Arithmetic,
    BatchNorm,
    Elementwise,
    MaxPool,
    Pad,
    Parameter,
    Reduce,
    Reshape,
    add,
    relu,
)
from depthjax.models.operations.parameter import constant


def small_import(*, size=8, any_size=False):
    """A network with constants, parameters, infinite settings and names with slashes; weights."""
    net = GraphBuilder()
    x = net("stem/conv", nn.Conv(4, (3, 3), padding=((1, 1), (1, 1)), parent=None), INPUT)
    x = net("stem/norm", BatchNorm(momentum=0.9, epsilon=1e-3, parent=None), x)
    x = net("stem", relu, x)
    x = net("pad", Pad(((0, 0), (1, 0), (1, 0), (0, 0)), "constant", -np.inf), x)
    x = net("pool", MaxPool((2, 2), (2, 2)), x)
    x = net("clip", Elementwise("clip", (-1.0, np.inf)), x)
    scale = net("gamma", Parameter((1, 1, 4), parent=None))
    shift = net("shift", constant(np.asarray([[[0.5, -1.0, 2.0, 0.0]]], np.float32)))
    x = net("scaled", Arithmetic("multiply"), x, scale)
    x = net("shifted", add, x, shift)
    x = net("act", GELU(), x)
    if not any_size:
        x = net("rows", Reshape(((size // 2) ** 2, 4)), x)
    x = net("mean", Reduce("mean", (1,) if not any_size else (1, 2)), x)
    net("head", nn.Dense(3, parent=None), x)
    graph = Graph(
        source="hand:small",
        nodes=tuple(net.nodes),
        aliases=(("block", "act"),),
        stages=("stem", "block", "head"),
        image_shape=(size, size, 3),
        any_size=any_size,
        weights=(("stem/conv", "kernel", "stem.0.weight"),),
        values=(("stem", Value("stem", (1, 4, size, size), (2, 3, 1), "float32")),),
    )
    model = ImportedNetwork(graph)
    variables = depthjax.init_variables(model, jax.random.key(3), size)
    random = np.random.default_rng(0)
    drawn = jax.tree.map(lambda x: np.float32(random.uniform(0.5, 1.5, x.shape)), variables)
    return model, jax.tree.map(jax.numpy.asarray, drawn)
