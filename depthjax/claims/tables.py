"""Tables of findings and verdicts, in Markdown."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from depthjax.claims.beside import BESIDE
from depthjax.claims.findings import Finding
from depthjax.claims.judging import Judgement, interval_text
from depthjax.claims.paper import CLAIMS
from depthjax.claims.power import Pilot, error_rate, power
from depthjax.statistics import POWER
from depthjax.tables import interval_words, markdown_table, number

UNCORRECTED = "not after correction over the claims"
"""What is said of a support that does not survive Holm's correction."""


def finding_table(findings: Sequence[Finding]) -> str:
    """What a run says of the paper's claims: a row for each finding.

    The estimate stands before its interval; `n` is how many weight seeds × images it rests on. A
    part of a claim is judged by all its places together, so that no row is a verdict on one.
    """
    headers = ["claim", "where", "statistic", "estimate [low, high]", "rule", "n", "verdict"]
    rows = []
    for finding in findings:
        rows.append(
            [
                *(finding.title, finding.where, finding.statistic, interval_text(finding)),
                *(finding.rule, finding.sample, finding.told),
            ]
        )
    return markdown_table(headers, rows)


def judgement_table(judgements: Sequence[Judgement]) -> str:
    """The verdict on each claim and the number that decided it: a row for each claim."""
    headers = ["claim", "verdict", "decided by", "plan"]
    rows = [
        [
            judgement.claim.id,
            verdict_text(judgement.record()),
            deciding(judgement.record()["decisive"]),
            ", ".join(judgement.plans) or "–",
        ]
        for judgement in judgements
    ]
    return markdown_table(headers, rows)


def power_table(told: Mapping[str, Mapping[str, float]]) -> str:
    """What a plan can decide, before it is run: a row for each part of a claim.

    Args:
        told: by claim and part, as `depthjax.claims.power.announced` gives it.
    """
    rows = [
        [
            claim,
            CLAIMS[claim].parts[name].says,
            CLAIMS[claim].parts[name].rule,
            number(CLAIMS[claim].parts[name].effect),
            f"{100 * found:.0f} %" + ("" if found >= POWER else ", not decidable at this scale"),
        ]
        for claim, parts in told.items()
        for name, found in parts.items()
    ]
    return markdown_table(["claim", "part", "rule", "of interest", "power"], rows)


def error_table(pilots: Mapping[str, Mapping[str, Any]], samples: Sequence[tuple[int, int]]) -> str:
    """What runs of planned sizes would say, by simulation: a row for each part of a claim.

    Args:
        pilots: the spread of each part by claim, from `depthjax.claims.power.pilots_of`.
        samples: numbers of seeds and images.

    Returns:
        The bound of each part, its smallest effect, its spread, how often at most it is supported
        where nothing is, and how often where the smallest effect is.
    """
    headers = ["claim", "part", "rule", "of interest", "seeds", "images", "cells"]
    headers += ["largest error", *(f"power {seeds} × {images}" for seeds, images in samples)]
    rows = []
    for claim in [*CLAIMS.values(), *BESIDE.values()]:
        for name, part in claim.parts.items():
            if part.votes and name in pilots.get(claim.id, {}):
                pilot = Pilot(**pilots[claim.id][name])
                exact = pilot.fixed == "exact"
                error = max(error_rate(part, pilot, shape) for shape in samples)
                rows.append(
                    [
                        *(claim.id, part.says, part.rule, number(part.effect)),
                        *(["–"] * 3 if exact else map(number, pilot[:3])),
                        "exact" if exact else f"{100 * error:.1f} %",
                        *(f"{100 * power(part, pilot, shape):.0f} %" for shape in samples),
                    ]
                )
    return markdown_table(headers, rows)


def verdict_text(record: Mapping[str, Any]) -> str:
    """A verdict in print: also if it is exploratory, or no support after the correction."""
    words = [str(record["verdict"])]
    words += [UNCORRECTED] if record["survives"] is False else []
    words += ["exploratory"] if record["exploratory"] else []
    return ", ".join(words)


def deciding(record: Mapping[str, Any] | None) -> str:
    """One finding's record in a line: `slope …: 0.31 [0.2, 0.4]; asked > 0, resnet18`."""
    if record is None:
        return "–"
    return f"{record['statistic']}: {_told(record)}; asked {record['rule']}, {record['where']}"


def _told(record: Mapping[str, Any]) -> str:
    """The number of a finding's record, with its interval if it has one."""
    if record["estimate"] is None:
        return "not reached"
    numbers = [record[name] for name in ("estimate", "low", "high")]
    return interval_words(*(nan if value is None else value for value in numbers))
