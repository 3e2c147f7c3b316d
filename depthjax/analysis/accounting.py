"""Why a layer cannot be inverted: what each operation before it loses at a given image, counted.

At an image the network is a graph of linear maps: ReLUs are gates that are open or closed, max
pooling passes on the winners. Tangents change only *active* units: those that some chain of open
gates, winners and weights other than zero joins to a pixel. If a set of operations separates the
input from a layer, the layer's Jacobian is a function of what leaves them, so its rank is at most
the number of their active units: rank J ≤ min over cuts of Σ active units (the smallest cut is the
largest flow: Ford & Fulkerson 1956). Counts are exact; the paper's claim C9 is about them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from depthjax.devices.precision import matmul_precision
from depthjax.models.layers import Layer
from depthjax.models.network import INPUT, Node, Operation, needed_nodes, needed_variables
from depthjax.models.operations import (
    AdaptiveAveragePool,
    Linear,
    MaxPool,
    add,
    flatten,
    global_average,
    relu,
)
from depthjax.typing import Images, LayerFn, Variables


class OperationLoss(NamedTuple):
    """What one operation does to the elements of one image's activations.

    Fields:
        name: of the operation, as in `layer_names(model, sublayers=True)`.
        kind: "conv", "linear", "batch norm", "relu", "max pool", "average pool", "add", "flatten",
            "dropout" or "other".
        inputs, outputs: elements before and after it; both summands count for an "add".
        stride: of convolutions and max pooling, else 1.
        active_inputs: input elements that some pixel can change.
        read: those of them on which an active output depends: distinct winners, open gates.
        active_outputs: output elements that some pixel can change.
        losers: of max pooling, input elements that are the maximum of no window; where values tie
            only the first in row-major order is the maximum, as PyTorch has it.
        closed: of ReLU, gates whose input is at most 0.
        zero_scales: of BatchNorm, channels whose |scale| / √(var + ε) is at most the dtype's
            epsilon times the largest. Only those of exactly 0 count as inactive.
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    stride: int
    active_inputs: int
    read: int
    active_outputs: int
    losers: int
    closed: int
    zero_scales: int

    @property
    def lost(self) -> int:
        """Dimensions of its active input that it certainly maps to 0."""
        return self.active_inputs - min(self.read, self.active_outputs)


class RankBound(NamedTuple):
    """How many directions of the input can reach a layer at an image.

    Fields:
        layer: its name.
        inputs: n, the elements of the image.
        outputs: the elements of the embedding.
        rank: an upper bound on the rank of the layer's Jacobian.
        nullity: n − rank, a lower bound on the dimension of what the layer cannot see.
        cut: the operations that let no more than `rank` through, in depth order; of several such
            sets the one nearest to the input. `("input",)` if every direction may pass.
    """

    layer: str
    inputs: int
    outputs: int
    rank: int
    nullity: int
    cut: tuple[str, ...]


def account(
    layer: Layer | LayerFn, variables: Variables, image: ArrayLike
) -> tuple[OperationLoss, ...]:
    """What each operation on the way to a layer loses at an image, in depth order.

    Args:
        layer: a `Layer`; its name says where to stop.
        variables: of its model.
        image: `[H, W, C]`, floating, pixels in [0, 1]; counted in its dtype, float32 or float64.

    Returns:
        A row for each operation that the layer depends on, itself included.

    Raises:
        ValueError: for functions that are no `Layer`, which have no graph to read; for images of
            another shape or dtype, or that the weights do not fit; where activations overflow.
    """
    return tuple(entry.loss for entry in _survey(_as_layer(layer), variables, image))


def local_rank_bound(layer: Layer | LayerFn, variables: Variables, image: ArrayLike) -> RankBound:
    """The smallest number of active units over all cuts between the input and a layer.

    It bounds rank J from above at this image, and n − rank J, the dimension of the changes that
    the layer does not see to first order, from below. A cut takes an operation as a whole: where
    a layer sees but some positions of an earlier one (after strides) the bound is not always tight.
    It says which units are joined, not how strongly: most of the rank may be singular values too
    small to use.

    Args:
        layer, variables, image: as in `account`.

    Raises:
        ValueError: as `account`.
    """
    layer = _as_layer(layer)
    entries = _survey(layer, variables, image)
    return _bound(entries, layer.name, np.size(image))


def local_rank_bounds(
    layer: Layer | LayerFn, variables: Variables, image: ArrayLike
) -> tuple[RankBound, ...]:
    """`local_rank_bound` of every operation on the way to a layer, for the price of one.

    Args:
        layer, variables, image: as in `account`.

    Returns:
        A bound for each row of `account`, under the operation's name.

    Raises:
        ValueError: as `account`.
    """
    layer = _as_layer(layer)
    entries = {entry.node.name: entry for entry in _survey(layer, variables, image)}
    bounds = []
    for name in entries:
        before = [entries[node.name] for node in needed_nodes(layer.model, name)]
        bounds.append(_bound(before, name, np.size(image)))
    return tuple(bounds)


def sentence(loss: OperationLoss | RankBound) -> str:
    """What an operation loses, or what can pass a layer, in words.

    >>> sentence(RankBound("layer4", 3072, 2048, 1024, 2048, ("layer4.1",)))
    'at most 1,024 of 3,072 input directions can pass layer4: the cut is layer4.1'
    """
    if isinstance(loss, RankBound):
        if loss.nullity == 0:
            return f"all {loss.inputs:,} input directions may pass {loss.layer}: no cut is smaller"
        return (
            f"at most {loss.rank:,} of {loss.inputs:,} input directions can pass {loss.layer}:"
            f" the cut is {' and '.join(loss.cut)}"
        )
    kept = f"{min(loss.read, loss.active_outputs):,} of {loss.active_inputs:,} active values"
    match loss.kind:
        case "max pool":
            return f"{loss.name} keeps {kept}"
        case "relu":
            return f"{loss.name} closes {loss.closed:,} of {loss.inputs:,} gates and keeps {kept}"
        case "batch norm" if loss.zero_scales:
            return f"{loss.name} scales {loss.zero_scales:,} channels by nearly 0 and keeps {kept}"
        case "batch norm" | "dropout" | "flatten":
            return f"{loss.name} keeps all {loss.active_inputs:,} active values"
    verb = "sums" if loss.kind == "add" else "maps"
    what = f"{loss.name} {verb} {loss.active_inputs:,} active values to {loss.active_outputs:,}"
    if loss.read < loss.active_inputs:
        what += f", reads {loss.read:,} of them"
    return f"{what} and loses at least {loss.lost:,} directions" if loss.lost else what


# ------------------------------------------------------------------------------------ counting


class _Entry(NamedTuple):
    """An operation, its row, and how many active units of each of its inputs it reads."""

    node: Node
    loss: OperationLoss
    reads: tuple[int, ...]


def _survey(layer: Layer, variables: Variables, image: ArrayLike) -> list[_Entry]:
    images = _checked(layer, image)
    held = needed_variables(layer.model, layer.node, variables)
    with matmul_precision():
        values, finite = _evaluate(layer, held, images)
        active = {INPUT: jnp.ones_like(images)}
        entries = []
        for node in needed_nodes(layer.model, layer.node):
            if not finite[node.name]:
                raise ValueError(
                    f"{node.name} is not finite at this image, so nothing can be counted there;"
                    " check the weights and the pixels, or use float64"
                )
            leaves = {name: held[name].get(node.name, {}) for name in held}
            inputs = tuple(values[name] for name in node.inputs)
            carried = tuple(active[name] for name in node.inputs)
            shape = values[node.name].shape
            reached, counts = _pass(node.operation, shape, leaves, inputs, carried)
            active[node.name] = reached
            entries.append(_entry(node, leaves, inputs, shape, jax.device_get(counts)))
    return entries


@partial(jax.jit, static_argnums=0)
def _evaluate(
    layer: Layer, variables: Variables, images: Images
) -> tuple[dict[str, Array], dict[str, Array]]:
    """All activations on the way to the layer by name, and whether each is finite."""
    pixels = layer.normalization(images) if layer.normalization else images
    _, values = layer.model.apply(variables, pixels, until=layer.node)
    return {INPUT: pixels, **values}, {
        name: jnp.isfinite(value).all() for name, value in values.items()
    }


class _Counts(NamedTuple):
    active_inputs: tuple[Any, ...]
    reads: tuple[Any, ...]
    active_outputs: Any
    unread: Any  # of ReLU and max pooling: elements on which no output depends, active or not


@partial(jax.jit, static_argnums=(0, 1))
def _pass(
    operation: Operation,
    shape: tuple[int, ...],
    leaves: Any,
    inputs: tuple[Array, ...],
    active: tuple[Array, ...],
) -> tuple[Array, _Counts]:
    """Which outputs are active, as zeros and ones, and what is counted on the way.

    Compiled once for all operations of the same settings and shapes.
    """
    joins = _joins(operation, shape, leaves)
    active = tuple(carried.astype(x.dtype) for carried, x in zip(active, inputs, strict=True))
    _, reached = jax.jvp(joins, inputs, active)
    reached = (reached > 0.5).astype(reached.dtype)
    _, pull_back = jax.vjp(joins, *inputs)
    read = [
        (back > 0.5) & (carried > 0.5)
        for back, carried in zip(pull_back(reached), active, strict=True)
    ]
    unread = 0
    if _kind(operation) in ("relu", "max pool"):
        (back,) = pull_back(jnp.ones_like(reached))
        unread = (back < 0.5).sum()
    return reached, _Counts(
        tuple((carried > 0.5).sum() for carried in active),
        tuple(part.sum() for part in read),
        (reached > 0.5).sum(),
        unread,
    )


def _joins(operation: Any, shape: tuple[int, ...], leaves: Any) -> Callable[..., Array]:
    """A function whose derivative counts the ways from each input to each output.

    That is the operation with 1 for every weight other than 0. What is not known here joins
    everything: the bound stays one.
    """
    params = leaves.get("params", {})
    match _kind(operation):
        case "relu" | "max pool" | "add" | "flatten":
            return operation  # weights are 0 and 1 already
        case "average pool":
            return lambda x: operation(x) * (x.shape[1] * x.shape[2])  # at least 1 where joined
        case "conv":
            plain = operation.clone(use_bias=False, parent=None)
            return lambda x: plain.apply({"params": {"kernel": _ones(params["kernel"], x)}}, x)
        case "linear":
            return lambda x: x @ _ones(params["kernel"], x)
        case "batch norm" if "scale" in params:
            return lambda x: x * jnp.broadcast_to(_ones(params["scale"], x), x.shape)
        case "batch norm" | "dropout":
            return lambda x: x
    return lambda *inputs: jnp.broadcast_to(sum(x.sum() for x in inputs), shape)


def _ones(weights: Array, like: Array) -> Array:
    return (weights != 0).astype(like.dtype)


def _entry(
    node: Node,
    leaves: Any,
    inputs: tuple[Array, ...],
    shape: tuple[int, ...],
    counts: _Counts,
) -> _Entry:
    kind = _kind(node.operation)
    unread = int(counts.unread)
    loss = OperationLoss(
        name=node.name,
        kind=kind,
        inputs=sum(x.size for x in inputs),
        outputs=int(np.prod(shape)),
        stride=_stride(node.operation),
        active_inputs=sum(map(int, counts.active_inputs)),
        read=sum(map(int, counts.reads)),
        active_outputs=int(counts.active_outputs),
        losers=unread if kind == "max pool" else 0,
        closed=unread if kind == "relu" else 0,
        zero_scales=_zero_scales(node.operation, leaves, inputs[0].dtype),
    )
    return _Entry(node, loss, tuple(map(int, counts.reads)))


_KINDS: tuple[tuple[type, str], ...] = (
    (nn.Conv, "conv"),
    (Linear, "linear"),
    (nn.Dense, "linear"),
    (nn.BatchNorm, "batch norm"),
    (nn.Dropout, "dropout"),
    (MaxPool, "max pool"),
    (AdaptiveAveragePool, "average pool"),
)
_FUNCTIONS = {relu: "relu", add: "add", flatten: "flatten", global_average: "average pool"}


def _kind(operation: Any) -> str:
    for made_by, kind in _KINDS:
        if isinstance(operation, made_by):
            return kind
    return _FUNCTIONS.get(operation, "other")


def _stride(operation: Operation) -> int:
    strides = getattr(operation, "strides", 1)
    return int(strides if isinstance(strides, int) else (strides or (1,))[0])


def _zero_scales(operation: Operation, leaves: Any, dtype: Any) -> int:
    scale = leaves.get("params", {}).get("scale")
    if not isinstance(operation, nn.BatchNorm) or scale is None:
        return 0
    variance = np.asarray(leaves["batch_stats"]["var"])
    gain = np.abs(np.asarray(scale)) / np.sqrt(variance + operation.epsilon)
    return int((gain <= jnp.finfo(dtype).eps * gain.max()).sum())


# -------------------------------------------------------------------------------------- cutting


def _bound(entries: list[_Entry], name: str, inputs: int) -> RankBound:
    rank, cut = _smallest_cut(entries, inputs)
    return RankBound(name, inputs, entries[-1].loss.outputs, rank, inputs - rank, cut)


def _smallest_cut(entries: list[_Entry], inputs: int) -> tuple[int, tuple[str, ...]]:
    """The units in the smallest cut before the last entry, and the operations that make it."""
    names = [INPUT, *(entry.node.name for entry in entries)]
    # Each operation is two vertices: what goes in may be bounded otherwise than what comes out.
    vertex = {name: 2 * position for position, name in enumerate(names)}
    edges = [(vertex[INPUT], vertex[INPUT] + 1, inputs)]
    for entry in entries:
        into = vertex[entry.node.name]
        edges.append((into, into + 1, entry.loss.active_outputs))
        for source, read in zip(entry.node.inputs, entry.reads, strict=True):
            edges.append((vertex[source] + 1, into, read))
    tails, heads, capacities = np.array(edges, np.int32).T
    count = 2 * len(names)
    graph = csr_array((capacities, (tails, heads)), shape=(count, count))
    flow = maximum_flow(graph, 0, count - 1)
    left = csr_array(graph - flow.flow)
    left.eliminate_zeros()
    near = set(breadth_first_order(left, 0, return_predecessors=False).tolist())
    cut = {names[head // 2] for tail, head, _ in edges if tail in near and head not in near}
    return int(flow.flow_value), tuple(name for name in names if name in cut)


# ------------------------------------------------------------------------------------- checking


def _as_layer(layer: Layer | LayerFn) -> Layer:
    if not isinstance(layer, Layer):
        raise ValueError(
            f"operations are read off the graph of a depthjax.Layer, and {layer!r:.80} has none;"
            " give Layer(model, name)"
        )
    if layer.from_layer:
        raise ValueError(
            f"operations are counted from the image on, not from {layer.from_layer}; give"
            f" Layer(model, {layer.name!r})"
        )
    return layer


def _checked(layer: Layer, image: ArrayLike) -> Images:
    """The image as a batch of one."""
    pixels = jnp.asarray(image)
    channels = getattr(layer.model, "channels", None)
    fits = pixels.ndim == 3 and channels in (None, pixels.shape[-1]) and pixels.size
    if not fits or not jnp.issubdtype(pixels.dtype, jnp.floating):
        raise ValueError(
            f"losses are counted at one image [height, width, {channels or 'channels'}] of floating"
            f" pixels in [0, 1], got {pixels.dtype} of shape {pixels.shape}; give one image of a"
            " batch, uint8 divided by 255"
        )
    return pixels[None]
