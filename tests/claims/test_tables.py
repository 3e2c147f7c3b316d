"""Tables of findings and verdicts, as they stand in documents."""

import math

from depthjax.claims.findings import Bound, Finding
from depthjax.claims.judging import judge
from depthjax.claims.tables import claims_table, finding_table, judgement_table
from depthjax.statistics import Interval

FINDINGS = [
    Finding(
        claim="C4",
        part="wide_recovered",
        network="wide",
        note="4 layers",
        quantity="final m_i",
        bound=Bound.at_most(0.1),
        interval=Interval(0.01234, 0.005, 0.02, 3, 5),
    ),
    Finding(
        claim="C1",
        part="worse_within_stages",
        network="resnet18",
        note="within stages",
        quantity="slope of log D",
        known=(0, 9),
        bound=Bound.above(0),
        interval=Interval(math.nan, math.nan, math.nan, 3, 5),
        aside="contrast",
    ),
]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_findings_stand_with_their_interval_and_verdict() -> None:
    header, _, supported, unreached = map(cells, finding_table(FINDINGS).splitlines())
    assert header[3:] == ["estimate [low, high]", "rule", "n", "verdict"]
    assert supported == [
        *("C4", "wide, 4 layers", "final m_i", "0.0123 [0.005, 0.02]", "<= 0.1", "3 × 5"),
        "supported",
    ]
    assert unreached == [
        *("C1, contrast", "resnet18, within stages", "slope of log D (0 of 9)", "–", "> 0"),
        *("3 × 5", "not reached"),
    ]


def test_verdicts_stand_with_what_decided_and_the_papers_number() -> None:
    judged = judge(FINDINGS)
    table = judgement_table(judged).splitlines()
    assert len(table) == 2 + 16 and "not run" in table[-1]
    shown = claims_table({"claims": [one.record() for one in judged]}).splitlines()
    assert len(shown) == 2 + 16 and "width 3000" in shown[5]
