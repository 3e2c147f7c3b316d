"""Attention (opset 23); what goes beyond the plain form is computed as the standard writes it."""

from typing import Any

import numpy as np

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, rule
from depthjax.importing.values import Value

_PLAIN = ("scale", "is_causal", "q_num_heads", "kv_num_heads", "softmax_precision")


@rule("Attention", since=23)
def _attention(
    ctx: Context,
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Operand | None = None,
    *caches: Operand | None,
    is_causal: int = 0,
    scale: float | None = None,
    q_num_heads: int = 0,
    kv_num_heads: int = 0,
    **more: Any,
) -> Any:
    plain = all(name in _PLAIN or not value for name, value in more.items())
    cached = any(cache is not None for cache in caches) or ctx.outputs > 1
    queries = _heads(ctx, q, q_num_heads)
    keys, values = _heads(ctx, k, kv_num_heads), _heads(ctx, v, kv_num_heads)
    grouped = queries.shape[1] != keys.shape[1]
    added = mask is None or (_is_floating(mask) and mask.shape[-1] == keys.shape[-2])
    if not plain or cached or grouped or not added:
        return NotImplemented
    made = layers.attention(
        *(ctx.build, ctx.name, queries, keys, values, mask), scale, bool(is_causal)
    )
    if q.rank == 4:
        return made
    turned = ctx.build.transpose(made, (0, 2, 1, 3))
    n, length, count, width = turned.shape
    return ctx.build.reshape(ctx.name, turned, (n, length, count * width))


def _is_floating(operand: Operand) -> bool:
    dtype = operand.dtype if isinstance(operand, Value) else operand.array.dtype
    return np.dtype(dtype).kind == "f"


def _heads(ctx: Context, x: Operand, count: int) -> Value:
    """`[batch, heads, positions, channels]`."""
    value = ctx.value(x)
    if value.rank == 4:
        return value
    n, length, width = value.shape
    split = ctx.build.reshape(ctx.name, value, (n, length, count, width // count))
    return ctx.build.transpose(split, (0, 2, 1, 3))
