"""Numbers within the page's own sentences, read from what runs have found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from depthjax.claims.findings import Finding
from depthjax.claims.judging import interval_text
from depthjax.claims.runs import StoredRun
from depthjax.tables import number


@dataclass(frozen=True)
class Told:
    """One finding of one run, by what stands in its row of the run's page.

    Fields:
        run: its name.
        claim: the claim's id.
        where: the place of the finding.
        quantity: the beginning of what was computed.
    """

    run: str
    claim: str
    where: str
    quantity: str = ""


class _Number:
    """`{name}` is the estimate in a sentence, `{name:interval}` with its interval behind it."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding

    def __format__(self, form: str) -> str:
        if form == "interval":
            return interval_text(self.finding)
        return number(self.finding.interval.estimate)


def filled(text: str, told: Mapping[str, Told], runs: Sequence[StoredRun]) -> str:
    """A text with its numbers; nothing if a run that it tells of was not kept to its end.

    Args:
        text: with `{name}` or `{name:interval}` in the places of numbers.
        told: which numbers these are, by name.
        runs: all that were kept.

    Raises:
        ValueError: if what a number is read from is no single finding of its run.
    """
    if not {one.run for one in told.values()} <= {run.name for run in runs if run.findings}:
        return ""
    return text.format(**{name: _Number(_finding(one, runs)) for name, one in told.items()})


def _finding(told: Told, runs: Sequence[StoredRun]) -> Finding:
    found = [
        finding
        for run in runs
        if run.name == told.run
        for finding in run.findings
        if (finding.claim, finding.where) == (told.claim, told.where)
        and finding.statistic.startswith(told.quantity)
    ]
    if len(found) != 1:
        raise ValueError(f"{told} describes {len(found)} findings of its run; it must be one")
    return found[0]
