"""Which verdicts another kind of interval changes."""

import numpy as np

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.claim import Claim, Part
from depthjax.claims.findings import Finding
from depthjax.claims.sensitivity import by_cautious_intervals
from depthjax.statistics import cautious, interval


def test_only_verdicts_that_rest_on_the_kind_of_interval_are_told() -> None:
    """The mean over places and runs takes the other interval of each."""
    cells = np.random.default_rng(0).normal(0, 0.1, size=(3, 5)) + np.array([[-1.0], [0], [1]])
    between = (interval(cells).low + cautious(cells).low) / 2
    claims, findings = [], []
    for name, at, places in (("near", between, 1), ("far", between - 1, 1), ("mean", between, 2)):
        claims.append(Claim(name, "", "", {"a": Part("", f"> {at!r}", 0, "")}))
        findings += [
            Finding(
                claim=name, part="a", layer=f"layer{place}", quantity="", bound=Bound.above(at),
                measured=Cells.of(cells),
            )
            for place in range(places)
        ]  # fmt: skip
    assert by_cautious_intervals(findings, claims) == {
        "near": "undecided at this scale",
        "mean": "undecided at this scale",
    }
