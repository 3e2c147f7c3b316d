"""What the accounting says of single operations, against their dense Jacobians."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax.analysis.accounting import account, local_rank_bound, sentence
from depthjax.compat import enable_x64
from depthjax.models import Network
from depthjax.models.layers import Layer
from depthjax.models.network import INPUT, GraphBuilder, Node
from depthjax.models.operations import (
    GELU,
    Arithmetic,
    Attention,
    Concatenate,
    Elementwise,
    Pad,
    Parameter,
    Reduce,
    Reshape,
    Slice,
    Softmax,
    Take,
    Transpose,
    Where,
)
from depthjax.models.operations.elementwise import FUNCTIONS
from depthjax.models.operations.parameter import constant

SHAPE = (3, 4, 2)
SETTINGS = {
    "clip": (-0.5, 0.7),
    "cast": ("float64",),
    "threshold": (0.3, 2.0),
    "hard_tanh": (0.0, 6.0),
}
OF_TRUTHS_OR_WHOLE_NUMBERS = ("isfinite", "isinf", "isnan", "logical_not", "bitwise_not")
POSITIVE = ("log", "log10", "log2", "log1p", "sqrt", "rsqrt", "arccosh")
WITHIN_ONE = ("arccos", "arcsin", "arctanh")
OPERATIONS = {
    **{
        name: Elementwise(name, SETTINGS.get(name, ()))
        for name in FUNCTIONS
        if name not in OF_TRUTHS_OR_WHOLE_NUMBERS
    },
    **{f"reduce {name}": Reduce(name, (1, 2)) for name in ("mean", "sum", "max", "min", "l2")},
    "larger": Arithmetic("maximum", 0.2),
    "smaller": Arithmetic("minimum", 0.2),
    "times": Arithmetic("multiply", -3.0),
    "power": Arithmetic("power", 2.0),
    "gelu": GELU(),
    "softmax": Softmax(-1),
    "crop": Slice(1, 1, None),
    "taken": Take(2, (3, 0, 0)),
    "edges": Pad(((0, 0), (1, 2), (0, 0), (0, 0)), "edge"),
    "padded": Pad(((0, 0), (1, -1), (0, 0), (0, 0)), "constant", 3.0),
    "turned": Transpose((0, 3, 1, 2)),
    "rows": Reshape((12, 2)),
}


@pytest.fixture(autouse=True, scope="module")
def _float64():
    with enable_x64(True):
        yield


class Nodes(Network):
    nodes: tuple[Node, ...] = ()

    def graph(self):
        return self.nodes


def chain(operation):
    return Layer(Nodes((Node("op", operation, (INPUT,)),)), "op")


def jacobian(layer, variables, image):
    """`[outputs, inputs]`."""
    found = jax.jit(jax.jacrev(lambda x: layer(variables, x[None])))(jnp.asarray(image))
    return np.asarray(found).reshape(-1, image.size)


def image_for(name):
    image = np.random.default_rng(0).normal(size=SHAPE)
    if name in POSITIVE:
        return np.abs(image) + 1.1
    return np.tanh(image) * 0.9 if name in WITHIN_ONE else 2 * image


@pytest.mark.parametrize("name", OPERATIONS)
def test_counts_are_those_of_the_dense_jacobian(name):
    layer, image = chain(OPERATIONS[name]), image_for(name)
    (row,) = account(layer, {}, image)
    found = jacobian(layer, {}, image) != 0
    assert row.counted
    assert row.active_outputs == found.any(1).sum()
    assert row.read == found.any(0).sum()
    assert str(min(row.read, row.active_outputs)) in sentence(row) or not row.lost


def test_some_of_these_are_flat_somewhere():
    for name in ("clip", "hard_swish", "larger", "reduce max"):
        (row,) = account(chain(OPERATIONS[name]), {}, image_for(name))
        assert 0 < row.read < row.active_inputs
    for name in ("sign", "floor"):
        (row,) = account(chain(OPERATIONS[name]), {}, image_for(name))
        assert row.active_outputs == 0


class Masked(Network):
    """Masks of truth values, weights that are activations, infinite constants, two branches."""

    def graph(self):
        net = GraphBuilder()
        x = net("conv", nn.Conv(3, (2, 2), parent=None), INPUT)
        mask = net("mask", Arithmetic("greater", 0.0), x)
        other = net("other", Parameter((1, 1, 3), parent=None))
        x = net("where", Where(), mask, x, other)
        number = net("number", Reduce("argmax", (3,)), x)
        tokens = net("tokens", Reshape((12, 3)), x)
        unseen = np.triu(np.full((12, 12), -np.inf), 1)
        causal = net("causal", constant(unseen))
        x = net("attention", Attention(), tokens, tokens, tokens, causal)
        scale = net("scale", Reshape((12,)), number)
        scale = net("cast", Elementwise("cast", ("float64",)), scale)
        scale = net("column", Reshape((12, 1)), scale)
        x = net("scaled", Arithmetic("multiply"), x, scale)
        net("both", Concatenate(2), x, tokens)
        return tuple(net.nodes)


def test_whole_numbers_masks_and_weights_among_activations():
    model = Masked()
    image = np.random.default_rng(1).normal(size=SHAPE)
    variables = model.init(jax.random.key(0), jnp.asarray(image)[None])
    layer = Layer(model, "both")
    rows = {row.name: row for row in account(layer, variables, image)}
    chosen = np.asarray(Layer(model, "conv")(variables, jnp.asarray(image)[None])) > 0
    assert 0 < chosen.sum() < chosen.size
    assert rows["where"].active_outputs == chosen.sum()
    assert [rows[name].active_outputs for name in ("mask", "number", "cast", "causal")] == [0] * 4
    for name in rows.keys() - {"mask", "number", "scale"}:
        found = jacobian(Layer(model, name), variables, image)
        bound = local_rank_bound(Layer(model, name), variables, image)
        assert np.linalg.matrix_rank(found) <= bound.rank <= image.size
        assert rows[name].active_outputs >= (found != 0).any(1).sum()


def test_what_is_not_counted_says_so():
    image = np.random.default_rng(0).normal(size=SHAPE)
    (row,) = account(chain(jnp.tanh), {}, image)
    assert not row.counted
    assert "is not counted: each of its 24 active values" in sentence(row)
    norm = nn.LayerNorm(reduction_axes=(-2, -1), feature_axes=-1, parent=None)
    layer = chain(norm)
    variables = layer.model.init(jax.random.key(0), jnp.asarray(image)[None])
    (row,) = account(layer, variables, image)
    assert not row.counted
