"""How far witnesses lie, from rows made by hand, and the files that pictures are written to."""

import numpy as np
import pytest
from study_rows import WITNESS_ROWS

from depthjax.studies.witnesses.judged import findings
from depthjax.studies.witnesses.measured import FARTHEST, WitnessPicture


def test_the_farthest_witness_and_the_first_eigendistortion_count():
    far, seen = findings(WITNESS_ROWS, ["fc1"], ["net"], 0.1)
    assert (
        far.interval.estimate == pytest.approx(5, rel=0.01)
        and far.rule == ">= 3"
        and far.verdict == "supported"
    )
    assert "at ρ ≤ 0.1 after 8 bits" in far.statistic
    assert seen.interval.estimate == pytest.approx(4, rel=0.01)  # the mean of both signs
    assert (seen.interval.seeds, seen.interval.images) == (3, 3)
    assert (
        len(findings([r for r in WITNESS_ROWS if r["kind"] == FARTHEST], ["fc1"], ["net"], 0.1))
        == 1
    )


def test_what_was_not_found_may_be_there():
    rows = [row | {"input_ratio": row["input_ratio"] / 9} for row in WITNESS_ROWS]
    far, _ = findings(rows, ["fc1"], ["net"], 0.1)
    assert far.interval.high < 3 and far.verdict == "not found"


def test_every_picture_has_a_file_of_its_own():
    picture = np.zeros((2, 2, 3), np.float32)
    names = [
        name for one in WITNESS_ROWS for name in WitnessPicture(one, picture, picture + 1).files
    ]
    targets = {f"net_{seed}/fc1/{image}.png" for seed in (0, 1, 2) for image in "abc"}
    endings = ("farthest", "towards", "eigendistortion1+", "eigendistortion1-", "eigendistortion2+")
    made = {name.replace(".png", f"_{end}.png") for name in targets for end in endings}
    assert set(names) == targets | made and len(names) == 2 * len(WITNESS_ROWS)
