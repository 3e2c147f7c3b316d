"""Cells a minute against workers."""

import pytest

from depthjax.figures import throughput_against_workers


def test_what_was_measured_and_what_is_a_projection():
    figure = throughput_against_workers([1, 2, 4], [10.0, 19.0, 30.0], projected=8)
    (axes,) = figure.axes
    line, measured = axes.lines
    assert line.get_xydata().tolist() == [[0, 0], [8, 80]]
    assert measured.get_xydata().tolist() == [[1, 10], [2, 19], [4, 30]]
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == ["10", "19", "30"] and "not measured" in texts[3]


@pytest.mark.parametrize(("workers", "speed"), [([], []), ([1, 2], [3.0])])
def test_a_pair_for_each_measurement(workers, speed):
    with pytest.raises(ValueError, match="a pair"):
        throughput_against_workers(workers, speed)
