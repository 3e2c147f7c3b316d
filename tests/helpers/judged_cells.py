"""Cells that say what a test wants of a part of a claim."""

import numpy as np

from depthjax.claims.cells import Cells
from depthjax.claims.claim import Part


def cells_that_say(verdict: str, part: Part, like: Cells) -> Cells:
    """Three seeds × five images with this verdict, of the same kind as other cells.

    Args:
        verdict: `supported`, `contradicted`, `open` or `not reached`; what is exact is never open,
            and then not reached.
        part: whose bound and effect are meant.
        like: which are exact, fixed or logarithms.
    """
    random = np.random.default_rng(0)
    noise = random.normal(size=(3, 1)) + random.normal(size=(3, 5))
    noise -= noise.mean()
    middle, width = _place(verdict, part, like.logarithmic)
    if verdict == "not reached" or (verdict == "open" and like.fixed == "exact"):
        middle = np.nan
    values = middle * np.exp(width * noise) if like.logarithmic else middle + width * noise
    return Cells.of(values, fixed=like.fixed, logarithmic=like.logarithmic)


def _place(verdict: str, part: Part, logarithmic: bool) -> tuple[float, float]:
    """The middle of the cells, and how far they are spread."""
    bound, effect = part.bound, part.effect
    if bound.relation == "within":
        middle = {"contradicted": 2 * bound.high}.get(verdict, (bound.low + bound.high) / 2)
        return middle, 0.3 * (bound.high - bound.low) if verdict == "open" else 1e-4
    upwards = bound.relation.startswith(">")
    end, sign = (bound.low, 1) if upwards else (bound.high, -1)
    wanted = end + sign * effect
    if logarithmic:
        beyond = {"supported": wanted * 2.0**sign, "contradicted": end * 2.0**-sign}
    else:
        beyond = {"supported": wanted + sign, "contradicted": end - sign}
    return beyond.get(verdict, (end + wanted) / 2), 1 if verdict == "open" else 1e-3
