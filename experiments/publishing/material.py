"""What RESULTS.md is made of: the runs that were kept, and the verdict on each claim."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from depthjax.claims.judging import Judgement
from depthjax.claims.runs import (
    StoredRun,
    judge_alone,
    judge_together,
    judging_runs,
    passed_over,
)
from depthjax.folders.kept import missing_from
from publishing.runs import Planned, planned, results_in
from publishing.verdicts import chosen_afterwards


class Material(NamedTuple):
    """All that a page is made of.

    Fields:
        folder: of what was kept.
        runs: those that were kept, and the steps of reproductions.
        reproductions: the contents of each `reproduce.json`, by name.
        set_aside: of each run, the claims on which its vote was withdrawn, with the reason.
        judged: the verdict on each claim, by its id.
        alone: what each run says by itself, by its name.
        judges: the runs that judge each part of a claim, by claim and part.
        passed_over: why runs with numbers of a claim judge no part of it, by claim and run.
        waiting: flag files of which no run was kept.
    """

    folder: Path
    runs: Sequence[StoredRun]
    reproductions: Mapping[str, Mapping[str, Any]]
    set_aside: Mapping[str, Mapping[str, str]]
    judged: Mapping[str, Judgement]
    alone: Mapping[str, Sequence[Judgement]]
    judges: Mapping[str, Mapping[str, Sequence[StoredRun]]]
    passed_over: Mapping[str, Mapping[str, str]]
    waiting: Sequence[Planned]

    @property
    def by_name(self) -> dict[str, StoredRun]:
        """The runs by name."""
        return {run.name: run for run in self.runs}

    @property
    def chosen(self) -> frozenset[str]:
        """The claims whose run was chosen when its results were known."""
        return chosen_afterwards(self.judges)

    def link(self, run: StoredRun) -> str:
        """The name of a run, which leads to its page; and whether it has come to its end."""
        left = " (not finished)" if missing_from(run.folder) else ""
        return f"[{run.name}]({self.folder.name}/{run.name}/README.md){left}"

    def judges_of(self, claim: str) -> str:
        """The runs whose numbers a claim is judged by."""
        judges = self.judges.get(claim, {}).values()
        counted = {id(one) for part in self.judged[claim].parts for one in part.findings}
        runs = {
            run.name: run
            for together in judges
            for run in together
            if not counted.isdisjoint(map(id, run.findings))
        }
        return ", ".join(map(self.link, runs.values()))


def material_in(folder: Path) -> Material:
    """What a page is made of, from a folder of results.

    Raises:
        ValueError: if what lies there cannot be read.
    """
    runs, reproductions, set_aside = results_in(folder)
    judged, judges = judge_together(runs), judging_runs(runs)
    alone = {run.name: judge_alone(run) for run in runs}
    told = (passed_over(runs), planned(runs))
    return Material(folder, runs, reproductions, set_aside, judged, alone, judges, *told)
