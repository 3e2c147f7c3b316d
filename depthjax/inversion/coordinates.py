"""Coordinates in which an optimiser sees an image: Fourier coefficients, other colours, a pyramid.

They are linear, so they change the steps of a descent and no image is out of reach. A descent in
coordinates z of an image x = L z has the gradient Lᵀ g; its change of z is a change L Δz of x. So
the loop knows the image itself, as ever, and may ask of it what it likes (pixels in [0, 1], blur).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from depthjax.inversion.chains import Named
from depthjax.typing import Scalar


class Coordinates(NamedTuple):
    """A linear map L from coordinates to one image `[H, W, C]`, or to each of several.

    Fields:
        decode: L: coordinates, a pytree, to the image.
        transpose: Lᵀ: an image to coordinates.
        encode: an image to coordinates that `decode` takes to it.
    """

    decode: Callable[[Any], Array]
    transpose: Callable[[Array], Any]
    encode: Callable[[Array], Any]


def in_coordinates(
    inner: optax.GradientTransformation, of: Callable[[tuple[int, ...]], Coordinates]
) -> optax.GradientTransformation:
    """The optimiser on coordinates of an image.

    Args:
        inner: any optimiser.
        of: the shape of an image to its coordinates.

    Returns:
        A transformation of one image `[H, W, C]`.
    """

    def init(image: Float[Array, "h w c"]) -> Any:
        return inner.init(of(image.shape).encode(image))

    def update(gradient: Array, state: Any, image: Array | None = None) -> tuple[Array, Any]:
        coordinates = of(gradient.shape)
        there = None if image is None else coordinates.encode(image)
        change, state = inner.update(coordinates.transpose(gradient), state, there)
        return coordinates.decode(change), state

    return optax.GradientTransformation(init, update)


PIXELS = Coordinates(lambda image: image, lambda image: image, lambda image: image)
"""The image itself."""


def coordinates_of(names: Sequence[str], decay: Scalar, shape: tuple[int, ...]) -> Coordinates:
    """Coordinates by name, the first of them innermost; pixels without a name.

    Args:
        names: of `LINEAR`; "pyramid" with its number, "fourier" without.
        decay: of "fourier".
        shape: of the image, `(H, W, C)`.

    Raises:
        ValueError: for colours other than three, and pyramids that are too high.
    """
    found = PIXELS
    for name in names:
        found = _within(found, _by_name(name, decay, shape))
    return found


def _by_name(name: str, decay: Scalar, shape: tuple[int, ...]) -> Coordinates:
    word, _, number = name.partition(":")
    numbers = [decay] if word == "fourier" else [int(number)] if number else []
    made: Coordinates = LINEAR[word].function(shape, *numbers)
    return made


def _within(inner: Coordinates, outer: Coordinates) -> Coordinates:
    return Coordinates(
        decode=lambda z: outer.decode(inner.decode(z)),
        transpose=lambda image: inner.transpose(outer.transpose(image)),
        encode=lambda image: inner.encode(outer.encode(image)),
    )


def fourier(shape: tuple[int, ...], decay: Scalar) -> Coordinates:
    """Fourier coefficients, those of frequency f divided by `f^decay` on the way to the image.

    So steps have the spectrum `f^−decay` of photographs where an optimiser by itself would treat
    all frequencies alike (the Fourier parametrisation of Olah, Mordvintsev & Schubert, *Feature
    Visualization*, 2017, which calls it `decay_power`). 0 changes the coordinates alone.

    Args:
        shape: `(H, W, C)`.
        decay: the exponent.
    """
    return Coordinates(
        decode=lambda coefficients: synthesise(coefficients, decay, shape[1]),
        transpose=lambda image: analyse(image, decay),
        encode=lambda image: analyse(image, -decay),
    )


# The columns are square roots of the correlation of colours over ImageNet, from lucid
# (optvis/param/color.py); there they are divided by the length of the longest, too.
_COLOUR_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR_ROOT /= np.linalg.norm(_COLOUR_ROOT, axis=0).max()


def decorrelated(shape: tuple[int, ...]) -> Coordinates:
    """Three colours that are uncorrelated over photographs: brightness, and two oppositions.

    As in Olah, Mordvintsev & Schubert, *Feature Visualization*, 2017, by their matrix.

    Raises:
        ValueError: if there are not three channels.
    """
    if shape[-1] != 3:
        raise ValueError(
            f"decorrelated colours are of 3 channels, and images are {shape}: leave it out"
        )
    return Coordinates(
        decode=partial(_mixed, matrix=_COLOUR_ROOT.T),
        transpose=partial(_mixed, matrix=_COLOUR_ROOT),
        encode=partial(_mixed, matrix=np.linalg.inv(_COLOUR_ROOT).T),
    )


def _mixed(colours: Float[Array, "h w 3"], matrix: Float[np.ndarray, "3 3"]) -> Array:
    """`colours @ matrix` as a sum: a product of matrices this small takes several times as long."""
    rows = jnp.asarray(matrix, colours.dtype)
    first, second, third = (colours[..., c, None] * rows[c][None, None] for c in range(3))
    return first + second + third


def pyramid(shape: tuple[int, ...], levels: int) -> Coordinates:
    """A sum of images, each half as large as the one before and enlarged to the whole.

    The Laplacian pyramid of lucid (optvis/param/spatial.py): coarse structure takes few steps,
    since one number of a coarse level stands for many pixels.

    Args:
        shape: `(H, W, C)`.
        levels: at least 1, the image as it is; the coarsest has sides of 2 pixels at least.

    Raises:
        ValueError: if there are too many levels for the image.
    """
    height, width, channels = shape
    sizes = [(-(-height // 2**k), -(-width // 2**k), channels) for k in range(levels)]
    if min(sizes[-1][:2]) < 2:
        most = int(np.log2(min(height, width) - 1)) + 1
        raise ValueError(f"a pyramid of {height}×{width} has at most {most} levels, got {levels}")

    def enlarged(level: Array) -> Array:
        return jax.image.resize(level, shape, "linear") if level.shape != shape else level

    def decode(parts: list[Array]) -> Array:
        return sum(map(enlarged, parts[1:]), start=parts[0])

    def encode(image: Array) -> list[Array]:
        parts = []
        for size in reversed(sizes[1:]):
            parts.append(jax.image.resize(image, size, "linear"))
            image = image - enlarged(parts[-1])
        return [image, *reversed(parts)]

    def transpose(image: Array) -> list[Array]:
        like = [jax.ShapeDtypeStruct(size, image.dtype) for size in sizes]
        (parts,) = jax.linear_transpose(decode, like)(image)
        return list(parts)

    return Coordinates(decode, transpose, encode)


LINEAR = {
    "fourier": Named(
        "coefficients over f^decay, as fourier_decay",
        *(fourier, ("decay",), lambda decay: decay != 0, "a decay that is not 0"),
    ),
    "decorrelated": Named("colours that are uncorrelated over photographs", decorrelated),
    "pyramid": Named(
        "a sum of so many images, each half as large as the one before",
        *(pyramid, ("levels",), lambda n: n >= 1 and n == int(n), "levels from 1"),
    ),
}
"""Linear steps by name."""


def analyse(image: Float[Array, "h w c"], decay: Scalar) -> Float[Array, "2 h w2 c"]:
    """Fourier coefficients times `f^−decay`, real and imaginary parts; isometric if decay is 0."""
    factor = _scale(image.shape[:2], decay) * _multiplicity(image.shape[1])[None, :, None]
    spectrum = jnp.fft.rfft2(image, axes=(0, 1), norm="ortho") * factor
    return jnp.stack([spectrum.real, spectrum.imag]).astype(image.dtype)


def synthesise(
    coefficients: Float[Array, "2 h w2 c"], decay: Scalar, width: int
) -> Float[Array, "h w c"]:
    """The transpose of `analyse`; its inverse too, with the decay of opposite sign."""
    shape = (coefficients.shape[1], width)
    factor = _scale(shape, decay) / _multiplicity(width)[None, :, None]
    real, imaginary = coefficients * factor[None].astype(coefficients.dtype)
    image = jnp.fft.irfft2(jax.lax.complex(real, imaginary), s=shape, axes=(0, 1), norm="ortho")
    return image.astype(coefficients.dtype)


def _scale(shape: tuple[int, ...], decay: Scalar) -> Float[Array, "h w2 1"]:
    """`(f / f₀)^−decay`, where f₀ makes it about 1 in the mean; the mean has the lowest f."""
    height, width = shape
    vertical, horizontal = jnp.fft.fftfreq(height)[:, None], jnp.fft.rfftfreq(width)[None]
    lowest = 1 / max(height, width)
    frequency = jnp.maximum(jnp.hypot(vertical, horizontal), lowest)
    typical = jnp.exp(jnp.log(frequency).mean())
    return ((frequency / typical) ** -decay)[..., None]


def _multiplicity(width: int) -> Float[Array, " w2"]:
    """√2 for the columns that stand for their mirror images too, so that lengths are kept."""
    column = jnp.arange(width // 2 + 1)
    alone = (column == 0) | (2 * column == width)
    return jnp.where(alone, 1.0, jnp.sqrt(2.0))
