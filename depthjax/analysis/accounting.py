"""Why a layer cannot be inverted: what each operation before it loses at a given image, counted.

At an image the network is a graph of linear maps: ReLUs are gates that are open or closed, max
pooling passes on the winners. Tangents change only *active* units: those that some chain of open
gates, winners and weights other than zero joins to a pixel. If a set of operations separates the
input from a layer, the layer's Jacobian is a function of what leaves them, so its rank is at most
the number of their active units: rank J ≤ min over cuts of Σ active units (the smallest cut is the
largest flow: Ford & Fulkerson 1956). Counts are exact; the paper's claim C9 is about them.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from depthjax.analysis.losses import OperationLoss, RankBound, sentence
from depthjax.analysis.smallest_cut import Pipe, smallest_cut
from depthjax.devices.precision import matmul_precision
from depthjax.models.layers import Layer
from depthjax.models.network import INPUT, Node, Operation, needed_nodes, needed_variables
from depthjax.models.operations.description import EveryInput, describe
from depthjax.typing import Images, LayerFn, Variables

__all__ = [
    "OperationLoss",
    "RankBound",
    "account",
    "local_rank_bound",
    "local_rank_bounds",
    "sentence",
]


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
            carried = tuple(active[name] for name in node.inputs)
            if not finite[node.name] and any(map(jnp.any, carried)):  # masks may be infinite
                raise ValueError(
                    f"{node.name} is not finite at this image, so nothing can be counted there;"
                    " check the weights and the pixels, or use float64"
                )
            leaves = {name: held[name].get(node.name, {}) for name in held}
            inputs = tuple(values[name] for name in node.inputs)
            output = jax.ShapeDtypeStruct(values[node.name].shape, values[node.name].dtype)
            operation = _hashable(node.operation)
            reached, counts = _pass(operation, output, leaves, inputs, carried)
            active[node.name] = reached
            entries.append(_entry(node, leaves, inputs, output.shape, jax.device_get(counts)))
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


def _hashable(operation: Operation) -> Operation | None:
    """None, of which nothing is known, for an operation that holds arrays, such as a mask."""
    try:
        hash(operation)
    except TypeError:
        return None
    return operation


class _Counts(NamedTuple):
    active_inputs: tuple[Any, ...]
    reads: tuple[Any, ...]
    active_outputs: Any
    unread: Any


@partial(jax.jit, static_argnums=(0, 1))
def _pass(
    operation: Operation | None,
    output: jax.ShapeDtypeStruct,
    leaves: Any,
    inputs: tuple[Array, ...],
    active: tuple[Array, ...],
) -> tuple[Array, _Counts]:
    """Which outputs are active, as zeros and ones, and what is counted on the way.

    Compiled once for all operations of the same settings and shapes.
    """
    if not inputs:  # a weight: nothing of the image is in it
        nothing = jnp.zeros((), int)
        return jnp.zeros(output.shape), _Counts((), (), nothing, nothing)
    description = describe(operation)
    joins = description.joins(output.shape, leaves)
    # Whole numbers and truth values have no tangents, and are flat.
    inputs = tuple(x if _has_tangents(x) else x.astype(float) for x in inputs)
    active = tuple(carried.astype(x.dtype) for carried, x in zip(active, inputs, strict=True))
    _, reached = jax.jvp(joins, inputs, active)
    reached = ((reached > 0.5) & _has_tangents(output)).astype(reached.dtype)
    _, pull_back = jax.vjp(joins, *inputs)
    read = [
        (back > 0.5) & (carried > 0.5)
        for back, carried in zip(pull_back(reached), active, strict=True)
    ]
    unread = 0
    if description.counts_unread:
        (back,) = pull_back(jnp.ones_like(reached))
        unread = (back < 0.5).sum()
    return reached, _Counts(
        tuple((carried > 0.5).sum() for carried in active),
        tuple(part.sum() for part in read),
        (reached > 0.5).sum(),
        unread,
    )


def _has_tangents(x: Array | jax.ShapeDtypeStruct) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def _entry(
    node: Node,
    leaves: Any,
    inputs: tuple[Array, ...],
    shape: tuple[int, ...],
    counts: _Counts,
) -> _Entry:
    description = describe(_hashable(node.operation))
    loss = OperationLoss(
        name=node.name,
        kind=description.kind,
        inputs=sum(x.size for x in inputs),
        outputs=int(np.prod(shape)),
        stride=description.stride,
        active_inputs=sum(map(int, counts.active_inputs)),
        read=sum(map(int, counts.reads)),
        active_outputs=int(counts.active_outputs),
        unread=int(counts.unread),
        zero_scales=description.zero_scales(leaves, inputs[0].dtype) if inputs else 0,
        counted=not isinstance(description.joins(shape, leaves), EveryInput),
    )
    return _Entry(node, loss, tuple(map(int, counts.reads)))


# -------------------------------------------------------------------------------------- cutting


def _bound(entries: list[_Entry], name: str, inputs: int) -> RankBound:
    # Each operation is two vertices: what goes in may be bounded otherwise than what comes out.
    vertex = {name: 2 * i for i, name in enumerate([INPUT, *(e.node.name for e in entries)])}
    pipes = [Pipe(vertex[INPUT], vertex[INPUT] + 1, inputs)]
    for entry in entries:
        into = vertex[entry.node.name]
        pipes.append(Pipe(into, into + 1, entry.loss.active_outputs))
        for source, read in zip(entry.node.inputs, entry.reads, strict=True):
            pipes.append(Pipe(vertex[source] + 1, into, read))
    rank, cutting = smallest_cut(pipes, 2 * len(vertex))
    cut_vertices = {2 * (pipe.head // 2) for pipe in cutting}
    cut = tuple(name for name, first in vertex.items() if first in cut_vertices)
    return RankBound(name, inputs, entries[-1].loss.outputs, rank, inputs - rank, cut)


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
