"""Optimisers by name, and the same in Fourier coefficients of the image."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from depthjax.errors import unknown
from depthjax.typing import Scalar

OPTIMIZERS = (
    *("sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad", "lion", "yogi", "radam"),
    *("lbfgs", "gauss_newton"),
)
# A line search would evaluate the whole batch again until its slowest example is content.
_DEFAULTS: dict[str, dict[str, Any]] = {"lbfgs": {"linesearch": None}}


def make_optimizer(
    name: str, options: tuple[tuple[str, Any], ...] = (), learning_rate: float = 1.0
) -> optax.GradientTransformation:
    """An optax optimiser by name.

    The loop asks for a rate of 1 and multiplies the change by its own, which is traced; so the
    schedule is the same for every optimiser, also for those that read the rate only once. (Where
    the change is not proportional to the rate, as with fromage, it is not quite optax's then.)

    Raises:
        ValueError: for a name that optax does not have, for options that it does not take, and for
            an optimiser that wants more than gradients (a line search, say).
    """
    factory = getattr(optax, name, None)
    if not callable(factory) or name.startswith("_"):
        raise unknown("optimizer", name, OPTIMIZERS, hint="any of optax that takes a rate")
    try:
        optimizer = factory(
            learning_rate=learning_rate, **(_DEFAULTS.get(name, {}) | dict(options))
        )
        example = jax.ShapeDtypeStruct((1,), "float32")
        jax.eval_shape(lambda x: optimizer.update(x, optimizer.init(x), x), example)
    except (TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"optax.{name} cannot be used with options {dict(options)}: {reason}; try one of"
            f" {', '.join(OPTIMIZERS)}"
        ) from error
    return optimizer


def in_fourier(inner: optax.GradientTransformation, decay: Scalar) -> optax.GradientTransformation:
    """The optimiser on the Fourier coefficients of an image, those of frequency f times `f^decay`.

    So its steps have the spectrum `f^−decay` of photographs where the optimiser by itself would
    treat all frequencies alike (the Fourier parametrisation of Olah, Mordvintsev & Schubert,
    *Feature Visualization*, 2017, which calls it `decay_power`). 0 changes the coordinates alone.

    Args:
        inner: any optimiser.
        decay: the exponent.

    Returns:
        A transformation of one image `[H, W, C]`.
    """

    def init(image: Float[Array, "h w c"]) -> Any:
        return inner.init(analyse(image, -decay))

    def update(gradient: Array, state: Any, image: Array | None = None) -> tuple[Array, Any]:
        coefficients = None if image is None else analyse(image, -decay)
        change, state = inner.update(analyse(gradient, decay), state, coefficients)
        return synthesise(change, decay, gradient.shape[1]), state

    return optax.GradientTransformation(init, update)


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
