"""What all findings on a page say of the claims."""

import pytest
from judged_cells import cells_that_say

from depthjax.claims.beside import BESIDE
from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.claim import Part
from depthjax.claims.findings import Finding
from depthjax.claims.paper import CLAIMS
from depthjax.report import verdicts
from depthjax.statistics import Interval


def finding(claim: str, verdict: str, part: str, aside: str = "") -> Finding:
    known = (CLAIMS | BESIDE).get(claim)
    what = known.parts[part] if known else Part("some", "> 0", 0.1, "")
    return Finding(
        claim=claim,
        part=part,
        quantity="some",
        bound=what.bound,
        measured=cells_that_say(verdict, what, Cells(())),
        aside=aside,
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("supported", "supported", "supported"), "supported"),
        (("supported", "open", "supported"), "undecided at this scale"),
        (("supported", "supported", "not reached"), "undecided at this scale"),
        (("supported", "supported", "contradicted"), "not supported"),
        (("supported",), "undecided at this scale"),
    ],
)
def test_what_is_no_claim_of_the_paper_is_judged_by_the_same_rule(
    given: tuple[str, ...], expected: str
) -> None:
    others = [finding("C2", "supported", "embedding_matched")]
    others += [
        finding("theory", "contradicted", "predicted", aside) for aside in ("contrast", "control")
    ]
    names = BESIDE["theory"].parts
    own = [finding("theory", *told) for told in zip(given, names, strict=False)]
    made = verdicts.judgements(own + others, whole=True)
    assert [one.claim.id for one in made] == [*CLAIMS, "theory"]
    assert made[-1].verdict == expected
    assert sum(made[-1].counts.values()) == len(given)
    # The paper's claims are judged by their parts: of C2 one was measured.
    assert [made[0].verdict, made[1].verdict] == ["not run", "undecided at this scale"]


def test_claims_come_in_the_papers_order() -> None:
    names = ("mine", "C14", "C2", "C10")
    parts = ("some", "recovered_come_nearer", "image_missed", "ratio_lower")
    made = verdicts.judgements(
        [finding(name, "supported", part) for name, part in zip(names, parts, strict=True)]
    )
    assert [one.claim.id for one in made] == ["C2", "C10", "C14", "mine"]
    # Nobody knows what would support a claim that nobody has stated.
    assert made[-1].verdict == "no verdict"


def test_strips_of_one_quantity_share_their_scale() -> None:
    """The same of two networks, also where names hold what sentences are made with."""

    def strips(*details: str) -> list[str]:
        numbers = zip(details, ((1.0, 0.5, 1.5), (90.0, 80.0, 99.0)), strict=False)
        return [
            row["strip"]
            for row in verdicts.finding_rows(
                [
                    Finding(
                        claim="C10",
                        quantity="log ρ (of a: b)",
                        detail=detail,
                        bound=Bound.above(0),
                        measured=Interval(*ends, 3, 5),
                    )
                    for detail, ends in numbers
                ]
            )
        ]

    assert strips("x − y", "z − y")[0] != strips("x − y")[0]
