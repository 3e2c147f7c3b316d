"""RESULTS.md: one page that answers the paper's questions, from what lies in results/."""

from pathlib import Path

import numpy as np

from depthjax.claims.blocks import folded
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.judging import (
    NOT_DECIDABLE,
    NOT_RUN,
    UNDECIDED,
    Judgement,
    PartVerdict,
    interval_text,
)
from depthjax.claims.runs import sample_needed
from depthjax.claims.tables import claims_table
from depthjax.folders.environment import where_it_ran
from depthjax.folders.kept import briefly, missing_from
from depthjax.statistics import Interval
from depthjax.tables import markdown_table, number
from publishing.answers import answers, cautiously, counted
from publishing.material import Material, material_in
from publishing.run_page import command

EARLIER = "earlier.md"

HEAD = """\
# Results

What this code finds about the claims of *Depth and Representation in Vision Models*
([arXiv 2211.06496](https://arxiv.org/abs/2211.06496)). `python experiments/document.py` writes this
page from the finished runs in [results/](results); it starts no run.

**Which runs decide.** A claim has one or more parts. Each part is decided by the runs with the
largest images, among those with enough seeds and photographs for a confidence interval. If several
runs share that image size, the mean over all their *places* decides; a place is one layer of one
network. What each run says alone is listed below the claim. Runs called `quick` are of small
networks and of images of 8 to 32 pixels; the size of each stands in [the list of runs](#runs).

**How to read a line.** *1.4 [0.9, 2.1]; asked < 1, resnet18, layer4; 3 × 3 seeds × images* would
mean: the value is 1.4, with a 95 % interval from 0.9 to 2.1; the claim requires a value below 1;
it was measured in layer4 of resnet18, with 3 weight seeds and 3 photographs. *(108 of 120)*: the
statistic could be computed for 108 of 120 descents. *these 1*: there is one network or image by
design, which is no sample, so the interval covers the variation of the other kind alone. *exact*:
neither seeds nor photographs are a sample, so every single value must meet the condition. D, ρ,
m_g and m_i are distances of images and of embeddings: [their
definitions](README.md#reading-the-output).

**Verdicts.** A part is *contradicted* if its interval lies wholly outside of the effects that are
large enough to matter; the smallest such effect is in the column *of interest*. If ρ < 1 is asked
and that effect is 0.1, an interval wholly above 0.9 contradicts, even if it holds values below 1.
Otherwise a part is *supported* if its whole interval meets what is asked, *open* if only some of
it does, and *not reached* if too little is known for an interval, whatever the estimate. A claim
is *supported* if all its parts are, *not supported* if one is contradicted, and otherwise
*undecided at this scale*. If we had said before the run that it could hardly decide a part that is
undecided, the claim is *not decidable at this scale*. Supports are corrected for multiple testing
over the claims (Holm). A verdict is *exploratory* if its run was made before the claim got its
present wording, or before a rule of judging (bounds, intervals, the mean over places) got its
present form. Which of several runs decides is not covered by that: [which rules are younger than
which results](docs/claims.md#which-rules-are-older-than-which-results). More: [the
guide](docs/claims.md#what-a-verdict-rests-on).

**Columns of the table.** *Decided by*: the part of the claim that decided, with its number. *n*:
weight seeds × photographs. *Of interest*: the smallest effect that matters. *Power*: the chance
that a run of this size supports the part with this number if that is the effect, as announced
before the run. *Detectable*: the smallest effect that this run finds in four of five cases. *Plan*:
a hash of the claim and of the rules, written before the run."""

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
    found = f"**Of {len(judged)} claims: {counted(judged)}.** {cautiously(judged)}"
    parts = [HEAD, found, *answers(material)]
    parts += ["## The claims, one by one", _claims(material)]
    parts += ["## What is not supported", _contradicted(judged)]
    parts += ["## What could not be decided, and what it would take", _undecided(judged)]
    parts += [RULES]
    if material.set_aside:
        parts += ["Votes that were withdrawn after the run:", _set_aside(material)]
    parts += ["## Runs", _runs(material)]
    if (folder / EARLIER).is_file():
        parts += ["## Earlier runs", _earlier(folder.name)]
    return "\n\n".join(parts) + "\n"


def _claims(material: Material) -> str:
    """The table of claims, and the reason of each verdict, folded away."""
    records, reasons = [], []
    for claim, judged in material.judged.items():
        record = judged.record()
        if claim in material.judges:
            record["power"] = material.power_of(claim)
        if judged.verdict != NOT_RUN:
            reasons.append(f"- {claim}: {judged.verdict} ({judged.reason}).")
        records.append(record)
    why = folded("Why, part by part", "\n".join(reasons))
    return f"{claims_table(records)}\n\n{why}"


def _contradicted(judged: list[Judgement]) -> str:
    lines = []
    for one in judged:
        for part in one.parts:
            if part.part.votes and part.verdict == "contradicted" and part.whole is not None:
                asked = f"asked {part.part.rule}, with an effect of {number(part.part.effect)}"
                found = f"{interval_text(part.whole)}, {asked} ({part.part.because})"
                where = ", ".join(dict.fromkeys(finding.where for finding in part.findings))
                lines.append(f"- **{one.claim.id}**, {part.part.says}: {found}; {where}.")
    return "\n".join(lines) or "Nothing, so far."


def _undecided(judged: list[Judgement]) -> str:
    lines = []
    for one in judged:
        if one.verdict in (UNDECIDED, NOT_DECIDABLE):
            for part in one.parts:
                if part.part.votes and part.verdict not in ("supported", "contradicted"):
                    found = "" if part.whole is None else f", {interval_text(part.whole)}"
                    told = f"{part.part.says}: {part.verdict}{found}; {_takes(part)}"
                    lines.append(f"- **{one.claim.id}**, {told}.")
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
        return "a run of this size supports an effect of interest in four of five cases"
    return f"about {needed[0]} × {needed[1]} seeds × images, by the spread found here"


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
