"""Objectives and penalties of a user's own: one number for each example, whoever else is there."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.inversion.config import InversionConfig
from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.penalties import PENALTIES
from depthjax.inversion.terms import Piece, function_of
from depthjax.references import reference_to
from depthjax.typing import Embedding, Images


def check_functions(
    config: InversionConfig,
    target: Embedding,
    images: Images,
    split: Callable[[Array], dict[str, Array]] | None = None,
) -> None:
    """Refuses functions that do not give one number for each example, or that mix examples.

    Args:
        config: with functions in its objective or penalty; named pieces need no check.
        target: embeddings `[B, …]`.
        images: `[B, H, W, C]`, where a descent begins.
        split: from an embedding of several layers to each of them.

    Raises:
        ValueError: naming the function, and what it gives.
    """
    for piece, at in config.structure.objective:
        if not _is_named(piece, OBJECTIVES):
            there = split(_two(target))[at] if at and split else _two(target)
            _check("objective", piece, there + _noise(there), there)
    for piece in config.structure.penalties:
        if not _is_named(piece, PENALTIES):
            there = _two(images)
            _check("penalty", piece, there + _noise(there))


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
