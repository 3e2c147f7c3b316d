"""Findings are fields and cells, and old files without them still load."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding, finding_from_record
from depthjax.claims.stored import load_findings
from depthjax.statistics import Interval

TABLE = np.random.default_rng(0).normal(0.5, 0.1, size=(3, 5))
WHOLE = Finding(
    claim="C11",
    part="early_clearer",
    network="photos, mine",
    layer="layer1",
    note="1/f noise",
    quantity="SSIM (structural): at matched ρ",
    detail="photos − untrained",
    known=(14, 15),
    bound=Bound.above(0),
    measured=Cells.of(TABLE),
)
NOTHING = Cells.of(np.full((3, 5), np.nan))


def with_missing(count: int) -> np.ndarray:
    table = TABLE.copy()
    table.ravel()[:count] = np.nan
    return table


def test_sentences_are_made_of_fields() -> None:
    assert WHOLE.where == "photos, mine, layer1, 1/f noise"
    assert WHOLE.statistic == "SSIM (structural): at matched ρ: photos − untrained (14 of 15)"
    assert WHOLE.rule == "> 0" and WHOLE.title == "C11" and WHOLE.votes
    bare = Finding(
        claim="C3", quantity="x", bound=Bound.above(0), measured=NOTHING, aside="contrast"
    )
    assert (bare.where, bare.statistic, bare.title) == ("", "x (0 of 15)", "C3, contrast")
    assert not bare.votes and bare.verdict == "not reached"
    control = replace(bare, aside="control")
    assert control.title == "C3" and not control.votes


def test_cells_that_are_not_known_are_counted_and_a_fifth_may_be() -> None:
    for count, verdict in ((0, "supported"), (3, "supported"), (4, "not reached")):
        found = replace(WHOLE, known=None, measured=Cells.of(with_missing(count)))
        assert found.verdict == verdict
        assert found.statistic.endswith(f"({15 - count} of 15)") == (count > 0)
    # Also of the values behind the cells.
    for known, verdict in (((96, 120), "supported"), ((95, 120), "not reached")):
        assert replace(WHOLE, known=known).verdict == verdict


def test_what_a_number_rests_on() -> None:
    def sample(table: np.ndarray, fixed: str = "") -> str:
        return replace(WHOLE, measured=Cells.of(table, fixed=fixed)).sample

    assert sample(TABLE) == "3 × 5" and sample(TABLE, "exact") == "3 × 5, exact"
    assert sample(TABLE[:1], "seeds") == "these 1 × 5"
    assert sample(TABLE[:, :1], "images") == "3 × these 1"
    assert sample(with_missing(5)) == "2 × 5"  # a seed of which nothing is known is none


def test_an_exact_number_holds_everywhere_or_not() -> None:
    def verdict(table: np.ndarray) -> str:
        return replace(WHOLE, known=None, measured=Cells.of(table, fixed="exact")).verdict

    assert verdict(np.array([[0.1]])) == "supported"
    assert verdict(np.array([[0.1, 2, 3], [-0.1, 2, 3]])) == "contradicted"
    assert verdict(np.array([[0.1, np.nan]])) == "not reached"


def test_a_search_that_finds_nothing_contradicts_nothing() -> None:
    low = replace(WHOLE, measured=Cells.of(TABLE - 9))
    assert low.verdict == "contradicted"
    assert replace(low, search=True).verdict == "not found"
    assert replace(WHOLE, search=True).verdict == "supported"


def test_geometric_means() -> None:
    cells = Cells.of(np.exp(TABLE), logarithmic=True)
    found = cells.interval
    assert found.estimate == pytest.approx(np.exp(TABLE.mean()), rel=1e-5)
    assert Cells.of(np.array([[1.0, 0.0, -1.0, np.inf]]), logarithmic=True).values == (
        (0.0, None, None, None),
    )


@pytest.mark.parametrize("aside", ["", "contrast", "control"])
@pytest.mark.parametrize("missing", [0, 4, 15])
def test_a_record_keeps_every_field(aside: str, missing: int) -> None:
    """Also where names hold what sentences are made with."""
    cells = Cells.of(np.exp(with_missing(missing)), fixed="seeds", logarithmic=True)
    finding = replace(WHOLE, aside=aside, measured=cells, search=True)
    record = json.loads(json.dumps(finding.record(), allow_nan=False))
    assert finding_from_record(record) == finding
    assert list(record)[:9] == [
        *("claim", "where", "statistic", "rule", "estimate", "low", "high", "seeds", "images"),
    ]
    assert record["verdict"] == finding.verdict and record["sample"] == finding.sample
    assert finding_from_record(record).record() == record


OLD = {
    **{"claim": "C15, contrast", "where": "photos, layer4", "rule": "< 1.1"},
    **{"statistic": "energy (8 of 9)", "estimate": None, "low": None, "high": None},
    **{"seeds": 3, "images": 5, "verdict": "not reached"},
}


def test_records_without_fields_are_shown_as_before(tmp_path) -> None:
    known = {**OLD, "claim": "C15", "part": "no_structure", "estimate": 1, "low": 0.5, "high": 1.0}
    (tmp_path / "findings.json").write_text(json.dumps([OLD, known]))
    finding, other = load_findings(tmp_path)
    assert {name: finding.record()[name] for name in OLD} == OLD
    assert finding.claim == "C15" and not finding.votes and finding.part == ""
    assert isinstance(other.measured, Interval) and other.interval.low == 0.5
    assert math.isnan(other.interval.error) and "cells" not in other.record()


def test_findings_that_are_not_there_or_damaged(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"it has no findings.json"):
        load_findings(tmp_path)
    for damage in ("[{", '[{"claim": "C1"}]', "3", "[3]", json.dumps([OLD | {"rule": "maybe"}])):
        (tmp_path / "findings.json").write_text(damage)
        with pytest.raises(ValueError, match="is damaged"):
            load_findings(tmp_path)
