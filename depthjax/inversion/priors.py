"""What is assumed of images: where a descent starts, how it is smoothed, what pixels may be."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.errors import one_of
from depthjax.typing import Images, PerExample

PIXEL_HANDLING = ("none", "clip", "penalty")
STARTS = ("gaussian", "flat", "uniform", "pink", "image")


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
        others: images to start from, `[K, H, W, C]` with K ≥ 2, the targets themselves or with
            more behind them: example b starts from one that is not image b.
        shift: which other image, so that restarts differ.
        dtype: of the result.

    Raises:
        ValueError: for an unknown kind, or "image" without another image.
    """
    kinds = kind.split("+")
    keys = jax.random.split(key, len(kinds))
    starts = [
        _draw_one(key, part, shape, mean, std, others, shift, dtype)
        for key, part in zip(keys, kinds, strict=True)
    ]
    return sum(starts[1:], start=starts[0]) / len(starts)


def _draw_one(
    key: Array,
    kind: str,
    shape: tuple[int, ...],
    mean: float,
    std: float,
    others: Array | None,
    shift: int,
    dtype: jnp.dtype | type,
) -> Images:
    one_of("start", kind, STARTS)
    if kind == "flat":
        return jnp.full(shape, mean, dtype)
    if kind == "uniform":
        return jax.random.uniform(key, shape, dtype)
    if kind == "image":
        return _another_image(shape, others, shift).astype(dtype)
    noise = jax.random.normal(key, shape, dtype)
    if kind == "pink":
        noise = _pink(noise)
    return mean + std * noise


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
            " more images or another --start"
        )
    if others.shape[1:] != shape[1:]:
        raise ValueError(f"images to start from are {others.shape[1:]}, the targets {shape[1:]}")
    batch = jnp.arange(shape[0])
    return others[(batch + 1 + shift % (count - 1)) % count]


def blur3(images: Images, sigma: Float[Array, ""]) -> Images:
    """A 3×3 Gaussian blur of standard deviation `sigma` pixels, reflecting at the border.

    The same numbers as `torchvision.transforms.functional.gaussian_blur(x, 3, sigma)`, as shifted
    sums: on the CPU a depthwise convolution would cost as much as a whole first layer.
    """
    side = jnp.exp(-0.5 / sigma**2)
    centre, side = 1 / (1 + 2 * side), side / (1 + 2 * side)
    batch, height, width, channels = images.shape
    # Rows of width × channels: loops over a last axis of 3 would not be vectorised.
    rows = _reflected(_reflected(images.reshape(batch, height, -1), 1, 1), 2, channels)
    rows = centre * rows[:, 1:-1] + side * (rows[:, :-2] + rows[:, 2:])
    left, middle, right = (rows[..., i * channels :][..., : width * channels] for i in range(3))
    return (centre * middle + side * (left + right)).reshape(images.shape)


def _reflected(array: Float[Array, "b h w"], axis: int, pixel: int) -> Float[Array, "b h2 w2"]:
    """With a pixel more at either end of an axis, the image mirrored at its border pixels."""
    size = array.shape[axis]
    if size == pixel:  # one pixel is its own mirror image
        return jnp.concatenate([array] * 3, axis)
    first = jax.lax.slice_in_dim(array, pixel, 2 * pixel, axis=axis)
    last = jax.lax.slice_in_dim(array, size - 2 * pixel, size - pixel, axis=axis)
    return jnp.concatenate([first, array, last], axis)


def range_penalty(images: Images) -> PerExample:
    """The squared distance of each image to the box [0, 1]: 0 inside it."""
    outside = images - jnp.clip(images, 0, 1)
    return jnp.square(outside).sum((1, 2, 3))
