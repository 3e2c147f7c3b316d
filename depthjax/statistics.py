"""Bootstrap intervals over weight seeds and images, and slopes on depth."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit


class Interval(NamedTuple):
    """A statistic with its bootstrap interval.

    Fields:
        estimate: the statistic of all seeds and images.
        low, high: the ends of the interval; NaN where there is nothing to resample.
        seeds, images: how many of each it rests on.
    """

    estimate: float
    low: float
    high: float
    seeds: int
    images: int


def mean(values: Float[np.ndarray, "seeds images"]) -> float:
    """The mean of the values that are not NaN; NaN if there are none."""
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

    Rows and columns are drawn with replacement, independently of each other, and the statistic is
    computed on the table where they cross. Numbers of one network, or of one image, are not
    independent: pooling them would make the interval too narrow (Owen 2007, "The pigeonhole
    bootstrap").

    The interval is widened to contain Student's interval of the seeds' own statistics. Percentiles
    cannot reach beyond the seeds that exist: if three seeds differ by chance alone, all lie on one
    side of 0 in a quarter of all cases, and each of these cases would be called an effect. A single
    seed says nothing about others: then the interval covers its images alone.

    Args:
        values: one number for each weight seed and image; NaN where there is none.
        statistic: a function from such a table to a number.
        draws: how many tables are drawn.
        level: the share of them that the interval contains.
        seed: the seed of the draws.

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
    """The mean, or the geometric mean, with its interval: for tables and figures.

    Args:
        values: one number for each weight seed and image. Those that are not finite are left out,
            and for a geometric mean those that are not positive, too.
        logarithmic: whether the mean is geometric.

    Raises:
        ValueError: for an empty table.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        given = np.log(values) if logarithmic else values
    interval = bootstrap(np.where(np.isfinite(given), given, np.nan))
    if not logarithmic:
        return interval
    estimate, low, high = np.exp(interval[:3])
    return interval._replace(estimate=float(estimate), low=float(low), high=float(high))


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
        values, others: positive numbers of the same seeds and images. A pair with a number that is
            not positive, or not finite, is left out.
        draws, level, seed: as in `bootstrap`.

    Raises:
        ValueError: for an empty table.
    """
    known = (values > 0) & (others > 0) & np.isfinite(values) & np.isfinite(others)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.where(known, np.log(values) - np.log(others), np.nan)
    interval = bootstrap(logarithms, draws=draws, level=level, seed=seed)
    estimate, low, high = np.exp(interval[:3])
    return interval._replace(estimate=float(estimate), low=float(low), high=float(high))


def depth_slopes(values: Float[np.ndarray, "layers *cells"]) -> Float[np.ndarray, "*cells"]:
    """The change per layer: the least-squares slope on depth, layers being one apart.

    `Σ (l − l̄) y_l / Σ (l − l̄)²`; NaN where a value is not finite.

    Args:
        values: of two layers or more, shallow to deep.
    """
    depth = np.arange(len(values)) - (len(values) - 1) / 2
    with np.errstate(invalid="ignore"):
        slopes = np.tensordot(depth, values, 1) / np.square(depth).sum()
    return np.where(np.isfinite(slopes), slopes, np.nan)


def _means(tables: np.ndarray) -> np.ndarray:
    """`mean` of each table."""
    known = ~np.isnan(tables)
    count = known.sum((1, 2))
    total = np.where(known, tables, 0).sum((1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
