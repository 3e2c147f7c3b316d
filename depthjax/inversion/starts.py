"""Images that descents start from, drawn by kind."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from depthjax.errors import one_of
from depthjax.typing import Images

STARTS = ("gaussian", "flat", "uniform", "pink", "image")
"""Kinds of starting images, see `draw_start`."""


def draw_start(
    key: Array,
    kind: str,
    shape: tuple[int, ...],
    *,
    mean: float = 0.7,
    std: float = 0.05,
    others: Array | None = None,
    shift: int = 0,
    dtype: jnp.dtype | type = jnp.float32,
) -> Images:
    """Starting images `[B, H, W, C]`, not clipped.

    Args:
        key: a `jax.random.key`.
        kind: "gaussian" (independent N(mean, std²) in each element, the paper's), "flat" (`mean`
            everywhere), "uniform" on [0, 1], "pink" (1/f noise of that mean and std), "image"
            (another of `others`), or several joined by `+`: their average.
        shape: `(B, H, W, C)`.
        mean, std: of the Gaussian and pink starts.
        others: images to start from, `[K, H, W, C]` with K ≥ 2: the targets, and more after them
            if you like. Example b starts from another image than image b.
        shift: which other image, so that restarts differ.
        dtype: of the result.

    Raises:
        ValueError: for an unknown kind, or "image" without another image.
    """
    kinds = kind.split("+")
    keys = jax.random.split(key, len(kinds))

    def draw_kind(key: Array, kind: str) -> Images:
        one_of("start", kind, STARTS)
        if kind == "flat":
            return jnp.full(shape, mean, dtype)
        if kind == "uniform":
            return jax.random.uniform(key, shape, dtype)
        if kind == "image":
            return _another_image(shape, others, shift).astype(dtype)
        noise = jax.random.normal(key, shape, dtype)
        return mean + std * (_pink(noise) if kind == "pink" else noise)

    starts = [draw_kind(key, kind) for key, kind in zip(keys, kinds, strict=True)]
    return sum(starts[1:], start=starts[0]) / len(starts)


def _pink(noise: Images) -> Images:
    """White noise to noise whose amplitude falls as 1/frequency; mean 0, std 1 in each image."""
    height, width = noise.shape[1:3]
    radius = jnp.hypot(jnp.fft.fftfreq(height)[:, None], jnp.fft.rfftfreq(width)[None])
    falloff = jnp.where(radius > 0, 1 / jnp.where(radius > 0, radius, 1), 0)
    spectrum = jnp.fft.rfft2(noise, axes=(1, 2)) * falloff[None, :, :, None]
    pink = jnp.fft.irfft2(spectrum, s=(height, width), axes=(1, 2)).astype(noise.dtype)
    spread = pink.std((1, 2, 3), keepdims=True)
    return jnp.where(spread > 0, pink / jnp.where(spread > 0, spread, 1), noise)


def _another_image(shape: tuple[int, ...], others: Array | None, shift: int) -> Array:
    count = 0 if others is None else others.shape[0]
    if others is None or count < 2:
        raise ValueError(
            f"a start of kind 'image' needs at least 2 images to start from, got {count}; give"
            " more images or another start"
        )
    if others.shape[1:] != shape[1:]:
        raise ValueError(f"images to start from are {others.shape[1:]}, the targets {shape[1:]}")
    batch = jnp.arange(shape[0])
    return others[(batch + 1 + shift % (count - 1)) % count]
