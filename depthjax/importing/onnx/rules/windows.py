"""The windows of convolutions and poolings, as ONNX writes them."""

from collections.abc import Sequence

from depthjax.errors import one_of

Sides = list[tuple[int, int]]


def each(value: Sequence[int] | None, axes: int, default: int = 1) -> tuple[int, ...]:
    """A setting for each axis."""
    return tuple(value) if value else (default,) * axes


def sides(
    auto_pad: str,
    pads: Sequence[int] | None,
    lengths: Sequence[int],
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Sides:
    """(before, after) for each axis.

    Args:
        auto_pad: ONNX's word for the padding.
        pads: all befores, then all afters; if `auto_pad` does not say it.
        lengths: of the image.
        sizes, strides, dilations: of the windows.
    """
    axes = len(sizes)
    one_of("auto_pad", auto_pad, ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
    if auto_pad == "NOTSET":
        given = pads or (0,) * (2 * axes)
        return [(given[i], given[axes + i]) for i in range(axes)]
    if auto_pad == "VALID":
        return [(0, 0)] * axes
    found = []
    for length, size, stride, dilation in zip(lengths, sizes, strides, dilations, strict=True):
        windows = -(-length // stride)
        total = max(0, (windows - 1) * stride + (size - 1) * dilation + 1 - length)
        small, large = total // 2, total - total // 2
        found.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return found
