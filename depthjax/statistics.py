"""Intervals of tables of weight seeds × images, and slopes on depth.

One method for every statistic: the crossed delete-one jackknife. For a mean over a table,

    SE² = V_seeds + V_images,    V = (n − 1)/n Σ (mean without the k-th − their mean)²,

the variance over seeds plus that over images; what seeds and images do together is counted in both,
so the variance is too large rather than too small (Owen 2007, "The pigeonhole bootstrap"). The
interval is Student's, with Satterthwaite's degrees of freedom,
V² / (V_seeds²/(S − 1) + V_images²/(P − 1)). Nothing is drawn at random.

These degrees are estimates, too. Where three seeds differ more than images do and by chance come
out alike, they are too many: such an interval holds the truth in 92 of 100 cases in place of 95,
and small p are farther off. `cautious` is an interval without that fault, to compare with.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias, cast

import numpy as np
import scipy
from jaxtyping import Float
from numpy.typing import ArrayLike

Fixed: TypeAlias = Literal["", "seeds", "images", "exact"]
"""What is no sample. Empty: seeds and images are both drawn from many. `seeds`, `images`: these are
the things that are spoken of, such as one trained network. `exact`: the statistic has no error, as
counts and identities have none; it says something of every seed and image that was measured."""

Table: TypeAlias = Float[np.ndarray, "seeds images"]

LEAST = 3
"""So many known seeds, and images, an interval needs that makes a verdict."""

KNOWN = 0.8
"""The share of a table that must be known: what is missing are the hard cases."""

LEVEL, POWER = 0.95, 0.8


class Interval(NamedTuple):
    """A statistic with its interval.

    Fields:
        estimate: the statistic of all that is known.
        low, high: the ends of the interval; NaN where too little is known for one. Of an exact
            statistic, its least and its largest value.
        seeds, images: of how many of each something is known.
        missing: how many cells of the table are not known.
        error: the standard error; of a geometric mean, that of the logarithm.
        freedom: the degrees of freedom.
        logarithmic: whether it is a geometric mean.
    """

    estimate: float
    low: float
    high: float
    seeds: int
    images: int
    missing: int = 0
    error: float = float("nan")
    freedom: float = float("nan")
    logarithmic: bool = False

    @classmethod
    def of(
        cls,
        estimate: float,
        error: float,
        freedom: float,
        counts: tuple[int, int, int],
        *,
        logarithmic: bool = False,
    ) -> "Interval":
        """Student's interval.

        Args:
            estimate: of the statistic, or of its logarithm.
            error: its standard error.
            freedom: the degrees of freedom.
            counts: `seeds`, `images` and `missing`.
            logarithmic: whether the statistic is the exponential.
        """
        reach = float(scipy.special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
        ends = np.array([estimate, estimate - reach, estimate + reach])
        middle, low, high = (np.exp(ends) if logarithmic else ends).tolist()
        return cls(middle, low, high, *counts, error, freedom, logarithmic)

    def p_value(self, end: float | int, *, above: bool) -> float:
        """The one-sided p of the hypothesis that the statistic lies on the other side of `end`.

        Args:
            end: where the hypothesis begins.
            above: whether the hypothesis is that the statistic is at most `end`.

        Returns:
            NaN without an interval; 0 or 1 for an exact statistic.
        """
        if np.isnan(self.low):
            return float("nan")
        if self.error == 0:
            return float(self.low < end if above else self.high > end)
        distance = _unit(self.estimate, self.logarithmic) - _unit(end, self.logarithmic)
        score = distance / self.error
        return float(scipy.special.stdtr(self.freedom, -score if above else score))

    def half_widths(self, end: float | int, *, above: bool) -> float:
        """How far beyond `end` the estimate lies, in half-widths of an interval that has a width.

        Of a geometric mean all three are logarithms, as which they are symmetric.

        Args:
            end: of the bound.
            above: whether beyond is above.
        """
        middle, low, high, start = (
            _unit(value, self.logarithmic) for value in (*self[:3], float(end))
        )
        return (middle - start if above else start - middle) / ((high - low) / 2)

    def detectable(self, end: float | int, *, above: bool) -> float:
        """How far beyond `end` the truth must lie for such an interval to lie beyond it, too.

        In four of five runs (`POWER`), by the non-central t distribution.

        Args:
            end: of the bound.
            above: whether beyond is above.

        Returns:
            A distance in the statistic's own unit; NaN without an interval.
        """
        if np.isnan(self.low) or self.error == 0:
            return self.error
        reach = scipy.special.stdtrit(self.freedom, (1 + LEVEL) / 2)
        shift = float(scipy.special.nctdtrinc(self.freedom, 1 - POWER, reach)) * self.error
        if not self.logarithmic:
            return shift
        return float(abs(end * np.expm1(shift if above else -shift)))


def mean_errors(
    values: Float[np.ndarray, "*draws seeds images"], fixed: Fixed = ""
) -> tuple[Float[np.ndarray, "*draws"], Float[np.ndarray, "*draws"], Float[np.ndarray, "*draws"]]:
    """The means of tables, their standard errors and degrees of freedom, by the jackknife.

    Args:
        values: NaN where nothing is known.
        fixed: `seeds` or `images`, whose differences are no error.
    """
    known = np.isfinite(values)
    numbers = np.where(known, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = numbers.sum((-2, -1)) / known.sum((-2, -1))
        parts = [
            _deletion(numbers.sum(axis), known.sum(axis))
            for name, axis in (("seeds", -1), ("images", -2))
            if name != fixed
        ]
        variance = np.asarray(np.sum([part for part, _ in parts], axis=0))
        freedom = variance**2 / np.sum([part**2 / degrees for part, degrees in parts], axis=0)
    return np.asarray(estimate), np.asarray(np.sqrt(variance)), np.asarray(freedom)


def _deletion(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The variance of the mean by leaving out each row, and its degrees of freedom."""
    there = counts > 0
    total, size = sums.sum(-1, keepdims=True), counts.sum(-1, keepdims=True)
    without = np.where(there, (total - sums) / (size - counts), 0.0)
    number = there.sum(-1)
    middle = without.sum(-1) / number
    spread = np.square(np.where(there, without - middle[..., None], 0.0)).sum(-1)
    return np.asarray(spread * (number - 1) / number), np.asarray(number - 1.0)


def interval(values: Table, *, fixed: Fixed = "", logarithmic: bool = False) -> Interval:
    """The mean of a table with its 95 % interval.

    There is none (NaN) from fewer than three known seeds or images, unless they are fixed; from
    a table of which less than four fifths are known; or where no two cells differ, since a width of
    zero is no knowledge. An exact statistic has its range instead, if all of it is known.

    Args:
        values: one number for each weight seed and image; NaN where there is none.
        fixed: what is no sample.
        logarithmic: whether the numbers are logarithms, and the statistic a geometric mean.

    Raises:
        ValueError: for an empty table.
    """
    if not values.size:
        raise ValueError(f"no values to take intervals of: a table of shape {values.shape}")
    known = np.isfinite(values)
    sizes = {"seeds": int(known.any(1).sum()), "images": int(known.any(0).sum())}
    counts = sizes["seeds"], sizes["images"], int(known.size - known.sum())
    if not known.any():
        return Interval(np.nan, np.nan, np.nan, *counts, logarithmic=logarithmic)
    if fixed == "exact":
        return _range(values, counts, logarithmic)
    estimate, error, freedom = map(float, mean_errors(values, fixed))
    sampled = [size for name, size in sizes.items() if name != fixed]
    flat = not error > 1e-12 * np.abs(values[known]).max()
    if min(sampled) < LEAST or known.mean() < KNOWN or flat:
        error = freedom = float("nan")
    return Interval.of(estimate, error, freedom, counts, logarithmic=logarithmic)


def cautious(values: Table, *, fixed: Fixed = "", logarithmic: bool = False) -> Interval:
    """`interval`, with a reach that is too long rather than too short: √(t² V_seeds + t² V_images).

    Each t has the degrees of freedom of its own part, which are counts and no estimates. For seeds
    or images alone, and exact numbers, it is `interval`.

    Args:
        values, fixed, logarithmic: as there.

    Returns:
        An interval whose degrees of freedom are those that give this reach.

    Raises:
        ValueError: for an empty table.
    """
    found = interval(values, fixed=fixed, logarithmic=logarithmic)
    if fixed or np.isnan(found.low):
        return found
    reach = 0.0
    for other, size in (("images", found.seeds), ("seeds", found.images)):
        _, error, _ = mean_errors(values, cast(Fixed, other))
        reach += (float(scipy.special.stdtrit(size - 1, (1 + LEVEL) / 2)) * float(error)) ** 2
    freedom = float(scipy.special.stdtridf((1 + LEVEL) / 2, np.sqrt(reach) / found.error))
    middle = np.log(found.estimate) if logarithmic else found.estimate
    counts = found.seeds, found.images, found.missing
    return Interval.of(middle, found.error, freedom, counts, logarithmic=logarithmic)


def _range(values: Table, counts: tuple[int, int, int], logarithmic: bool) -> Interval:
    """An exact statistic, which has no error but is of every seed and image."""
    ends = np.array([np.nanmean(values), values.min(), values.max()])  # NaN if not all is known
    middle, low, high = (np.exp(ends) if logarithmic else ends).tolist()
    error = float("nan") if counts[2] else 0.0
    return Interval(middle, low, high, *counts, error, np.nan, logarithmic)


def interval_of(values: Table, *, logarithmic: bool = False) -> Interval:
    """The mean, or the geometric mean, with its interval: for tables and figures, not verdicts.

    Where there are fewer than three known seeds, or images, the interval is of these, over the
    others alone.

    Args:
        values: one number for each weight seed and image. Those that are not finite are left out,
            and for a geometric mean those that are not positive, too.
        logarithmic: whether the mean is geometric.

    Raises:
        ValueError: for an empty table.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.log(values) if logarithmic else values
    known = np.isfinite(table)
    few = known.any(1).sum() < LEAST, known.any(0).sum() < LEAST
    fixed: Fixed = "seeds" if few[0] else "images" if few[1] else ""
    return interval(table, fixed=fixed, logarithmic=logarithmic)


def estimates(
    tables: Iterable[Iterable[Float[np.ndarray, "_ _"]]], *, logarithmic: bool = False
) -> Float[np.ndarray, "rows columns 3"]:
    """`interval_of` each of several tables: estimate, low and high, as figures take them.

    Args:
        tables: rows of tables, as many in each row; each of its own shape.
        logarithmic: as for `interval`.
    """
    cells = [[interval_of(one, logarithmic=logarithmic)[:3] for one in row] for row in tables]
    return np.array(cells, np.float64)


def as_means(values: Table, statistic: Callable[[Table], float]) -> Table:
    """A table whose mean is any statistic, and whose interval is the jackknife's for it.

    `T + r_i + c_j`, where r_i and c_j are what leaving out a seed or an image changes, times their
    numbers less one, their means taken off.

    Args:
        values: of two seeds and images or more.
        statistic: a function of such a table.
    """
    whole = statistic(values)
    sizes = values.shape
    influences = [
        (sizes[axis] - 1)
        * (whole - np.array([statistic(np.delete(values, k, axis)) for k in range(sizes[axis])]))
        for axis in (0, 1)
    ]
    of_seeds, of_images = (influence - influence.mean() for influence in influences)
    return whole + of_seeds[:, None] + of_images


def finite_median(values: ArrayLike) -> float:
    """The median of the finite values, of any shape; NaN where there are none."""
    given = np.asarray(values, float)
    finite = given[np.isfinite(given)]
    return float(np.median(finite)) if finite.size else float("nan")


def depth_slopes(values: Float[np.ndarray, "layers *cells"]) -> Float[np.ndarray, "*cells"]:
    """The change per layer: the least-squares slope on depth, layers being one apart.

    `Σ (l − l̄) y_l / Σ (l − l̄)²`; NaN where a value is not finite.

    Args:
        values: of two layers or more, shallow to deep.
    """
    return least_slopes(values, values)


def least_slopes(
    low: Float[np.ndarray, "layers *cells"],
    high: Float[np.ndarray, "layers *cells"],
    index: Sequence[float] | None = None,
    groups: Sequence[int] | None = None,
) -> Float[np.ndarray, "*cells"]:
    """The least slope on depth that brackets of values allow, with an intercept for each group.

    `Σ (l − l̄_g) y_l / Σ (l − l̄_g)²` with the lower ends of y in the deeper part of each group g and
    the upper ends in the other; with ends that are one, it is the slope of least squares.

    Args:
        low, high: the ends of y, shallow to deep.
        index: l, the place of each layer; by default layers are one apart.
        groups: the group of each layer; by default all are one. A layer that is alone in its group
            says nothing.

    Returns:
        NaN where an end that counts is not finite, and where no group has two layers.
    """
    of_group = np.equal.outer(*[np.zeros(len(low)) if groups is None else np.asarray(groups)] * 2)
    several = of_group.sum(1) > 1
    place = np.arange(len(low), dtype=float) if index is None else np.asarray(index, float)
    along = (place - of_group @ place / of_group.sum(1))[several]
    square = along @ along
    if not square > 0:
        return np.full(low.shape[1:], np.nan)
    along = along.reshape(-1, *[1] * (low.ndim - 1))
    with np.errstate(invalid="ignore"):
        slopes = (along * np.where(along > 0, low[several], high[several])).sum(0) / square
    return np.where(np.isfinite(slopes), slopes, np.nan)


def _unit(value: float | int, logarithmic: bool) -> float:
    """A number where its errors are symmetric; -inf for a geometric mean's bound of 0."""
    if not logarithmic:
        return float(value)
    return float(np.log(value)) if value > 0 else float("-inf")
