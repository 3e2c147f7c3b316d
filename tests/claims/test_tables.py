"""Tables of findings and verdicts, as they stand in documents."""

import numpy as np

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.judging import judge
from depthjax.claims.paper import CLAIMS
from depthjax.claims.tables import claims_table, finding_table, judgement_table

FINDINGS = [
    Finding(
        claim="C4",
        part="wide_recovered",
        network="wide",
        note="4 layers",
        quantity="final m_i",
        bound=Bound.at_most(0.1),
        measured=Cells.of(np.array([[0.005, 0.02], [0.01, 0.01]]), fixed="exact"),
    ),
    Finding(
        claim="C1",
        part="worse_within_stages",
        network="resnet18",
        note="within stages",
        quantity="slope of log D",
        bound=Bound.above(0),
        measured=Cells.of(np.full((3, 3), np.nan)),
        aside="contrast",
    ),
]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_findings_stand_with_their_interval_and_verdict() -> None:
    header, _, supported, unreached = map(cells, finding_table(FINDINGS).splitlines())
    assert header[3:] == ["estimate [low, high]", "rule", "n", "verdict"]
    assert supported == [
        *("C4", "wide, 4 layers", "final m_i", "0.0113 [0.005, 0.02]", "<= 0.1"),
        "2 × 2, exact",
        "supported",
    ]
    assert unreached == [
        *("C1, contrast", "resnet18, within stages", "slope of log D (0 of 9)", "–", "> 0"),
        *("0 × 0", "not reached"),
    ]


def test_verdicts_stand_with_what_decided_and_the_papers_number() -> None:
    judged = judge(FINDINGS)
    table = judgement_table(judged).splitlines()
    assert len(table) == 2 + len(CLAIMS) and "not run" in table[-1]
    shown = claims_table([one.record() for one in judged]).splitlines()
    assert len(shown) == 2 + len(CLAIMS) and "width 3000" in shown[5]
