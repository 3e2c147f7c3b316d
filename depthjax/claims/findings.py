"""Findings: one number of one run, with its interval, and what it says of a claim.

A finding is data. The study that computes it names the claim and the part of the claim that it
judges, the network and the layer. Sentences (`where`, `statistic`, `rule`) are made from the fields
when they are printed, and nothing is ever read back from them.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan, nan
from pathlib import Path
from typing import Any, Literal, cast

from depthjax.statistics import Interval

Relation = Literal["<", "<=", ">", ">=", "within"]
Verdict = Literal["supported", "contradicted", "open", "not reached"]
Aside = Literal["", "contrast", "control"]

_CONTRAST = ", contrast"
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
    def at_least(cls, low: float | int) -> "Bound":
        """`>= low`."""
        return cls(">=", low=float(low))

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

    def judge(self, interval: Interval) -> Verdict:
        """What an interval says.

        Returns:
            `supported` if the whole interval keeps the bound, `contradicted` if all of it violates
            the bound, `open` if it holds an end, and `not reached` where there was nothing to
            compute an interval from (NaN).
        """
        low, high = interval.low, interval.high
        if isnan(interval.estimate) or isnan(low):
            return "not reached"
        if low > self.high or high < self.low:
            return "contradicted"
        if self.relation in ("<", ">"):
            kept = high < self.high if self.relation == "<" else low > self.low
        else:
            kept = self.low <= low and high <= self.high
        return "supported" if kept else "open"

    def margin(self, estimate: float | int) -> float:
        """How far an estimate lies within the bound; negative if it violates it."""
        return min(estimate - self.low, self.high - estimate)

    def reach(self, interval: Interval) -> float:
        """How far the interval reaches from its estimate towards the bound, at least 0 or NaN.

        An estimate that lies farther than this within the bound, with the same interval around it,
        is support: this is the smallest effect that a run can detect, in the statistic's own unit.
        """
        estimate, low, high = interval[:3]
        toward = {"low": estimate - low, "high": high - estimate}
        return float(max(toward[end] for end in _ENDS[self.relation]))

    def __str__(self) -> str:
        return " ".join([self.relation, *map(_shortest, self.ends)])


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a run says of one claim, at one place.

    Fields:
        claim: the claim's id, such as `C11`; see `depthjax.claims.paper`.
        part: which of `Claim.parts` it judges. Empty for a number that belongs to the claim's study
            and is shown beside it, but that the claim does not rest on.
        network, layer: where it was measured; empty if it is of no single one.
        note: the rest of the place, such as `1/f noise` or `within stages`.
        quantity: what was computed, in words.
        detail: what it was computed of, or between, such as `photos − untrained`.
        known: of how many values, where some do not exist: `(8, 9)` for 8 of 9.
        bound: when the number counts as support.
        interval: the number.
        aside: why it has no vote: `contrast` if it is of another case than the claim's, `control`
            if it is of a network that differs from its counterpart by chance alone. Empty if it has
            a vote.
    """

    claim: str
    part: str = ""
    network: str = ""
    layer: str = ""
    note: str = ""
    quantity: str
    detail: str = ""
    known: tuple[int, int] | None = None
    bound: Bound
    interval: Interval
    aside: Aside = ""

    @property
    def votes(self) -> bool:
        """Whether it may decide about its claim; contrasts and controls may not."""
        return not self.aside

    @property
    def verdict(self) -> Verdict:
        """What the interval says of the bound; see `Bound.judge`."""
        return self.bound.judge(self.interval)

    @property
    def title(self) -> str:
        """The claim, in print: `C15`, or `C15, contrast`."""
        return self.claim + _CONTRAST if self.aside == "contrast" else self.claim

    @property
    def where(self) -> str:
        """The place, in print: `photos, layer4, 1/f noise`."""
        return ", ".join(filter(None, (self.network, self.layer, self.note)))

    @property
    def statistic(self) -> str:
        """What was computed, in print: `log ρ, fixed steps with blur: photos − untrained`."""
        text = f"{self.quantity}: {self.detail}" if self.detail else self.quantity
        return text if self.known is None else f"{text} ({self.known[0]} of {self.known[1]})"

    @property
    def rule(self) -> str:
        """The bound, in print: `< 0.05`."""
        return str(self.bound)

    def record(self) -> dict[str, Any]:
        """The finding as JSON takes it: in print, then by its fields; NaN becomes None."""
        printed = {"claim": self.title}
        printed |= {name: getattr(self, name) for name in ("where", "statistic", "rule")}
        numbers = {
            name: None if isinstance(value, float) and isnan(value) else value
            for name, value in self.interval._asdict().items()
        }
        fields: dict[str, Any] = {name: getattr(self, name) for name in _WORDS}
        fields["known"] = None if self.known is None else list(self.known)
        return {**printed, **numbers, "verdict": self.verdict, **fields}


_WORDS = ("part", "network", "layer", "note", "quantity", "detail", "aside")


def finding_from_record(record: Mapping[str, Any]) -> Finding:
    """The finding that `Finding.record` described.

    Older records have sentences but no fields. What they say is kept, so that it is printed as
    before; but nobody knows which part of the claim they judge, so they decide nothing.
    """
    numbers: dict[str, Any] = {
        name: nan if record[name] is None else record[name] for name in Interval._fields
    }
    claim = str(record["claim"])
    fields: dict[str, Any] = {"note": record["where"], "quantity": record["statistic"]}
    if claim.endswith(_CONTRAST):
        fields["aside"] = "contrast"
    fields |= {name: record[name] for name in _WORDS if name in record}
    if record.get("known") is not None:
        fields["known"] = tuple(record["known"])
    return Finding(
        claim=claim.removesuffix(_CONTRAST),
        bound=Bound.parse(record["rule"]),
        interval=Interval(**numbers),
        **fields,
    )


def load_findings(folder: str | os.PathLike[str]) -> list[Finding]:
    """Reads the `findings.json` in a folder of results.

    Raises:
        ValueError: if there is none, or it cannot be read.
    """
    path = Path(folder) / "findings.json"
    if not path.is_file():
        raise ValueError(f"no findings in {str(folder)!r}: it has no {path.name}")
    try:
        return [finding_from_record(record) for record in json.loads(path.read_text())]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}") from error


def _shortest(value: float) -> str:
    """`0.05`, `1e-13`, `2`: six digits, or as many as it takes to read the number back."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)
