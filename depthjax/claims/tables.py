"""Tables of findings and verdicts, in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.claims.findings import Finding
from depthjax.claims.judging import Judgement
from depthjax.tables import markdown_table, number


def finding_table(findings: Sequence[Finding]) -> str:
    """What a run says of the paper's claims: a row for each finding.

    The estimate stands before its interval; `n` is how many weight seeds × images it rests on.
    """
    headers = ["claim", "where", "statistic", "estimate [low, high]", "rule", "n", "verdict"]
    rows = []
    for finding in findings:
        estimate, low, high, seeds, images = finding.interval
        interval = "–" if np.isnan(estimate) else number(estimate)
        if not np.isnan(low):
            interval += f" [{number(low)}, {number(high)}]"
        rows.append(
            [
                *(finding.title, finding.where, finding.statistic, interval, finding.rule),
                *(f"{seeds} × {images}", finding.verdict),
            ]
        )
    return markdown_table(headers, rows)


def judgement_table(judgements: Sequence[Judgement]) -> str:
    """The verdict on each claim and the number that decided it: a row for each claim."""
    headers = ["claim", "verdict", "decided by"]
    rows = [
        [judgement.claim.id, judgement.verdict, deciding(judgement.record()["decisive"])]
        for judgement in judgements
    ]
    return markdown_table(headers, rows)


def claims_table(reproduction: Mapping[str, Any]) -> str:
    """The verdicts of a whole reproduction for a document: a row for each claim.

    Args:
        reproduction: the contents of its `claims.json`.
    """
    headers = ["claim", "verdict", "our number [95 %]", "n", "detectable", "the paper's", "step"]
    rows = []
    for record in reproduction["claims"]:
        decisive = record["decisive"]
        least = None if decisive is None else decisive["smallest_effect"]
        rows.append(
            [
                f"**{record['claim']}** {record['sentence']}",
                record["verdict"],
                deciding(decisive),
                "–" if decisive is None else f"{decisive['seeds']} × {decisive['images']}",
                "–" if least is None else number(least),
                record["paper"] or "–",
                record.get("step", "–"),
            ]
        )
    return markdown_table(headers, rows)


def steps_table(reproduction: Mapping[str, Any]) -> str:
    """The commands of a whole reproduction, and how each ended.

    Args:
        reproduction: the contents of its `claims.json`.
    """
    rows = [
        [
            record["step"],
            ", ".join(record["claims"]) or "–",
            record["state"],
            "–" if record["seconds"] is None else number(record["seconds"]),
            f"`{record['command']}`",
        ]
        for record in reproduction["steps"]
    ]
    return markdown_table(["step", "claims", "state", "seconds", "command"], rows)


def deciding(record: Mapping[str, Any] | None) -> str:
    """One finding's record in a line: `slope …: 0.31 [0.2, 0.4]; asked > 0, resnet18`."""
    if record is None:
        return "–"
    low, high = record["low"], record["high"]
    text = "not reached" if record["estimate"] is None else number(record["estimate"])
    if low is not None:
        text += f" [{number(low)}, {number(high)}]"
    return f"{record['statistic']}: {text}; asked {record['rule']}, {record['where']}"
