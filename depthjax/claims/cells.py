"""Cells: the numbers of each weight seed and image that a finding rests on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from depthjax.statistics import LEAST, Fixed, Interval, Table, cautious, interval


@dataclass(frozen=True)
class Cells:
    """One number for each weight seed and image, whose mean is a statistic.

    Fields:
        values: rows of seeds; None where nothing is known.
        fixed: what is no sample.
        logarithmic: whether the numbers are logarithms, and the statistic a geometric mean.
    """

    values: tuple[tuple[float | None, ...], ...]
    fixed: Fixed = ""
    logarithmic: bool = False

    @classmethod
    def of(cls, table: Table, *, fixed: Fixed = "", logarithmic: bool = False) -> "Cells":
        """The cells of a table, to seven digits.

        Args:
            table: numbers; those that are not finite, and for a geometric mean those that are not
                positive, count as unknown.
            fixed: what is no sample.
            logarithmic: whether the mean is geometric.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            given = np.log(table) if logarithmic else np.asarray(table, float)
        rows = [[_rounded(value) for value in row] for row in given.tolist()]
        return cls(tuple(map(tuple, rows)), fixed, logarithmic)

    @property
    def table(self) -> Table:
        """The numbers, or their logarithms; NaN where nothing is known."""
        return np.array([[np.nan if v is None else v for v in row] for row in self.values], float)

    @property
    def known(self) -> float:
        """The share of the numbers that are known."""
        return float(np.isfinite(self.table).mean())

    @property
    def sampled(self) -> bool:
        """Whether there are seeds and images enough for an interval, if they all become known."""
        sizes = dict(zip(("seeds", "images"), self.table.shape, strict=True))
        return self.fixed == "exact" or all(
            size >= LEAST for name, size in sizes.items() if name != self.fixed
        )

    @cached_property
    def interval(self) -> Interval:
        """The mean with its interval; see `interval`."""
        return interval(self.table, fixed=self.fixed, logarithmic=self.logarithmic)


class CautiousCells(Cells):
    """Cells whose interval is `depthjax.statistics.cautious`."""

    @cached_property
    def interval(self) -> Interval:
        """The mean with its interval; see `cautious`."""
        return cautious(self.table, fixed=self.fixed, logarithmic=self.logarithmic)


def _rounded(value: float) -> float | None:
    return float(f"{value:.7g}") if np.isfinite(value) else None
