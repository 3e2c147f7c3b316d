"""Tables of findings and verdicts, as they stand in documents."""

import numpy as np

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.judging import judge
from depthjax.claims.paper import CLAIMS
from depthjax.claims.tables import error_table, finding_table, judgement_table

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


def test_verdicts_stand_with_what_decided() -> None:
    judged = judge(FINDINGS)
    table = judgement_table(judged).splitlines()
    assert len(table) == 2 + len(CLAIMS) and "not run" in table[-1]


def test_errors_and_power_stand_by_the_size_of_runs() -> None:
    spread = {"seeds": 0.02, "images": 0.01, "cells": 0.01, "fixed": "", "logarithmic": False}
    exact = spread | {"fixed": "exact"}
    pilots = {"C4": {"wide_recovered": exact}, "C3": {"image_stays_lost": spread}}
    text = error_table(pilots, [(3, 3), (20, 20)])
    header, _, lost, wide = map(cells, text.splitlines())
    assert header[-3:] == ["largest error", "power 3 × 3", "power 20 × 20"]
    assert lost[:7] == ["C3", "D does not follow ρ", "< 0.05", "0.025", "0.02", "0.01", "0.01"]
    error, small, large = (float(value.split()[0]) for value in lost[-3:])
    assert error <= 5 and small < 50 and large > 95
    assert wide[4:] == ["–", "–", "–", "exact", "100 %", "100 %"]
