"""Numbers within the page's own sentences, read from what runs have found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from depthjax.claims.findings import Finding
from depthjax.claims.runs import StoredRun
from depthjax.statistics import Interval
from depthjax.tables import interval_words, number
from publishing.counted import Counted


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


Numbers = Mapping[str, Told | Counted]
"""Numbers by the names that they have in sentences."""


class _Number:
    """`{name}` is the estimate in a sentence, `{name:interval}` with its interval behind it."""

    def __init__(self, found: Interval) -> None:
        self.found = found

    def __format__(self, form: str) -> str:
        if form == "interval":
            return interval_words(*self.found[:3])
        return number(self.found.estimate)


def filled(
    text: str,
    told: Numbers,
    runs: Sequence[StoredRun],
    others: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A text with its numbers; nothing if a run that it tells of was not kept.

    Args:
        text: with `{name}` or `{name:interval}` in the places of numbers.
        told: which numbers these are, by name.
        runs: all that were kept.
        others: words in the places of other names.

    Raises:
        ValueError: if what a number is read from is no single finding of its run.
    """
    if not all(_there(one, runs) for one in told.values()):
        return ""
    return text.format(**{name: _words(one, runs) for name, one in told.items()}, **others)


def _there(one: Told | Counted, runs: Sequence[StoredRun]) -> bool:
    if isinstance(one, Told):
        return any(run.name == one.run and run.findings for run in runs)
    return len(one.among(runs)) >= len(one.runs)


def _words(one: Told | Counted, runs: Sequence[StoredRun]) -> _Number | str:
    if isinstance(one, Told):
        return _Number(_finding(one, runs).interval)
    found = one.of(one.among(runs))
    return found if isinstance(found, str) else _Number(found)


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
