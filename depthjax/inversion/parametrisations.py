"""What a descent moves instead of pixels: a chain of maps from parameters to images.

    parametrisation="fourier:1,decorrelated,sigmoid"

is read from the parameters to the image. Linear steps at its beginning are coordinates of the
optimiser (`depthjax.inversion.coordinates`): they change steps and nothing else. From the first
step on that is not linear, parameters are what the loop moves, and only their images exist.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.errors import require
from depthjax.inversion.chains import Named, Step, read_step, split_chain
from depthjax.inversion.coordinates import LINEAR, Coordinates
from depthjax.inversion.terms import function_of
from depthjax.typing import AnyArray, Images

LIMIT = 1 / 512
"""Half a grey level: black and white are parameters of finite size."""


class Parametrisation(NamedTuple):
    """Images made of something else, which a descent moves in their place.

    Fields:
        decode: parameters, a pytree of arrays `[B, …]`, to images `[B, H, W, C]`.
        encode: images to parameters of images as near to them as there are.
    """

    decode: Callable[[Any], Images]
    encode: Callable[[Images], Any]


class Chain(NamedTuple):
    """The steps of a parametrisation.

    Fields:
        decay: of Fourier coefficients; None where they are not named.
        linear: names of the steps that the optimiser takes.
        moved: the steps from the first on that is not linear.
    """

    decay: float | None
    linear: tuple[str, ...]
    moved: tuple[Any, ...]


def sigmoid(shape: tuple[int, ...]) -> Parametrisation:
    """Pixels between 0 and 1, as 1 / (1 + e^−z)."""
    del shape

    def encode(images: Images) -> Images:
        return jax.scipy.special.logit(jnp.clip(images, LIMIT, 1 - LIMIT))

    return Parametrisation(jax.nn.sigmoid, encode)


def phase(shape: tuple[int, ...]) -> Parametrisation:
    """The phases of Fourier coefficients; their sizes stay those of the start.

    With a start of kind "pink", or of another photograph, images keep the spectrum of photographs
    (MaCo: Fel et al., *Unlocking Feature Visualization for Deeper Networks with MAgnitude
    Constrained Optimization*, 2023, where sizes are the mean over ImageNet).
    """
    height, width = shape[:2]

    def encode(images: Images) -> dict[str, Any]:
        spectrum = jnp.fft.rfft2(images, axes=(1, 2))
        return {"phase": jnp.angle(spectrum), "size": jnp.abs(spectrum)}

    def decode(parameters: dict[str, Any]) -> Images:
        size, angle = jax.lax.stop_gradient(parameters["size"]), parameters["phase"]
        spectrum = jax.lax.complex(size * jnp.cos(angle), size * jnp.sin(angle))
        images = jnp.fft.irfft2(spectrum, s=(height, width), axes=(1, 2))
        return images.astype(angle.dtype)

    return Parametrisation(decode, encode)


def deep_prior(shape: tuple[int, ...], channels: int) -> Parametrisation:
    """The weights of a convolutional network that makes the image of its start.

    See `depthjax.inversion.deep_prior`.
    """
    from depthjax.inversion.deep_prior import deep_prior_of  # the only one that needs Flax

    return Parametrisation(*deep_prior_of(shape, channels))


MOVED = {
    "sigmoid": Named("pixels between 0 and 1", sigmoid),
    "phase": Named("phases of Fourier coefficients, whose sizes stay those of the start", phase),
    "deep_prior": Named(
        "the weights of a convolutional network of so many channels",
        *(deep_prior, ("channels",), lambda n: n >= 1 and n == int(n), "channels from 1"),
    ),
}
"""Steps that are not linear, by name."""

PARAMETRISATIONS = LINEAR | MOVED
"""Every step by name."""

OF_SOMETHING_ELSE = ("pyramid", "phase", "deep_prior")
"""Steps that make images of other than one array of their shape."""

FIXED = {"phase": "size", "deep_prior": "input"}
"""What a step makes its images of besides what is moved, by its name among the parameters."""

BOUNDED = ("sigmoid", "deep_prior")
"""Steps whose images lie between 0 and 1."""


def checked_parametrisation(given: Any) -> tuple[Any, ...]:
    """The steps of a config, from the parameters to the image; each is checked.

    Args:
        given: text such as `fourier:1,decorrelated`, a `Parametrisation`, or several of both; or
            a pair of functions `(decode, encode)`.

    Raises:
        ValueError: for names that do not exist, numbers that they do not take, and orders that
            have no meaning.
    """
    if isinstance(given, tuple) and len(given) == 2 and all(map(callable, given)):
        given = Parametrisation(*given)
    steps = split_chain(given, lambda step: isinstance(step, Parametrisation))
    chain_of(steps)
    return steps


def chain_of(steps: Sequence[Any]) -> Chain:
    """The steps of a config, taken apart: what the optimiser takes, and what the loop moves.

    Raises:
        ValueError: as `checked_parametrisation`.
    """
    read = [_read(step) for step in steps]
    names = [one.piece if isinstance(one.piece, str) else "" for one in read]
    first = next((n for n, name in enumerate(names) if name not in LINEAR), len(names))
    text = ",".join(map(str, steps))
    require("fourier" not in names[1:], "parametrisation", text, "with fourier as its first step")
    for name in OF_SOMETHING_ELSE:
        wanted = f"with {name} as its first step, since it makes images of something else"
        require(name not in names[1:], "parametrisation", text, wanted)
    decay = read[0].numbers[0] if names[:1] == ["fourier"] else None
    linear = tuple(map(_whole, read[:first]))
    return Chain(decay, linear[decay is not None :], tuple(map(_whole, read[first:])))


def fixed_parameter(moved: Sequence[Any]) -> str | None:
    """The parameter of these steps that no optimiser may change, if there is one."""
    first = next(iter(moved), None)
    return FIXED.get(first.partition(":")[0]) if isinstance(first, str) else None


def is_bounded(moved: Sequence[Any]) -> bool:
    """Whether all images of these steps lie between 0 and 1."""
    last = moved[-1] if moved else None
    return isinstance(last, str) and last.partition(":")[0] in BOUNDED


def parametrisation_of(moved: Sequence[Any], shape: tuple[int, ...]) -> Parametrisation | None:
    """The map of all steps that are not the optimiser's; None without any.

    Args:
        moved: of a `Chain`.
        shape: of one image, `(H, W, C)`.
    """
    maps = [_map_of(piece, shape) for piece in moved]
    if not maps:
        return None

    def decode(parameters: Any) -> Images:
        for one in maps:
            parameters = one.decode(parameters)
        return parameters

    def encode(images: Images) -> Any:
        for one in reversed(maps):
            images = one.encode(images)
        return images

    return Parametrisation(decode, encode)


def where_descents_begin(
    moved: Sequence[Any], images: Float[AnyArray, "*leading h w c"]
) -> Float[Array, "*leading h w c"]:
    """Of starts, the nearest images that what is moved can make; without a map, the starts."""
    if not moved:
        return jnp.asarray(images)
    if images.ndim == 4:
        return _nearest(tuple(moved), images)
    return jnp.stack([where_descents_begin(moved, restart) for restart in images])  # memory: of B


@partial(jax.jit, static_argnums=0)
def _nearest(moved: tuple[Any, ...], images: Images) -> Images:
    parametrisation = parametrisation_of(moved, images.shape[1:])
    assert parametrisation is not None
    return parametrisation.decode(parametrisation.encode(images))


def _map_of(piece: Any, shape: tuple[int, ...]) -> Parametrisation:
    if isinstance(piece, Parametrisation):
        return piece
    name, _, number = piece.partition(":")
    if name not in PARAMETRISATIONS:
        return _own(piece)
    made = PARAMETRISATIONS[name].function(shape, *([int(number)] if number else []))
    if isinstance(made, Coordinates):
        return Parametrisation(jax.vmap(made.decode), jax.vmap(made.encode))
    return made


def _own(reference: str) -> Parametrisation:
    found: Any = function_of(reference, "parametrisation")
    made = found if isinstance(found, Parametrisation) else found()
    if not isinstance(made, Parametrisation):
        raise ValueError(
            f"the parametrisation {reference} gives {type(made).__name__}; it must give a"
            " depthjax.Parametrisation, a pair of functions (decode, encode)"
        )
    return made


def _read(step: Any) -> Step:
    return read_step(step, "parametrisation", PARAMETRISATIONS)


def _whole(step: Step) -> Any:
    """The name with its number, which is compiled in; the decay of fourier is an argument."""
    if not isinstance(step.piece, str) or not step.numbers or step.piece == "fourier":
        return step.piece
    return f"{step.piece}:{int(step.numbers[0])}"
