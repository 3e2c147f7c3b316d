"""The runs that lie in results/, and those that nobody has kept yet."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from depthjax.claims.runs import StoredRun, stored_run

FLAGS_FOLDER = Path(__file__).parents[1] / "flags"
ROOT = Path(__file__).parents[2]
SET_ASIDE = "set_aside.json"
"""In a folder of results, written by hand: `{run: {claim: why it has no vote after all}}`."""


class Results(NamedTuple):
    """What lies in a folder of results.

    Fields:
        runs: those of scripts, and the steps of reproductions, by name.
        reproductions: the contents of each `reproduce.json`, by name.
        set_aside: of each run, the claims on which its vote was withdrawn, with the reason.
    """

    runs: list[StoredRun]
    reproductions: dict[str, dict[str, Any]]
    set_aside: dict[str, dict[str, str]]


def results_in(folder: Path) -> Results:
    """All that was kept in a folder, in the order of its name."""
    reproductions = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*/reproduce.json"))
    }
    withdrawn = folder / SET_ASIDE
    set_aside = json.loads(withdrawn.read_text(encoding="utf-8")) if withdrawn.is_file() else {}
    runs = []
    for config in sorted([*folder.glob("*/config.json"), *folder.glob("*/*/config.json")]):
        within = config.parent.relative_to(folder)
        announced = reproductions.get(within.parts[0], {}).get("power")
        name = within.as_posix()
        runs.append(stored_run(name, config.parent, announced, set_aside.get(name, {})))
    return Results(runs, reproductions, set_aside)


class Planned(NamedTuple):
    """A flag file of which no run was kept.

    Fields:
        name: of the file, without ending.
        script: that takes it.
        command: the whole command.
        purpose: its first remark.
        ran: whether its remarks tell of a run.
    """

    name: str
    script: str
    command: str
    purpose: str
    ran: bool


def _shown_in_documents() -> set[str]:
    documents = [*ROOT.glob("README.md"), *(ROOT / "docs").glob("*.md")]
    texts = [path.read_text(encoding="utf-8") for path in documents]
    return {name for text in texts for name in re.findall(r"<!-- begin (\w+) -->", text)}


def planned(runs: Sequence[StoredRun]) -> list[Planned]:
    """The flag files that judge a claim and whose run was not kept, in the order of their names.

    Those that the README or a guide shows the table of are left out. Which claims a file judges
    stands in its remarks, or in those of the file that it names there.
    """
    kept = {run.name.partition("/")[0] for run in runs} | _shown_in_documents()
    for run in runs:
        command = " ".join(run.config["environment"].get("command", []))
        kept |= set(re.findall(r"flags/(\w+)\.flags", command))
    files = {path.stem: _parted(path) for path in sorted(FLAGS_FOLDER.glob("*.flags"))}
    found = []
    for name, (command, remarks) in files.items():
        script = re.match(r"python experiments/(\w+\.py)", command)
        if name not in kept and script is not None and _judges_a_claim(remarks, files):
            purpose = re.split(r"(?<=\S)\. |(?<=\S)[:;] | Hardware|$", remarks)[0]
            ran = "not run yet" not in remarks
            found.append(Planned(name, script[1], command, purpose, ran))
    return found


def _parted(path: Path) -> tuple[str, str]:
    """The command of a flag file, and its remarks."""
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    return first.removeprefix("# "), " ".join(re.findall(r"^# (.*)$", rest, re.MULTILINE))


def _judges_a_claim(remarks: str, files: Mapping[str, tuple[str, str]]) -> bool:
    named = re.findall(r"\b(\w+)\.flags without", remarks)
    together = " ".join([remarks, *(files[name][1] for name in named)])
    return bool(re.search(r"\bC\d+\b", together)) and "no vote" not in together
