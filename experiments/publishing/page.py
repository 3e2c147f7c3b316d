"""RESULTS.md: one page that answers the paper's questions, from what lies in results/."""

from pathlib import Path

import numpy as np

from depthjax.claims.blocks import folded
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.judging import (
    NOT_DECIDABLE,
    UNDECIDED,
    PartVerdict,
)
from depthjax.claims.runs import sample_needed
from depthjax.folders.environment import where_it_ran
from depthjax.folders.kept import missing_from
from depthjax.folders.unfinished import briefly
from depthjax.statistics import Interval
from depthjax.tables import markdown_table, number
from publishing.answers import answers, cautiously, counted
from publishing.in_short import in_short
from publishing.material import Material, material_in
from publishing.names import places_told
from publishing.numbers import number_told
from publishing.reading import READING
from publishing.run_page import command
from publishing.verdict_tables import claims_table, part_tables

EARLIER = "earlier.md"

HEAD = """\
# Results

What this code finds about the claims of *Depth and Representation in Vision Models*
([arXiv 2211.06496](https://arxiv.org/abs/2211.06496)). `python experiments/document.py` writes this
page from the finished runs in [results/](results); it starts no run."""

BRACKETS = """\
*n*: weight seeds × photographs. Brackets are 95 % intervals over both; of *exact* numbers they are
the least and the largest value. r², ρ and D: [what they are](README.md#reading-the-output). How
verdicts come about, and how to read a line: [below](#how-to-read-this-page)."""

RULES = """\
## Which rules are older than which results

Statistics, thresholds and combining rules of the claims about training were settled, in their
first form, after results of the same small networks were known. Smallest effects of interest,
intervals over photographs, the mean over places and the correction over claims are younger than all
of the earlier results below. Claim by claim:
[the guide](docs/claims.md#which-rules-are-older-than-which-results). From then on every run writes
a digest of each claim before it starts, which stands in the column *plan*."""


def page(folder: Path) -> str:
    """The whole page.

    Args:
        folder: of what was kept.

    Raises:
        ValueError: if what lies there cannot be read.
    """
    material = material_in(folder)
    judged = list(material.judged.values())
    parts = [HEAD, in_short(material), BRACKETS]
    found = f"**Of {len(judged)} claims: {counted(judged, material.chosen)}.** {cautiously(judged)}"
    parts += [f"{found} [One by one]({_ONE_BY_ONE})."]
    parts += [*answers(material), "## How to read this page", READING]
    parts += ["## The claims, one by one", claims_table(material), part_tables(material)]
    parts += ["## What is not supported", _contradicted(material)]
    parts += ["## What could not be decided, and what it would take", _undecided(material)]
    parts += [RULES]
    if material.set_aside:
        parts += ["Votes that were withdrawn after the run:", _set_aside(material)]
    parts += ["## Runs", _runs(material)]
    if (folder / EARLIER).is_file():
        parts += ["## Earlier runs", _earlier(folder.name)]
    return "\n\n".join(parts) + "\n"


_ONE_BY_ONE = "#the-claims-one-by-one"


def _contradicted(material: Material) -> str:
    lines = []
    for one in material.judged.values():
        for part in one.parts:
            if part.part.votes and part.verdict == "contradicted":
                asked = f"asked {part.part.rule}, with an effect of {number(part.part.effect)}"
                found = f"{number_told(part, material)}, {asked} ({part.part.because})"
                where = places_told(part.findings, material.by_name)
                lines.append(f"- **{one.claim.id}**, {part.part.says}: {found}; {where}.")
    return "\n".join(lines) or "Nothing, so far."


def _undecided(material: Material) -> str:
    lines = []
    for one in material.judged.values():
        if one.verdict in (UNDECIDED, NOT_DECIDABLE):
            for part in one.parts:
                if part.part.votes and part.verdict not in ("supported", "contradicted"):
                    found = number_told(part, material)
                    told = part.verdict if found == part.verdict else f"{part.verdict}, {found}"
                    lines.append(f"- **{one.claim.id}**, {part.part.says}: {told}; {_takes(part)}.")
    return "\n".join(lines) or "Nothing, so far."


def _takes(part: PartVerdict) -> str:
    """What it would take to decide a part."""
    if part.whole is None:
        return "no run has measured it"
    if part.whole.is_sparse:
        return "too few of its cells have a value, which more seeds and images do not change"
    if _has_no_spread(part.whole):
        return "all its values are the same, and without a spread there is no interval"
    measured = part.whole.measured
    if isinstance(measured, Interval):
        return "the networks differ, and more of them would tell more than seeds and images"
    needed = sample_needed(part)
    if needed is None:
        return "if the effect is the smallest of interest, more seeds and images hardly decide it"
    if all(np.array(needed) <= measured.table.shape):
        return _could_have(part)
    return f"about {needed[0]} × {needed[1]} seeds × images, by the spread found here"


def _could_have(part: PartVerdict) -> str:
    """What a run of this size finds if there is an effect of interest, and what this one found."""
    assert part.whole is not None
    bound, effect = part.part.bound, float(part.part.effect)
    asked = f"within the bound by {number(effect)}"
    if bound.relation in ("<", "<="):
        asked = f"at most {number(bound.high - effect)}"
    if bound.relation in (">", ">="):
        asked = f"at least {number(bound.low + effect)}"
    found = f"this one found {number(part.whole.interval.estimate)}"
    return f"if the true number were {asked}, four of five such runs would support it; {found}"


def _has_no_spread(finding: Finding) -> bool:
    """Whether all values behind a number are the same."""
    return isinstance(finding.measured, Cells) and np.ptp(finding.measured.table) == 0


def _set_aside(material: Material) -> str:
    """Votes that were withdrawn after a run, and why."""
    lines = [
        f"- {run}, {claim}: {reason}."
        for run, claims in material.set_aside.items()
        for claim, reason in claims.items()
    ]
    return "\n".join(lines)


def _runs(material: Material) -> str:
    """The runs with their commands and where they were made."""
    rows = []
    for run in material.runs:
        missing = missing_from(run.folder)
        old = any(finding.exploratory for finding in run.findings)
        state = f"missing: {briefly(missing)}" if missing else "finished"
        made = where_it_ran(run.config["environment"], revision=True).strip()
        rows.append(
            [
                *(material.link(run), f"`{command(run)}`"),
                *(f"{run.size}²" if run.size else "–", state + (", exploratory" if old else "")),
                made,
            ]
        )
    parts = [markdown_table(["run", "command", "images", "state", "made"], rows)]
    for name, record in material.reproductions.items():
        lacking = [step["step"] for step in record["steps"] if step["state"] != "done"]
        left = f"; not done: {', '.join(lacking)}" if lacking else ""
        told = f"`python experiments/reproduce.py --scale={record['scale']}`"
        parts.append(f"{name}: {told}, plan {record['plan']}{left}.")
    return folded(f"{len(rows)} runs and steps that were kept", "\n\n".join(parts))


def _earlier(name: str) -> str:
    return (
        f"What earlier runs found, whose rows were not kept, is in [{name}/{EARLIER}]"
        f"({name}/{EARLIER}): their tables as they stood, by an earlier rule. They count as no"
        " verdict."
    )
