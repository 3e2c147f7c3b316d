"""Claims C6 and C21, from rows made by hand."""

import pytest
from study_rows import preimage_rows

from depthjax.claims.judging import judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.studies.preimages import judged


def test_exact_preimages_are_far_away_and_out_of_range():
    size, outside, against = judged.findings(preimage_rows(10, 1.5))
    assert size.rule == "within 0.5 2" and size.sample == "10 × these 1"
    assert size.verdict == "supported"
    assert outside.verdict == "supported"
    assert (
        against.interval.estimate == pytest.approx(6, rel=0.01) and against.verdict == "supported"
    )


@pytest.mark.parametrize(
    ("ratio", "outside", "verdict"),
    [
        (1.5, 1.0, "supported"),
        (1.5, 0.9, "not supported"),
        (0.2, 1.0, "not supported"),  # nearer than what gradient descent finds
    ],
)
def test_a_trained_network_is_judged_by_what_its_pre_images_are_worth(ratio, outside, verdict):
    rows = [
        row
        for data in ("photographs", "noise")
        for row in preimage_rows(3, ratio, outside, trained_on=data)
    ]
    found = judged.findings([*rows, *preimage_rows(3, 1.5, reading="code", trained_on="noise")])
    assert {finding.claim for finding in found} == {"C21"} and len(found) == 4
    assert judge_claim(CLAIMS["C21"], found).verdict == verdict


def test_the_table_has_the_paper_and_each_reading():
    rows = [*preimage_rows(3, 1.5), *preimage_rows(10, 1.5, reading="code")]
    heads, _, paper, text, code = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in judged.preimage_table(rows).splitlines()
    )
    assert len(paper) == len(text) == len(heads) and paper[0] == "the paper"
    assert text[:2] == ["pre-images, text", "3"] and code[:2] == ["pre-images, code", "10"]
    assert text[heads.index("over σ‖J⁻¹‖_F")].startswith("1.5")
