"""What all findings on a page say of the claims."""

import pytest

from depthjax.claims.findings import Bound, Finding
from depthjax.claims.paper import CLAIMS
from depthjax.report import verdicts
from depthjax.statistics import Interval


def finding(claim: str, verdict: str, part: str = "predicted", aside: str = "") -> Finding:
    interval = {
        "supported": (1.0, 0.5, 1.5),
        "contradicted": (-1.0, -1.5, -0.5),
        "open": (0.0, -1.0, 1.0),
        "not reached": (float("nan"),) * 3,
    }[verdict]
    made = Finding(
        claim=claim,
        part=part,
        quantity="some",
        bound=Bound.above(0),
        interval=Interval(*interval, 3, 5),
        aside=aside,
    )
    assert made.verdict == verdict
    return made


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "open"], "undecided at this scale"),
        (["supported", "not reached"], "undecided at this scale"),
        (["supported", "contradicted"], "not supported"),
        # One of three places is contradicted by chance often enough.
        (["supported", "supported", "contradicted"], "undecided at this scale"),
        (["open"], "undecided at this scale"),
    ],
)
def test_what_is_no_claim_of_the_paper_is_judged_by_the_same_rule(
    given: list[str], expected: str
) -> None:
    others = [finding("C2", "supported"), finding("theory", "contradicted", aside="contrast")]
    others += [finding("theory", "contradicted", aside="control")]
    own = [finding("theory", verdict) for verdict in given]
    made = verdicts.judgements(own + others, whole=True)
    assert [one.claim.id for one in made] == [*CLAIMS, "theory"]
    assert made[-1].verdict == expected
    assert sum(made[-1].counts.values()) == len(given)
    # The paper's claims are judged by their parts: of C2 none was measured.
    assert [made[0].verdict, made[1].verdict] == ["not run", "undecided at this scale"]


def test_claims_come_in_the_papers_order() -> None:
    names = ("mine", "C14", "C2", "C10")
    made = verdicts.judgements([finding(name, "supported") for name in names])
    assert [one.claim.id for one in made] == ["C2", "C10", "C14", "mine"]
    # Nobody knows what would support a claim that nobody has stated.
    assert made[-1].verdict == "undecided at this scale"


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
                        interval=Interval(*ends, 3, 5),
                    )
                    for detail, ends in numbers
                ]
            )
        ]

    assert strips("x − y", "z − y")[0] != strips("x − y")[0]
