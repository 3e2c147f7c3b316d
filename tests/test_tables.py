"""Tables that people quote: aligned, valid Markdown, and honest about what is missing."""

import numpy as np
import pytest

from depthjax.tables import markdown_table, median_and_range, number


def test_markdown_table_is_aligned():
    text = markdown_table(["layer", "D"], [["conv1", "0.5"], ["layer1.0", "12"]])
    assert text.splitlines() == [
        "| layer    |   D |",
        "| -------- | --: |",
        "| conv1    | 0.5 |",
        "| layer1.0 |  12 |",
    ]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5], "0.5"),
        ([0.31, 0.52, 0.7], "0.52 (0.31–0.7)"),
        ([np.nan, 3.5, np.inf], "3.5 [1 of 3]"),
        ([1.0, np.nan, 2.0], "1.5 (1–2) [2 of 3]"),
        ([np.nan], "–"),
    ],
)
def test_spread(values, text):
    assert median_and_range(np.array(values)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1234"), (0.00001234, "1.23e-05"), (7.0, "7"), (np.nan, "–")],
)
def test_number(value, text):
    assert number(value) == text
