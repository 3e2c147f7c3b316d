"""What an importer knows of a tensor of the source: where its axes lie in our activation.

The source (PyTorch, ONNX) has a batch of one image and channels first. Here an activation has a
leading axis for the batch, and the other axes of the source in any order, most often channels last:

    source [1, C, H, W]     order (2, 3, 1)     stored [B, H, W, C]

So a transposition of the source computes nothing: it is another `order`. Axes of size 1 may be left
out of `order`; the batch's own is, as long as nothing else is known.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Shape = tuple[int, ...]
Order = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor of the source that some node of our graph computes.

    Fields:
        node: the node's name, or `network.INPUT`.
        shape: in the source, for a batch of one image.
        order: the axis of the source that each stored axis is, after the batch.
        dtype: NumPy's name.
        batched: whether it depends on the images; if not, the stored batch has size 1.
    """

    node: str
    shape: Shape
    order: Order
    dtype: str
    batched: bool = True

    @property
    def rank(self) -> int:
        """The number of axes in the source."""
        return len(self.shape)

    @property
    def stored(self) -> Shape:
        """The shape of the activation, without the batch."""
        return tuple(self.shape[axis] for axis in self.order)

    def place(self, axis: int) -> int | None:
        """The axis of the activation that an axis of the source is; None if it is left out."""
        return 1 + self.order.index(axis) if axis in self.order else None

    def permuted(self, order: Order) -> "Value":
        """The source's tensor with its axes in another order; nothing is computed."""
        moved = tuple(order.index(axis) for axis in self.order)
        return replace(self, shape=tuple(self.shape[axis] for axis in order), order=moved)

    def aligned(self, rank: int) -> "Value":
        """With axes of size 1 before it, as broadcasting adds them."""
        more = rank - self.rank
        order = tuple(axis + more for axis in self.order)
        return replace(self, shape=(1,) * more + self.shape, order=order)


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor of the source that is known while importing: a weight, a constant, or made of them.

    Fields:
        array: the numbers.
        weight: the source's name of it, if it is a weight as it stands.
        lower: makes it a value that is computed from the weights, if it was computed of some.
    """

    array: np.ndarray
    weight: str | None = None
    lower: Callable[[], Value] | None = None

    @property
    def shape(self) -> Shape:
        """Of the array."""
        return self.array.shape

    @property
    def rank(self) -> int:
        """The number of axes."""
        return self.array.ndim


def channels_last(rank: int) -> Order:
    """The order of an image-like tensor `[batch, channels, *sizes]`, and of `[batch, channels]`."""
    return (*range(2, rank), 1)


def used(order: Order, shape: Shape) -> Order:
    """The order without axes of size 1."""
    return tuple(axis for axis in order if shape[axis] != 1)


def matched_groups(old: Shape, new: Shape) -> list[tuple[Order, Order]] | None:
    """Which axes of a shape become which of another, where a tensor is reshaped row by row.

    Axes of size 1 belong to no group. None if the shapes have different numbers of elements.

    >>> matched_groups((1, 6, 4, 5), (1, 2, 3, 20))
    [((1,), (1, 2)), ((2, 3), (3,))]
    """
    if math.prod(old) != math.prod(new):
        return None
    left = [axis for axis, size in enumerate(old) if size != 1]
    right = [axis for axis, size in enumerate(new) if size != 1]
    groups = []
    while left and right:
        before, after = [left.pop(0)], [right.pop(0)]
        while (a := math.prod(old[i] for i in before)) != (b := math.prod(new[i] for i in after)):
            if a < b:
                before.append(left.pop(0))
            else:
                after.append(right.pop(0))
        groups.append((tuple(before), tuple(after)))
    return groups
