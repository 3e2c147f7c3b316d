"""Claim C6, from rows made by hand."""

import numpy as np
import pytest
from study_rows import preimage_rows

from depthjax.studies.preimages import judged


def test_exact_preimages_are_far_away_and_out_of_range():
    size, outside, against = judged.findings(preimage_rows(10, 1.5))
    assert size.rule == "within 0.5 2" and size.sample == "10 × these 1"
    assert size.verdict == "supported"
    assert outside.verdict == "supported"
    assert (
        against.interval.estimate == pytest.approx(6, rel=0.01) and against.verdict == "supported"
    )


def test_the_table_has_the_verdict_of_the_control():
    def verdict(*arguments):
        return judged.preimage_table(preimage_rows(*arguments)).splitlines()[-1].split("|")[-2]

    assert verdict(10, 1.5).strip() == "supported"
    for wanting in ((9, 1.5), (10, 2.5), (10, 1.5, 0.9)):
        assert verdict(*wanting).strip() == "not supported"
    control = judged.control_of(preimage_rows(3, 1.5))
    np.testing.assert_allclose(control.distance_ratio, 1.5, rtol=0.01)
