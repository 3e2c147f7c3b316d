"""Functions of a user's own: what they give for an example, whoever else is there."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.inversion.config import InversionConfig
from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.parametrisations import PARAMETRISATIONS, parametrisation_of
from depthjax.inversion.penalties import PENALTIES
from depthjax.inversion.terms import Piece, function_of
from depthjax.models.references import reference_to
from depthjax.typing import Embedding, Images


def check_functions(
    config: InversionConfig,
    target: Embedding,
    images: Images,
    split: Callable[[Array], dict[str, Array]] | None = None,
) -> None:
    """Refuses functions that do not give what they should for each example, or that mix examples.

    Args:
        config: with functions in its objective, penalty or parametrisation; named pieces need no
            check.
        target: embeddings `[B, …]`.
        images: `[B, H, W, C]`, where a descent begins.
        split: from an embedding of several layers to each of them.

    Raises:
        ValueError: naming the function, and what it gives.
    """
    for one in config.structure.objective:
        if not _is_named(one.piece, OBJECTIVES):
            layers = split(_two(target)) if split else {}
            if one.at and one.at not in layers:
                continue  # `distance_to` says what there is
            there = one.part_of(layers[one.at] if one.at else _two(target))
            _check("objective", one.piece, there + _noise(there), there)
    for one in config.structure.penalties:
        if not _is_named(one.piece, PENALTIES):
            there = one.part_of(_two(images))
            _check("penalty", one.piece, there + _noise(there))
    _check_parametrisation(config, images)


def _check_parametrisation(config: InversionConfig, images: Images) -> None:
    """Refuses maps to images of another shape, and those that mix examples."""
    moved = config.structure.moved
    found = parametrisation_of(moved, images.shape[1:])
    if found is None or all(_name(step) in PARAMETRISATIONS for step in moved):
        return
    name, two = ",".join(map(str, moved)), _two(images)
    parameters = found.encode(two)
    of_one_array = getattr(parameters, "ndim", 0) == 4
    if config.structure.coordinates and not of_one_array:
        raise ValueError(
            f"{', '.join(config.structure.coordinates)} need one array like images, and the"
            f" parametrisation {name} has other parameters: leave them out, and fourier_decay at 0"
        )
    both = found.decode(parameters)
    if both.shape != two.shape:
        raise ValueError(
            f"the parametrisation {name} makes images {both.shape} of parameters of images"
            f" {two.shape}; decode must give images of the shape that encode is given"
        )
    alone = found.decode(found.encode(two[:1]))
    if not np.allclose(both[:1], alone, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise ValueError(
            f"the parametrisation {name} mixes examples: an image is another one among others than"
            " alone; let it depend on no other along the first axis"
        )


def _name(step: Any) -> str:
    return step.partition(":")[0] if isinstance(step, str) else ""


def _check(what: str, piece: Piece, *arrays: Array) -> None:
    function = function_of(piece, what) if isinstance(piece, str) else piece
    name = piece if isinstance(piece, str) else reference_to(piece)
    both = function(*arrays)
    shape, dtype = np.shape(both), getattr(both, "dtype", type(both).__name__)
    if shape != (2,) or not jnp.issubdtype(getattr(both, "dtype", np.int32), jnp.floating):
        raise ValueError(
            f"the {what} {name} gives {dtype} {shape} for 2 examples; it must give one float for"
            f" each, [2]: sum over all axes but the first"
        )
    alone = function(*(array[:1] for array in arrays))
    if not np.allclose(both[:1], alone, rtol=1e-3, equal_nan=True):
        raise ValueError(
            f"the {what} {name} mixes examples: the first one's is {float(both[0]):g} among others"
            f" and {float(alone[0]):g} alone; use no sum, mean or maximum over the first axis"
        )


def _is_named(piece: Piece, known: Any) -> bool:
    return isinstance(piece, str) and piece in known


def _two(array: Array) -> Array:
    """The first two examples, or the first one twice."""
    return jnp.resize(array[:2], (2, *array.shape[1:]))


def _noise(like: Array) -> Array:
    """Other noise for each example, as large as they are."""
    noise = jax.random.normal(jax.random.key(0), like.shape, like.dtype)
    return noise * (jnp.abs(like).mean() + 1)
