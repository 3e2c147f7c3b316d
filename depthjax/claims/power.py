"""What a planned run can decide, by simulation, before it is run.

An earlier run (the pilot) tells how much seeds, images, and each of their pairs by itself make a
number vary. Tables with this spread are drawn around a supposed truth, and judged as findings are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Float

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.claim import Claim, Part
from depthjax.claims.judging import Judgement
from depthjax.statistics import LEAST, LEVEL, POWER, Fixed, Table, mean_errors

DRAWS = 2_000


class Pilot(NamedTuple):
    """How a part's number varies: standard deviations, of logarithms for a geometric mean.

    Fields:
        seeds, images: from seed to seed and from image to image, whatever the other is.
        cells: of one seed and image by themselves.
        fixed, logarithmic: as in `depthjax.claims.cells.Cells`.
    """

    seeds: float
    images: float
    cells: float
    fixed: Fixed = ""
    logarithmic: bool = False


def pilot_of(cells: Cells) -> Pilot:
    """The spread of a table by its mean squares (analysis of variance, method of moments).

    Of one seed or one image alone, all is what the other does.

    Args:
        cells: of a part; what is not known is taken to be what its row and column say.
    """
    table = _filled(cells.table)
    seeds, images = table.shape
    of_seeds = table.mean(1).var(ddof=1) if seeds > 1 else 0.0
    of_images = table.mean(0).var(ddof=1) if images > 1 else 0.0
    rest = 0.0
    if min(seeds, images) > 1:
        left = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
        rest = np.square(left).sum() / ((seeds - 1) * (images - 1))
    variances = max(of_seeds - rest / images, 0), max(of_images - rest / seeds, 0), rest
    by_seed, by_image, alone = (float(np.sqrt(variance)) for variance in variances)
    return Pilot(by_seed, by_image, alone, cells.fixed, cells.logarithmic)


def pilots_of(judgements: Iterable[Judgement]) -> dict[str, dict[str, Any]]:
    """The pilot of each part that was measured, by claim and part, as JSON takes it."""
    return {
        judged.claim.id: {
            part.name: pilot_of(part.whole.measured)._asdict()
            for part in judged.parts
            if part.whole is not None and isinstance(part.whole.measured, Cells)
        }
        for judged in judgements
    }


def support_rate(
    part: Part, pilot: Pilot, shape: tuple[int, int], truth: float | int, *, seed: int = 0
) -> float:
    """How often such runs support a part.

    Args:
        part: whose bound and smallest effect are asked for.
        pilot: the spread.
        shape: how many seeds and images are planned.
        truth: the statistic of all seeds and images that there could be.
        seed: of the simulation.
    """
    if pilot.fixed == "exact":
        return float(part.bound.low <= truth <= part.bound.high)
    seeds, images = shape
    sampled = {"seeds": seeds, "images": images}
    if min(size for name, size in sampled.items() if name != pilot.fixed) < LEAST:
        return 0.0  # such runs have no interval
    random = np.random.default_rng(seed)
    sizes = ((DRAWS, seeds, 1), (DRAWS, 1, images), (DRAWS, seeds, images))
    moves = {"seeds": (0.0, pilot.images), "images": (pilot.seeds, 0.0)}
    by_seed, by_image = moves.get(pilot.fixed, (pilot.seeds, pilot.images))
    spread = zip((by_seed, by_image, pilot.cells), sizes, strict=True)
    tables = sum(deviation * random.normal(size=size) for deviation, size in spread)
    tables = tables + np.zeros((DRAWS, *shape)) + (np.log(truth) if pilot.logarithmic else truth)
    estimate, error, freedom = mean_errors(tables, pilot.fixed)
    reach = scipy.special.stdtrit(freedom, (1 + LEVEL) / 2) * error
    low, high = estimate - reach, estimate + reach
    if pilot.logarithmic:
        low, high = np.exp(low), np.exp(high)
    return float(_supported(part.bound, part.effect, low, high).mean())


def error_rate(part: Part, pilot: Pilot, shape: tuple[int, int]) -> float:
    """How often such runs support a part that is just not true: the statistic lies at the bound."""
    return max(support_rate(part, pilot, shape, end) for end in part.bound.ends)


def power(part: Part, pilot: Pilot, shape: tuple[int, int]) -> float:
    """How often such runs support a part whose effect is just the smallest of interest."""
    bound, effect = part.bound, part.effect
    truths = {"low": bound.low + effect, "high": bound.high - effect}
    ends = [truth for truth in truths.values() if abs(truth) < float("inf")]
    return min(support_rate(part, pilot, shape, truth) for truth in ends)


def announced(
    claims: Sequence[Claim], pilots: Mapping[str, Mapping[str, Any]], shape: tuple[int, int]
) -> dict[str, dict[str, float]]:
    """The power of each part of claims that a pilot knows, by claim and part.

    Args:
        claims: which.
        pilots: as from `pilots_of`.
        shape: how many seeds and images are planned.
    """
    return {
        claim.id: {
            name: power(part, Pilot(**pilots[claim.id][name]), shape)
            for name, part in claim.parts.items()
            if part.votes and name in pilots.get(claim.id, {})
        }
        for claim in claims
    }


def undecidable(told: Mapping[str, Mapping[str, float]]) -> dict[str, set[str]]:
    """The parts with too little power (`depthjax.statistics.POWER`), of claims that have such."""
    parts = {
        claim: {name for name, power in powers.items() if power < POWER}
        for claim, powers in told.items()
    }
    return {claim: weak for claim, weak in parts.items() if weak}


def _supported(
    bound: Bound, effect: float | int, low: Float[np.ndarray, " n"], high: Float[np.ndarray, " n"]
) -> np.ndarray:
    """`Bound.judge` of many intervals, whose ends are never just at the bound's."""
    kept = (low > bound.low) & (high < bound.high)
    return kept & (high >= bound.low + effect) & (low <= bound.high - effect)


def _filled(table: Table) -> Float[np.ndarray, "known_seeds known_images"]:
    """A table without gaps: a cell that is not known is what its row and its column say."""
    known = np.isfinite(table)
    table = table[known.any(1)][:, known.any(0)]
    rows, columns = np.nanmean(table, 1, keepdims=True), np.nanmean(table, 0, keepdims=True)
    return np.where(np.isfinite(table), table, rows + columns - np.nanmean(table))
