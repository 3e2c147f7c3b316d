"""Convolutions as matrix products, which compile and run faster than XLA's own of float64."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax


def as_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks convolve by products meanwhile: XLA's CPU backend has plain loops for float64."""
    monkeypatch.setattr(lax, "conv_general_dilated", _product)


def _product(
    images: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Any,
    *,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
) -> jax.Array:
    """`lax.conv_general_dilated` of `[B, H, W, C]` and `[kh, kw, C / groups, O]`."""
    assert set(lhs_dilation or ()) <= {1} and set(rhs_dilation or ()) <= {1}
    down, right, inputs, outputs = kernel.shape
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(images.shape[1:3], (down, right), strides, padding)
    images = jnp.pad(images, ((0, 0), *padding, (0, 0)))
    rows, columns = (
        (size - taps) // stride + 1
        for size, taps, stride in zip(images.shape[1:3], (down, right), strides, strict=True)
    )
    windows = [
        images[
            :,
            row : row + (rows - 1) * strides[0] + 1 : strides[0],
            column : column + (columns - 1) * strides[1] + 1 : strides[1],
        ]
        for row, column in itertools.product(range(down), range(right))
    ]
    groups = feature_group_count
    patches = jnp.stack(windows, -2).reshape(-1, rows, columns, down * right, groups, inputs)
    if groups == 1:
        patches = patches.reshape(-1, rows, columns, down * right * inputs)
        return patches @ kernel.reshape(-1, outputs)
    kernels = kernel.reshape(down * right, inputs, groups, outputs // groups)
    together = jnp.einsum("bhwtgi,tigo->bhwgo", patches, kernels)
    return together.reshape(*together.shape[:3], outputs)
