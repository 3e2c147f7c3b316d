"""The form of error messages."""

import pytest

from depthjax.errors import in_one_line


@pytest.mark.parametrize(
    ("error", "most", "line"),
    [
        (ValueError("two\n  lines\n"), None, "two lines"),
        (ValueError("two\n  lines\n"), 5, "two l"),
        (MemoryError(), None, "MemoryError"),
        (MemoryError(), 5, "MemoryError"),
    ],
)
def test_a_message_is_one_line_of_bearable_length(error, most, line):
    assert in_one_line(error, most=most) == line
