"""Random changes of training images, on the device and under `jit`."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from depthjax.images.luminance import LUMA
from depthjax.typing import Images


@dataclass(frozen=True)
class Augmentation:
    """The random changes of an image; hashable, so that `jit` takes it as a static argument.

    Fields:
        pad: pixels that are mirrored around the image before a random crop is cut.
        crop: height and width of the crop; 0 for the size of the image.
        flip: whether left and right are exchanged, with probability 1/2.
        grey: whether every image loses its colour, so that grey images differ in nothing from
            others.
        jitter: brightness, contrast and saturation are each multiplied by a factor in 1 ± jitter.
        tint: each channel is multiplied by a factor in 1 ± tint.
    """

    pad: int = 0
    crop: int = 0
    flip: bool = False
    grey: bool = False
    jitter: float = 0.0
    tint: float = 0.0

    def __post_init__(self) -> None:
        for name in ("pad", "crop"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        for name in ("jitter", "tint"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)}")

    @property
    def by_chance(self) -> bool:
        """Whether any change is random."""
        return bool(self.pad or self.crop or self.flip or self.jitter or self.tint)

    def shape_of(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape `(H, W, C)` of an image that was of this shape before."""
        return (self.crop, self.crop, image_shape[2]) if self.crop else image_shape


@partial(jax.jit, static_argnames="augmentation")
def augment(
    key: Array | None,
    images: UInt8[Array, "b h w c"] | Float[Array, "b h w c"],
    augmentation: Augmentation,
) -> Images:
    """Images as floats, changed at random.

    Bytes become floats in [0, 1]. Floats are taken as they are; jitter and tint clip them to
    [0, 1], the other changes do not.

    Args:
        key: a `jax.random.key`. Without one nothing is random: the central crop is cut, and colour
            is removed if `grey`. Evaluation needs this.
        images: uint8 0..255, or floats.
        augmentation: the changes; static.

    Returns:
        float32 `[b, crop, crop, c]`, or `[b, h, w, c]` without a crop.

    Raises:
        ValueError: if the crop or the padding does not fit the images.
    """
    x = images.astype(jnp.float32)
    if images.dtype == jnp.uint8:
        x = x / 255
    crop_key, flip_key, jitter_key = (None,) * 3 if key is None else jax.random.split(key, 3)
    x = _cropped(crop_key, x, augmentation)
    if augmentation.flip and flip_key is not None:
        flipped = jax.random.bernoulli(flip_key, shape=(x.shape[0], 1, 1, 1))
        x = jnp.where(flipped, x[:, :, ::-1], x)
    if augmentation.grey:
        x = jnp.broadcast_to(_luma(x), x.shape)
    if (augmentation.jitter or augmentation.tint) and jitter_key is not None:
        x = _jittered(jitter_key, x, augmentation)
    return x


def _cropped(
    key: Array | None, x: Images, augmentation: Augmentation
) -> Float[Array, "batch _ _ channels"]:
    pad = augmentation.pad if key is not None else 0
    batch, height, width = x.shape[:3]
    out_height, out_width = (augmentation.crop,) * 2 if augmentation.crop else (height, width)
    if out_height > height or out_width > width:
        raise ValueError(
            f"a crop of {out_height}×{out_width} does not fit images of {height}×{width};"
            " open the data set with a larger size"
        )
    if pad >= min(height, width):
        raise ValueError(f"a padding of {pad} mirrors more than images of {height}×{width} hold")
    down, right = height + 2 * pad - out_height, width + 2 * pad - out_width
    if not (down or right):
        return x
    if key is None:
        return x[:, down // 2 :, right // 2 :][:, :out_height, :out_width]
    padded = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    top, left = (
        jax.random.randint(k, (batch,), 0, most + 1)
        for k, most in zip(jax.random.split(key), (down, right), strict=True)
    )
    rows = top[:, None] + jnp.arange(out_height)[None]
    columns = left[:, None] + jnp.arange(out_width)[None]
    x = jnp.take_along_axis(padded, rows[:, :, None, None], axis=1)
    return jnp.take_along_axis(x, columns[:, None, :, None], axis=2)


def _luma(x: Images) -> Float[Array, "batch height width 1"]:
    """Brightness: the mean of the channels, weighted as the eye does, `[b, h, w, 1]`."""
    weights = (
        jnp.asarray(LUMA, x.dtype) if x.shape[-1] == 3 else jnp.full(x.shape[-1], 1 / x.shape[-1])
    )
    return (x @ weights)[..., None]


def _jittered(key: Array, x: Images, augmentation: Augmentation) -> Images:
    keys = jax.random.split(key, 4)

    def factor(k: Array, amount: float, channels: int = 1) -> Array:
        return 1 + amount * jax.random.uniform(k, (len(x), 1, 1, channels), minval=-1, maxval=1)

    brightness, contrast, saturation = (factor(k, augmentation.jitter) for k in keys[:3])
    grey = _luma(x)
    x = grey + saturation * (x - grey)
    mean = _luma(x).mean(axis=(1, 2, 3), keepdims=True)
    x = mean + contrast * (x - mean)
    return jnp.clip(x * brightness * factor(keys[3], augmentation.tint, x.shape[-1]), 0, 1)
