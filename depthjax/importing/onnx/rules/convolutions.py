"""Convolutions."""

from collections.abc import Sequence
from typing import Any

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, rule
from depthjax.importing.onnx.rules.windows import each, sides
from depthjax.importing.values import Value


@rule("Conv")
def _conv(
    ctx: Context,
    x: Operand,
    kernel: Operand,
    bias: Operand | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    **_: Any,
) -> Value:
    value, weight = ctx.value(x), ctx.needed(kernel, "a kernel")
    offset = ctx.weight(bias, "a bias")
    sizes = weight.shape[2:]
    steps, spread = each(strides, len(sizes)), each(dilations, len(sizes))
    return layers.conv(
        *(ctx.build, ctx.owner(weight, offset), value, weight, offset),
        strides=steps,
        padding=_SAME.get(auto_pad) or sides(auto_pad, pads, value.shape[2:], sizes, steps, spread),
        dilation=spread,
        groups=group,
    )


_SAME = {"SAME_UPPER": "SAME", "SAME_LOWER": "SAME_LOWER"}
"""Paddings that depend on the images' size, by ONNX's and by our word."""


@rule("ConvTranspose")
def _conv_transpose(
    ctx: Context,
    x: Operand,
    kernel: Operand,
    bias: Operand | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    **_: Any,
) -> Value:
    value, weight = ctx.value(x), ctx.needed(kernel, "a kernel")
    offset = ctx.weight(bias, "a bias")
    axes = weight.rank - 2
    steps, spread, more = (
        each(setting, axes, default)
        for setting, default in ((strides, 1), (dilations, 1), (output_padding, 0))
    )
    full = [
        (length - 1) * step + (size - 1) * wide + 1 + extra
        for length, step, size, wide, extra in zip(
            value.shape[2:], steps, weight.shape[2:], spread, more, strict=True
        )
    ]
    if output_shape or auto_pad.startswith("SAME"):
        wanted = output_shape or [n * step for n, step in zip(value.shape[2:], steps, strict=True)]
        padding = [
            _cut(have - want, auto_pad) for have, want in zip(full, wanted[-axes:], strict=True)
        ]
    else:
        padding = sides(auto_pad, pads, value.shape[2:], weight.shape[2:], steps, spread)
    made = layers.conv_transpose(
        *(ctx.build, ctx.owner(weight, offset), value, weight, offset),
        strides=steps,
        padding=padding,
        output_padding=more,
        dilation=spread,
        groups=group,
    )
    for axis in range(2, value.rank) if output_shape else ():
        ctx.build.hold(made, axis)
    return made


def _cut(total: int, auto_pad: str) -> tuple[int, int]:
    """How much is cut off at both ends; the odd one as ONNX's formula says."""
    if auto_pad == "SAME_UPPER":
        return total // 2, total - total // 2
    return total - total // 2, total // 2
