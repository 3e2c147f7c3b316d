"""Tables that people quote: aligned, valid Markdown, and honest about what is missing."""

import numpy as np
import pytest

from depthjax.tables import interval_words, markdown_table, median_and_range, number


def test_markdown_table_is_aligned():
    text = markdown_table(["layer", "D"], [["conv1", "0.5"], ["layer1.0", "12"]])
    assert text.splitlines() == [
        "| layer    |   D |",
        "| -------- | --: |",
        "| conv1    | 0.5 |",
        "| layer1.0 |  12 |",
    ]


def test_columns_of_words_are_aligned_to_the_left():
    text = markdown_table(["a", "words", "n"], [["1", "so", "10"]], left=2)
    assert text.splitlines() == [
        "| a  | words |  n |",
        "| -- | ----- | -: |",
        "| 1  | so    | 10 |",
    ]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.2, 0.1, 0.3), "0.2 [0.1, 0.3]"),
        ((0.2, np.nan, np.nan), "0.2"),
        ((np.nan, np.nan, np.nan), "–"),
        ((3205677, 315191, 32603595), "3·10⁶ [3·10⁵, 3·10⁷]"),
        ((99_999, 12, 5094897), "1·10⁵ [12, 5·10⁶]"),
        ((12345, 1000, 99999), "12345 [1000, 99999]"),
    ],
)
def test_an_interval_of_millions_has_no_more_digits_than_it_knows(numbers, text):
    assert interval_words(*numbers) == text


def test_narrow_columns_are_of_markdown_too():
    assert markdown_table(["a", "D"], [["b", "1"]]).splitlines() == [
        "| a  |  D |",
        "| -- | -: |",
        "| b  |  1 |",
    ]
    assert markdown_table(["a", "D"], []).splitlines()[1] == "| -- | -: |"


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
