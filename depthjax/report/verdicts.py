"""What all findings on a page say: a verdict for each claim, and a row for each finding."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from depthjax.claims.beside import BESIDE
from depthjax.claims.claim import Claim
from depthjax.claims.findings import Finding
from depthjax.claims.judging import (
    NO_VERDICT,
    NOT_DECIDABLE,
    NOT_RUN,
    NOT_SUPPORTED,
    RULE,
    SUPPORTED,
    UNDECIDED,
    WORDS,
    Judgement,
    interval_text,
    judge,
)
from depthjax.claims.paper import CLAIMS
from depthjax.claims.tables import verdict_text
from depthjax.report import charts

__all__ = ["RULE", "Mark", "claim_rows", "finding_rows", "judgements"]


class Mark(NamedTuple):
    """What a verdict looks like: a sign and a class name, so that colour is not alone."""

    sign: str
    kind: str


_MARKS = {
    SUPPORTED: Mark("✓", "yes"),
    NOT_SUPPORTED: Mark("✗", "no"),
    UNDECIDED: Mark("?", "open"),
    NOT_DECIDABLE: Mark("?", "open"),
    NO_VERDICT: Mark("–", "none"),
    NOT_RUN: Mark("–", "none"),
}
_SHORT = {NOT_SUPPORTED: "not", UNDECIDED: "undecided"}


def judgements(findings: Sequence[Finding], *, whole: bool = False) -> list[Judgement]:
    """A verdict for each claim: those of the paper, in its order, then all others by name.

    Args:
        findings: of any number of runs.
        whole: list every claim of the paper, also those without a finding.
    """
    there = dict.fromkeys(finding.claim for finding in findings)
    paper = [claim for claim in CLAIMS.values() if whole or claim.id in there]
    others = [
        BESIDE.get(name) or Claim(name, "", "", {}) for name in sorted(there) if name not in CLAIMS
    ]
    return [*judge(findings, paper), *judge(findings, others)]


def claim_rows(
    findings: Sequence[Finding], sections: Sequence[dict[str, Any]], *, whole: bool = False
) -> list[dict[str, Any]]:
    """Rows of the table of claims for the template.

    Args:
        findings: of all sections.
        sections: those of the page, each with its `id` and its `contents`.
        whole: as in `judgements`.
    """
    return [
        {
            "judgement": judgement,
            "word": verdict_text(judgement.record()),
            "mark": _MARKS[judgement.verdict],
            "parts": [
                (_SHORT.get(word, word), count, _MARKS[word].kind)
                for word, count in judgement.counts.items()
            ],
            "places": [
                (section["id"], section["contents"].title)
                for section in sections
                if judgement.claim.id in {own.claim for own in section["contents"].findings}
            ],
        }
        for judgement in judgements(findings, whole=whole)
    ]


def finding_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Rows of a table of findings for the template; strips of one quantity share their scale."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.claim, finding.quantity), []).append(finding)
    limits = {key: _strip_limits(group) for key, group in groups.items()}
    rows = []
    for finding in findings:
        estimate, low, high = finding.interval[:3]
        word = WORDS[finding.verdict]
        mark = _MARKS[word]
        word += ", exploratory" if finding.exploratory else ""
        interval = "– not reached" if math.isnan(estimate) else interval_text(finding)
        scale = limits[finding.claim, finding.quantity]
        rows.append(
            {
                "finding": finding,
                "interval": interval,
                "estimate": "" if math.isnan(estimate) else f"{estimate:.6g}",
                "n": finding.sample,
                "word": word,
                "sign": mark.sign,
                "kind": mark.kind,
                "strip": charts.interval_svg(estimate, low, high, _line(finding), scale, mark.kind),
            }
        )
    return rows


def _line(finding: Finding) -> float:
    """The end of the bound that a strip shows: of two the upper one."""
    return finding.bound.ends[-1]


def _strip_limits(findings: Sequence[Finding]) -> tuple[float, float]:
    ends = [
        end
        for finding in findings
        for end in (*finding.interval[:3], _line(finding))
        if math.isfinite(end)
    ]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (low - 1, high + 1)
