"""Intervals over weight seeds and images, and what they say of a claim."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit


class Interval(NamedTuple):
    """A statistic with its bootstrap interval.

    Fields:
        estimate: of all seeds and images.
        low, high: ends of the interval; NaN where there is nothing to resample.
        seeds, images: how many of each it rests on.
    """

    estimate: float
    low: float
    high: float
    seeds: int
    images: int


def mean(values: Float[np.ndarray, "seeds images"]) -> float:
    """The mean of what is not NaN; NaN if nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def bootstrap(
    values: Float[np.ndarray, "seeds images"],
    statistic: Callable[[Float[np.ndarray, "seeds images"]], float] = mean,
    *,
    draws: int = 2_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The interval of a statistic when both seeds and images are resampled.

    Rows and columns are drawn with replacement, each for itself, and the statistic is taken of the
    table where they cross: numbers of one network, or of one image, are not independent, and
    pooling them would make the interval too narrow (Owen 2007, "The pigeonhole bootstrap").

    The interval holds Student's of the seeds' own statistics, too. With few seeds the percentiles
    cannot reach beyond the seeds there are: of three that differ by chance alone, all lie on one
    side of 0 in a quarter of all cases, and each of these would be called an effect. Of one seed
    nothing is known of others: the interval is of its images alone.

    Args:
        values: one number for each weight seed and image; NaN where there is none.
        statistic: from such a table to a number.
        draws: tables that are drawn.
        level: share of them that the interval holds.
        seed: of the draws.

    Raises:
        ValueError: for an empty table.
    """
    seeds, images = values.shape
    if not values.size:
        raise ValueError(f"no values to take intervals of: {seeds} seeds and {images} images")
    random = np.random.default_rng(seed)
    rows = random.integers(seeds, size=(draws, seeds))
    columns = random.integers(images, size=(draws, images))
    tables = values[rows[:, :, None], columns[:, None, :]]  # [draws, seeds, images]
    # One by one, they would take a hundred times as long.
    every = _means if statistic is mean else lambda drawn: list(map(statistic, drawn))
    drawn = np.array(every(tables), float)
    known = drawn[~np.isnan(drawn)]
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if known.size else (np.nan, np.nan)
    of_seeds = np.array([statistic(row[None]) for row in values], float)
    of_seeds = of_seeds[~np.isnan(of_seeds)]
    if len(of_seeds) > 1:
        error = of_seeds.std(ddof=1) / np.sqrt(len(of_seeds))
        reach = stdtrit(len(of_seeds) - 1, (1 + level) / 2) * error
        low, high = min(low, of_seeds.mean() - reach), max(high, of_seeds.mean() + reach)
    return Interval(float(statistic(values)), float(low), float(high), seeds, images)


def interval_of(
    values: Float[np.ndarray, "seeds images"], *, logarithmic: bool = False
) -> Interval:
    """The mean with its interval, or the geometric mean: for tables and figures.

    Args:
        values: one number for each weight seed and image; those that are not finite, or whose
            logarithms are not where these are averaged, are left out.
        logarithmic: whether the mean is geometric.

    Raises:
        ValueError: for an empty table.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        given = np.log(values) if logarithmic else values
    found = bootstrap(np.where(np.isfinite(given), given, np.nan))
    if not logarithmic:
        return found
    estimate, low, high = np.exp(found[:3])
    return found._replace(estimate=float(estimate), low=float(low), high=float(high))


def bootstrap_ratio(
    values: Float[np.ndarray, "seeds images"],
    others: Float[np.ndarray, "seeds images"],
    *,
    draws: int = 2_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The geometric mean of `values / others`, pair by pair, with its interval.

    Args:
        values, others: positive numbers of the same seeds and images; what is not leaves its pair
            out.
        draws, level, seed: as in `bootstrap`, where seeds and images are resampled.

    Raises:
        ValueError: for an empty table.
    """
    known = (values > 0) & (others > 0) & np.isfinite(values) & np.isfinite(others)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.where(known, np.log(values) - np.log(others), np.nan)
    found = bootstrap(logarithms, draws=draws, level=level, seed=seed)
    estimate, low, high = np.exp(found[:3])
    return Interval(float(estimate), float(low), float(high), found.seeds, found.images)


def depth_slopes(values: Float[np.ndarray, "layers *cells"]) -> Float[np.ndarray, "*cells"]:
    """The change per layer: the least-squares slope on depth of what lies one layer apart.

    `Σ (l − l̄) y_l / Σ (l − l̄)²`; NaN where a value is not finite.

    Args:
        values: of two layers or more, shallow to deep.
    """
    depth = np.arange(len(values)) - (len(values) - 1) / 2
    with np.errstate(invalid="ignore"):
        found = np.tensordot(depth, values, 1) / np.square(depth).sum()
    return np.where(np.isfinite(found), found, np.nan)


@dataclass(frozen=True)
class Finding:
    """What a run says of one claim of the paper, at one place.

    Fields:
        claim: its number in our list, such as `C11`.
        where: network and layer.
        statistic: what was computed, in words.
        rule: when the claim counts as supported, such as `> 0`, `< 0.05`, `<= 0`, or
            `within 0.5 2`, ends included.
        interval: the numbers.
    """

    claim: str
    where: str
    statistic: str
    rule: str
    interval: Interval

    def __post_init__(self) -> None:
        _parsed(self.rule)

    @property
    def verdict(self) -> str:
        """`supported` or `contradicted` if the whole interval says so, else `open`.

        `not reached` where there was nothing to compute it from.
        """
        _, low, high = self.interval[:3]
        if np.isnan(self.interval.estimate) or np.isnan(low):
            return "not reached"
        relation, *bounds = _parsed(self.rule)
        if relation == "within":
            least, most = bounds
            if least <= low and high <= most:
                return "supported"
            return "contradicted" if low > most or high < least else "open"
        (bound,) = bounds
        if relation.startswith(">"):
            low, high, bound = -high, -low, -bound
        if high < bound or (high == bound and relation.endswith("=")):
            return "supported"
        return "contradicted" if low > bound else "open"

    def record(self) -> dict[str, Any]:
        """As JSON takes it; `finding_from_record` is the way back."""
        numbers = {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in self.interval._asdict().items()
        }
        fields = {name: getattr(self, name) for name in ("claim", "where", "statistic", "rule")}
        return {**fields, **numbers, "verdict": self.verdict}


def finding_from_record(record: dict[str, Any]) -> Finding:
    """The finding that `Finding.record` described."""
    numbers: dict[str, Any] = {
        name: float("nan") if record[name] is None else record[name] for name in Interval._fields
    }
    fields = {name: record[name] for name in ("claim", "where", "statistic", "rule")}
    return Finding(**fields, interval=Interval(**numbers))


def _means(tables: np.ndarray) -> np.ndarray:
    """`mean` of each table."""
    known = ~np.isnan(tables)
    count = known.sum((1, 2))
    total = np.where(known, tables, 0).sum((1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _parsed(rule: str) -> tuple[str, *tuple[float, ...]]:
    """The relation and its one number, or the two ends of `within`."""
    relation, *bounds = rule.split() or [""]
    wanted = {"<": 1, "<=": 1, ">": 1, ">=": 1, "within": 2}
    numbers = tuple(map(float, bounds)) if len(bounds) == wanted.get(relation) else ()
    if not numbers or sorted(numbers) != list(numbers):
        raise ValueError(
            f"{rule!r} is no rule; write > 0, or <, <=, >= and a number, or within 0.5 2"
        )
    return relation, *numbers
