"""Bounds: where a statistic has to lie for support, and what an interval says of them."""

from dataclasses import dataclass
from math import inf, isnan
from typing import Literal, cast

from depthjax.statistics import Interval

Relation = Literal["<", "<=", ">", ">=", "within"]
Verdict = Literal["supported", "contradicted", "open", "not reached", "not found"]

_LOWER, _UPPER = ("low",), ("high",)
_ENDS = {"<": _UPPER, "<=": _UPPER, ">": _LOWER, ">=": _LOWER, "within": _LOWER + _UPPER}
_HINT = "write > 0, or <, <=, >= and a number, or within 0.5 2"


@dataclass(frozen=True)
class Bound:
    """Where a statistic has to lie for support: `> 0`, `<= 2`, or `within 0.5 2`, ends included.

    Fields:
        relation: `<`, `<=`, `>`, `>=` or `within`.
        low: the lower end; -inf for `<` and `<=`.
        high: the upper end; inf for `>` and `>=`.

    Raises:
        ValueError: for another relation, or for ends that do not fit it.
    """

    relation: Relation
    low: float = -inf
    high: float = inf

    def __post_init__(self) -> None:
        finite = tuple(end for end in ("low", "high") if abs(getattr(self, end)) < inf)
        if _ENDS.get(self.relation) != finite or not self.low <= self.high:
            raise ValueError(
                f"no bound: {self.relation} from {self.low:g} to {self.high:g}; {_HINT}"
            )

    @classmethod
    def above(cls, low: float | int) -> "Bound":
        """`> low`."""
        return cls(">", low=float(low))

    @classmethod
    def below(cls, high: float | int) -> "Bound":
        """`< high`."""
        return cls("<", high=float(high))

    @classmethod
    def at_most(cls, high: float | int) -> "Bound":
        """`<= high`."""
        return cls("<=", high=float(high))

    @classmethod
    def within(cls, low: float | int, high: float | int) -> "Bound":
        """`within low high`, ends included."""
        return cls("within", float(low), float(high))

    @classmethod
    def parse(cls, rule: str) -> "Bound":
        """The bound that `str` wrote: `Bound.parse("within 0.5 2")`.

        Raises:
            ValueError: for any other text.
        """
        relation, *numbers = rule.split() or [""]
        try:
            ends = zip(_ENDS[relation], map(float, numbers), strict=True)
            return cls(cast(Relation, relation), **dict(ends))
        except (KeyError, ValueError):
            raise ValueError(f"{rule!r} is no rule; {_HINT}") from None

    @property
    def ends(self) -> tuple[float, ...]:
        """The finite ends: one, or both of `within`."""
        return tuple(getattr(self, end) for end in _ENDS[self.relation])

    def judge(self, interval: Interval, effect: float | int = 0.0) -> Verdict:
        """What an interval says of the bound, and of an effect that would be of interest.

        Args:
            interval: of the statistic.
            effect: how far within the bound a statistic must lie for the effect to matter.

        Returns:
            `contradicted` if the whole interval lies short of the bound and the effect: an effect
            of interest is excluded. Else `supported` if the whole interval keeps the bound, `open`
            if it holds an end, and `not reached` where there is no interval (NaN).
        """
        low, high = interval.low, interval.high
        if isnan(interval.estimate) or isnan(low):
            return "not reached"
        if low > self.high - effect or high < self.low + effect:
            return "contradicted"
        if self.relation in ("<", ">"):
            kept = high < self.high if self.relation == "<" else low > self.low
        else:
            kept = self.low <= low and high <= self.high
        return "supported" if kept else "open"

    def p_value(self, interval: Interval) -> float:
        """The one-sided p of the hypothesis that the statistic does not keep the bound.

        Returns:
            Of both ends the larger p; NaN where there is no interval. An exact statistic has 0
            where it keeps the bound and 1 elsewhere.
        """
        if interval.error == 0 and not isnan(interval.low):
            return 0.0 if self.judge(interval) == "supported" else 1.0
        return max(interval.p_value(end, above=above) for end, above in self._sides)

    def detectable(self, interval: Interval) -> float:
        """How far within the bound the truth must lie for four of five such runs to support it.

        Returns:
            A distance in the statistic's own unit; NaN where there is no interval.
        """
        return max(interval.detectable(end, above=above) for end, above in self._sides)

    def margin(self, interval: Interval) -> float:
        """How far an estimate lies within the bound, in half-widths of its interval.

        Args:
            interval: of a width above 0.

        Returns:
            The distance of the nearer end; negative if the estimate violates the bound.
        """
        return min(interval.half_widths(end, above=above) for end, above in self._sides)

    @property
    def _sides(self) -> list[tuple[float, bool]]:
        """Each finite end, and whether the bound lies above it."""
        return [(getattr(self, name), name == "low") for name in _ENDS[self.relation]]

    def __str__(self) -> str:
        return " ".join([self.relation, *map(_shortest, self.ends)])


def _shortest(value: float) -> str:
    """`0.05`, `1e-13`, `2`: six digits, or as many as it takes to read the number back."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)
