"""Random changes of an image before the network sees it, another one at every step.

What is found then has the target's embedding under all of them. They are drawn once for all images
of a step, so that an image's descent does not depend on who else is in its batch; and they keep the
size of images.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from depthjax.inversion.chains import Named, Step, read_step, split_chain
from depthjax.inversion.terms import function_of
from depthjax.typing import Images, Scalar

Change = Callable[[Array, Images], Images]
"""`(key, images [B, H, W, C]) -> images` of the same shape."""


def jitter(key: Array, images: Images, most: Scalar) -> Images:
    """Rolls images by whole pixels, up to `most` each way; what leaves comes in on the other side.

    As in DeepDream (Mordvintsev, Olah & Tyka 2015).
    """
    down, right = jax.random.randint(key, (2,), -jnp.int32(most), jnp.int32(most) + 1)
    return jnp.roll(images, (down, right), (1, 2))


def scale(key: Array, images: Images, least: Scalar, most: Scalar) -> Images:
    """Enlarges images about their centre by a factor between `least` and `most`."""
    factor = jax.random.uniform(key, (), images.dtype, least, most)
    return _sampled(images, jnp.eye(2, dtype=images.dtype) / factor, jnp.zeros(2, images.dtype))


def rotate(key: Array, images: Images, degrees: Scalar) -> Images:
    """Turns images about their centre by up to `degrees` each way."""
    angle = jnp.deg2rad(degrees) * jax.random.uniform(key, (), images.dtype, -1, 1)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return _sampled(images, jnp.array([[cos, -sin], [sin, cos]]), jnp.zeros(2, images.dtype))


def crop(key: Array, images: Images, least: Scalar) -> Images:
    """A part of each image with sides of `least` to 1 of it, anywhere, at the size of the whole."""
    size_key, place_key = jax.random.split(key)
    side = jax.random.uniform(size_key, (), images.dtype, least, 1)
    middle = jax.random.uniform(place_key, (2,), images.dtype, -1, 1) * (1 - side) / 2
    extent = jnp.array(images.shape[1:3], images.dtype) - 1
    return _sampled(images, side * jnp.eye(2, dtype=images.dtype), middle * extent)


def noise(key: Array, images: Images, std: Scalar) -> Images:
    """Adds Gaussian noise of a standard deviation in pixel units."""
    return images + std * jax.random.normal(key, images.shape[1:], images.dtype)[None]


TRANSFORMATIONS = {
    "jitter": Named(
        "rolls by up to so many pixels", jitter, ("pixels",), lambda n: n >= 0, "0 or more pixels"
    ),
    "scale": Named(
        "enlarges by a factor between the two",
        *(scale, ("least", "most"), lambda low, high: 0 < low <= high),
        "a least and a most factor above 0",
    ),
    "rotate": Named(
        "turns by up to so many degrees",
        rotate,
        ("degrees",),
        lambda n: n >= 0,
        "0 or more degrees",
    ),
    "crop": Named(
        "a part with sides of so much to 1, enlarged",
        *(crop, ("least",), lambda n: 0 < n <= 1),
        "a side above 0 and at most 1",
    ),
    "noise": Named(
        "adds Gaussian noise of that standard deviation",
        *(noise, ("std",), lambda n: n >= 0),
        "a standard deviation of 0 or more",
    ),
}
"""Every transformation by name."""


def checked_transform(given: str | Change | Sequence[str | Change]) -> tuple[str | Change, ...]:
    """The transformations of a config, one after the other; each is checked.

    Args:
        given: text such as `jitter:8,scale:0.9:1.1`, a function, or several of both.

    Raises:
        ValueError: for names that do not exist, and numbers that they do not take.
    """
    steps = split_chain(given, callable)
    for step in steps:
        _read(step)
    return steps


def pieces_of(transform: Sequence[str | Change]) -> tuple[str | Change, ...]:
    """What of transformations is compiled in: names and functions, without their numbers."""
    return tuple(_read(step).piece for step in transform)


def numbers_of(transform: Sequence[str | Change]) -> tuple[float, ...]:
    """The numbers of all transformations, one behind the other."""
    return tuple(number for step in transform for number in _read(step).numbers)


def transformed(
    key: Array, images: Images, pieces: tuple[str | Change, ...], numbers: Float[Array, " numbers"]
) -> Images:
    """Images after all transformations.

    Args:
        key: each transformation draws from one of its own.
        images: `[B, H, W, C]`.
        pieces, numbers: from `pieces_of` and `numbers_of`.

    Raises:
        ValueError: for a function that changes the shape of the images.
    """
    keys = jax.random.split(key, len(pieces))
    taken = 0
    for number, piece in enumerate(pieces):
        change, count = _change(piece)
        there = change(keys[number], images, *numbers[taken : taken + count])
        if there.shape != images.shape:
            raise ValueError(
                f"the transformation {piece} makes {there.shape} of images {images.shape}; it must"
                " keep their shape"
            )
        images, taken = there.astype(images.dtype), taken + count
    return images


def _change(piece: str | Change) -> tuple[Callable[..., Images], int]:
    if callable(piece):
        return piece, 0
    if piece in TRANSFORMATIONS:
        known = TRANSFORMATIONS[piece]
        return known.function, len(known.numbers)
    return function_of(piece, "transformation"), 0


def _read(step: str | Change) -> Step:
    return read_step(step, "transformation", TRANSFORMATIONS)


def _sampled(
    images: Images, matrix: Float[Array, "2 2"], shift: Float[Array, "2"]
) -> Float[Array, "b h w c"]:
    """Images at `matrix · (position − centre) + centre + shift`, between pixels linearly.

    Outside of an image its nearest border pixel stands.
    """
    height, width = images.shape[1:3]
    middle = (height - 1) / 2, (width - 1) / 2
    down = (jnp.arange(height) - middle[0])[:, None].astype(images.dtype)
    right = (jnp.arange(width) - middle[1])[None].astype(images.dtype)
    row, column = (
        jnp.clip(matrix[axis, 0] * down + matrix[axis, 1] * right + middle[axis] + shift[axis], 0)
        for axis in (0, 1)
    )
    top, below = _neighbours(row, height)
    left, beside = _neighbours(column, width)
    upper, lower = (
        (1 - beside) * images[:, rows, left] + beside * images[:, rows, _next(left, width)]
        for rows in (top, _next(top, height))
    )
    return (1 - below) * upper + below * lower


def _neighbours(
    position: Float[Array, "h w"], size: int
) -> tuple[Int[Array, "h w"], Float[Array, "1 h w 1"]]:
    """The pixel before a position, and how much of the one after it is there."""
    inside = jnp.minimum(position, size - 1)
    before = jnp.floor(inside)
    return before.astype(jnp.int32), (inside - before)[None, :, :, None]


def _next(pixel: Int[Array, "h w"], size: int) -> Int[Array, "h w"]:
    return jnp.minimum(pixel + 1, size - 1)
