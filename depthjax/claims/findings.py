"""Findings: one number of one run, with its cells, and what it says of a claim.

A finding is data. The study that computes it names the claim and the part of the claim that it
judges, the network and the layer. Sentences (`where`, `statistic`, `rule`) are made from the fields
when they are printed, and nothing is ever read back from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Literal

from depthjax.claims.bound import Bound, Verdict
from depthjax.claims.cells import Cells
from depthjax.statistics import KNOWN, LEAST, Fixed, Interval

Aside = Literal["", "contrast", "control"]

_CONTRAST = ", contrast"


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
        known: of how many values behind the cells, where some do not exist: `(8, 9)` for 8 of 9.
        bound: when the number counts as support.
        measured: the number of each weight seed and image. Of files that have none, the interval
            alone; such findings are shown and decide nothing.
        fixed_without_cells: what is no sample, of such a finding; see `fixed`.
        aside: why it has no vote: `contrast` if it is of another case than the claim's, `control`
            if it is of a network that differs from its counterpart by chance alone. Empty if it has
            a vote.
        search: whether it is the best that was found, and the truth at least that: of a search, of
            brackets, or of a control that shows what a statistic can tell. To find nothing is then
            no contradiction.
        plan: the digest of the claim when the run was begun (`depthjax.claims.frozen`); empty of
            findings that no run has stored, and of older runs.
        exploratory: whether the claim, or a rule, was changed after the run had begun.
        run: the name of its run, where there are several.
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
    measured: Cells | Interval
    fixed_without_cells: Fixed = ""
    aside: Aside = ""
    search: bool = False
    plan: str = ""
    exploratory: bool = False
    run: str = ""

    @property
    def votes(self) -> bool:
        """Whether it may decide about its claim; contrasts and controls may not."""
        return not self.aside

    @property
    def fixed(self) -> Fixed:
        """What is no sample; see `depthjax.statistics.Fixed`."""
        return self.measured.fixed if isinstance(self.measured, Cells) else self.fixed_without_cells

    @property
    def interval(self) -> Interval:
        """The number with its interval; none (NaN) if too few of the values behind it exist."""
        found = self.measured
        if isinstance(found, Cells):
            found = found.interval
        if self.known is not None and self.known[0] < KNOWN * self.known[1]:
            return found._replace(low=nan, high=nan, error=nan, freedom=nan)
        return found

    @property
    def is_sparse(self) -> bool:
        """Whether too few of its cells, or of the values behind them, exist."""
        behind = self.known is not None and self.known[0] < KNOWN * self.known[1]
        cells = isinstance(self.measured, Cells) and self.measured.known < KNOWN
        return behind or cells

    @property
    def sampled(self) -> bool:
        """Whether its run has seeds and images enough for an interval, whatever they came to."""
        if isinstance(self.measured, Cells):
            return self.measured.sampled
        return min(self.measured.seeds, self.measured.images) >= LEAST

    @property
    def verdict(self) -> Verdict:
        """What the interval says of the bound; see `judged`."""
        return self.judged()

    def judged(self, effect: float | int = 0.0) -> Verdict:
        """What the interval says of the bound and of an effect of interest; see `Bound.judge`.

        An exact number must keep the bound for every seed and image: one exception contradicts. A
        search that finds nothing ends as `not found`.
        """
        verdict = self.bound.judge(self.interval, effect)
        if verdict == "open" and self.fixed == "exact":
            verdict = "contradicted"
        return "not found" if verdict == "contradicted" and self.search else verdict

    @property
    def told(self) -> str:
        """The verdict in print; of what was settled after the run: `supported, exploratory`."""
        return f"{self.verdict}, exploratory" if self.exploratory else self.verdict

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
        known = self.known
        if known is None and isinstance(self.measured, Cells) and self.interval.missing:
            total = self.measured.table.size
            known = (total - self.interval.missing, total)
        return text if known is None else f"{text} ({known[0]} of {known[1]})"

    @property
    def rule(self) -> str:
        """The bound, in print: `< 0.05`."""
        return str(self.bound)

    @property
    def sample(self) -> str:
        """What the number rests on, seeds × images, in print: `3 × 5`, `these 1 × 5`, `exact`."""
        seeds, images = str(self.interval.seeds), str(self.interval.images)
        if self.fixed == "seeds":
            seeds = f"these {seeds}"
        elif self.fixed == "images":
            images = f"these {images}"
        return f"{seeds} × {images}" + (", exact" if self.fixed == "exact" else "")

    def record(self) -> dict[str, Any]:
        """The finding as JSON takes it: in print, then by its fields; NaN becomes None."""
        printed = {"claim": self.title}
        printed |= {name: getattr(self, name) for name in ("where", "statistic", "rule")}
        numbers = {name: _plain(value) for name, value in self.interval._asdict().items()}
        fields: dict[str, Any] = {name: getattr(self, name) for name in _WORDS}
        fields["known"] = None if self.known is None else list(self.known)
        fields["fixed"] = self.fixed
        if isinstance(self.measured, Cells):
            fields["cells"] = [list(row) for row in self.measured.values]
        told = {"verdict": self.verdict, "sample": self.sample}
        return {**printed, **numbers, **told, **fields}


_WORDS = ("part", "network", "layer", "note", "quantity", "detail", "aside", "search")


def _plain(value: float | int) -> float | int | None:
    """A number as JSON takes it: infinite degrees of freedom and NaN become None."""
    return value if isinstance(value, int) or abs(value) < float("inf") else None


def finding_from_record(record: Mapping[str, Any]) -> Finding:
    """The finding that `Finding.record` described.

    Older records have sentences but no fields, or an interval but no cells. What they say is kept,
    so that it is printed as before; but they decide nothing.
    """
    claim = str(record["claim"])
    fields: dict[str, Any] = {"note": record["where"], "quantity": record["statistic"]}
    if claim.endswith(_CONTRAST):
        fields["aside"] = "contrast"
    fields |= {name: record[name] for name in _WORDS if name in record}
    if record.get("known") is not None:
        fields["known"] = tuple(record["known"])
    if "cells" in record:
        rows = tuple(tuple(row) for row in record["cells"])
        measured: Cells | Interval = Cells(rows, record["fixed"], record["logarithmic"])
    else:
        told: dict[str, Any] = {
            name: nan if record[name] is None else record[name]
            for name in Interval._fields
            if name in record
        }
        measured = Interval(**told)
        fields["fixed_without_cells"] = record.get("fixed", "")
    return Finding(
        claim=claim.removesuffix(_CONTRAST),
        bound=Bound.parse(record["rule"]),
        measured=measured,
        **fields,
    )
