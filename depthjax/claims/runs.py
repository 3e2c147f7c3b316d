"""One verdict for each claim from several runs: which of them judge it, and what the others say.

A part of a claim is judged by the runs with the largest images: together, as places of one run
are (`depthjax.claims.places`), so that no choice among networks decides. A place that several have
measured counts once: of the run with the most seeds and images, then of the one that has come to
the most values there, or else anywhere. Runs with too few seeds or
images for an interval, whatever they came to, judge only where no run has enough. Runs of smaller
images make no mean with them, since they are other questions; what they say stands beside it. The
correction over claims is over the runs that judge.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from depthjax.claims.cells import Cells
from depthjax.claims.claim import Part
from depthjax.claims.findings import Finding
from depthjax.claims.judging import NOT_RUN, Judgement, PartVerdict, judge
from depthjax.claims.paper import CLAIMS
from depthjax.claims.power import Pilot, pilot_of, power, undecidable
from depthjax.claims.stored import load_findings
from depthjax.folders.config import read_config
from depthjax.statistics import POWER

SIZES = ((3, 5), (5, 5), (5, 10), (10, 10), (20, 20), (40, 40))
"""Seeds × images that are tried, one after the other, by `sample_needed`."""


class StoredRun(NamedTuple):
    """A run, with what it found.

    Fields:
        name: of its folder; `reproduction/step` for a step.
        folder: where it lies.
        config: what was asked for.
        findings: none, if it is not finished.
        power: by claim and part, as it was announced before the run.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    findings: Sequence[Finding]
    power: Mapping[str, Mapping[str, float]]

    @property
    def size(self) -> int:
        """Height and width of its images; 0 for a run without any."""
        return int(self.config.get("size") or 0)

    @property
    def model(self) -> str:
        """The architecture with its fields, which labels of networks do not name."""
        return str([self.config.get(name) for name in ("model", "model_field")])

    @property
    def script(self) -> str:
        """The script that made it, such as `depth.py`."""
        return Path(next(iter(self.config["environment"].get("command", [])), "")).name


def stored_run(
    name: str,
    folder: Path,
    power: Mapping[str, Mapping[str, float]] | None = None,
    without: Collection[str] = (),
) -> StoredRun:
    """A run with what it found, from its folder.

    Args:
        name: of the run.
        folder: where it lies.
        power: as it was announced.
        without: claims about which it was found afterwards to say nothing: it has no vote there.

    Raises:
        ValueError: if there is no run, or its findings cannot be read.
    """
    found = load_findings(folder) if (folder / "findings.json").is_file() else []
    findings = [
        replace(one, run=name, aside="contrast", part="")
        if one.claim in without
        else replace(one, run=name)
        for one in found
    ]
    return StoredRun(name, folder, read_config(folder), findings, power or {})


def judging_runs(runs: Sequence[StoredRun]) -> dict[str, dict[str, list[StoredRun]]]:
    """The runs that judge each part of a claim together, by claim and part.

    Parts and claims that no run is about are left out.
    """
    chosen = {
        claim.id: {
            part: judges for part in claim.parts if (judges := _judges(runs, claim.id, part))
        }
        for claim in CLAIMS.values()
    }
    return {claim: parts for claim, parts in chosen.items() if parts}


def _judges(runs: Sequence[StoredRun], claim: str, part: str) -> list[StoredRun]:
    def rank(run: StoredRun) -> tuple[bool, int]:
        return any(finding.sampled for finding in _about(run, claim, part)), run.size

    about = [run for run in runs if _about(run, claim, part)]
    first = max(map(rank, about), default=None)
    return sorted((run for run in about if rank(run) == first), key=lambda run: run.name)


def judge_together(runs: Sequence[StoredRun]) -> dict[str, Judgement]:
    """The verdict on each claim of the paper, by its id, each part from the runs that judge it."""
    judging = _judging(runs)
    findings = [one for place in _places(judging) for one in _first(place).findings]
    weak: dict[str, set[str]] = {}
    for claim, part, run in judging:
        weak.setdefault(claim, set()).update({part} & undecidable(run.power).get(claim, set()))
    return {judged.claim.id: judged for judged in judge(findings, weak=weak)}


def passed_over(runs: Sequence[StoredRun]) -> dict[str, dict[str, str]]:
    """Why runs with numbers of a claim judge no part of it: in words, by claim and run."""
    judging = _judging(runs)
    places = _places(judging)
    judges = {(_first(place).claim, _first(place).run) for place in places}
    told: dict[str, dict[str, str]] = {}
    for claim in CLAIMS.values():
        parts = [name for name, part in claim.parts.items() if part.votes]
        for run in runs:
            own = [part for part in parts if _about(run, claim.id, part)]
            if own and (claim.id, run.name) not in judges:
                why = [_not_judging(run, claim.id, part, judging) for part in own]
                why += [
                    _behind(place[run.name], _first(place))
                    for place in places
                    if run.name in place and place[run.name].claim == claim.id
                ]
                words = "; ".join(dict.fromkeys(filter(None, why)))
                told.setdefault(claim.id, {})[run.name] = words
    return told


_Judging: TypeAlias = Sequence[tuple[str, str, StoredRun]]
"""Claims and parts with each run that may judge them."""


def _judging(runs: Sequence[StoredRun]) -> _Judging:
    return [
        (claim, part, run)
        for claim, parts in judging_runs(runs).items()
        for part, judges in parts.items()
        for run in judges
    ]


class _Measured(NamedTuple):
    """What a run has of a part at one place.

    Fields:
        claim, run: which.
        findings: the numbers.
        cells: seeds × images that were asked for there.
        known: how many values behind them exist.
        cells_in_all, known_in_all: the same of all parts that the run has numbers of.
    """

    claim: str
    run: str
    findings: Sequence[Finding]
    cells: int
    known: float
    cells_in_all: int
    known_in_all: float


def _places(judging: _Judging) -> list[dict[str, _Measured]]:
    """What runs have of each place of each part, by their names."""
    # Numbers that judge nothing may have been kept without their values.
    reached = {run.name: _known([one for one in run.findings if one.part]) for _, _, run in judging}
    numbers: dict[tuple[str, ...], dict[str, list[Finding]]] = {}
    for claim, part, run in judging:
        for one in _about(run, claim, part):
            place = numbers.setdefault((claim, part, run.model, one.where), {})
            place.setdefault(run.name, []).append(one)
    return [
        {
            run: _Measured(claim, run, found, *_known(found), *reached[run])
            for run, found in place.items()
        }
        for (claim, *_), place in numbers.items()
    ]


def _first(place: Mapping[str, _Measured]) -> _Measured:
    """Of a place that several runs have measured, what counts."""
    return max(place.values(), key=lambda one: one[3:])


def _not_judging(run: StoredRun, claim: str, part: str, judging: _Judging) -> str:
    """Why a run is not among those that judge a part; nothing if it is."""
    judges = [one for of, name, one in judging if (of, name) == (claim, part)]
    if run.name in {one.name for one in judges}:
        return ""
    return "smaller images" if run.size < judges[0].size else "too few seeds or images"


def _behind(own: _Measured, first: _Measured) -> str:
    """Why another run counts at a place that a run has measured, too; nothing if it does itself."""
    if own.run == first.run:
        return ""
    if own.cells < first.cells:
        return f"fewer seeds × images than {first.run} has of the same"
    if own.known < first.known:
        return f"fewer values than {first.run} has of the same"
    there = f"{first.run} measured the same"
    if own[5:] == first[5:]:
        return there
    reached = f"{first.known_in_all:.0f} against {own.known_in_all:.0f}"
    return f"{there} and came to more values in all, {reached}"


def judge_alone(run: StoredRun) -> list[Judgement]:
    """What a single run says of the claims that it is about."""
    judged = judge(run.findings, weak=undecidable(run.power))
    return [one for one in judged if one.verdict != NOT_RUN]


def sample_needed(verdict: PartVerdict) -> tuple[int, int] | None:
    """How many seeds and images would decide an open part, with the spread that the run has shown.

    Returns:
        The first of `SIZES` of which four in five such runs would support the part if its effect
        were the smallest of interest; None if none is enough, or the spread is not known.
    """
    cells = getattr(verdict.whole, "measured", None)
    if cells is None or not hasattr(cells, "table") or len(cells.table) < 2:
        return None
    pilot = pilot_of(cells)
    return next((size for size in SIZES if _enough(verdict.part, pilot, size)), None)


def _enough(part: Part, pilot: Pilot, size: tuple[int, int]) -> bool:
    return power(part, pilot, size) >= POWER


def _known(findings: Sequence[Finding]) -> tuple[int, float]:
    """Of how many seeds × images they were asked, and how many values behind them are known."""
    cells, known = 0, 0.0
    for finding in findings:
        measured, behind = finding.measured, finding.known or (1, 1)
        if isinstance(measured, Cells):
            cells += measured.table.size
            known += measured.table.size * measured.known * behind[0] / max(1, behind[1])
    return cells, known


def _about(run: StoredRun, claim: str, part: str) -> list[Finding]:
    """Its numbers with a vote of a part of a claim."""
    return [one for one in run.findings if (one.claim, one.part, one.votes) == (claim, part, True)]
