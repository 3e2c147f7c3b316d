"""TFRECORD files read at random, against their definition."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthjax.data.records import TFRecords, record_spans


def write(path, records: list[bytes]) -> None:
    content = [
        struct.pack("<QI", len(record), 1) + record + struct.pack("<I", 2) for record in records
    ]
    path.write_bytes(b"".join(content))


def instruction(path, examples: int, skip: int, take: int) -> SimpleNamespace:
    """What TFDS says about a file."""
    return SimpleNamespace(filename=str(path), skip=skip, take=take, examples_in_shard=examples)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.lists(st.lists(st.binary(max_size=20), max_size=5), max_size=3), data=st.data())
def test_any_part_of_any_files(files, data, tmp_path):
    record_spans.cache_clear()
    instructions, expected = [], []
    for number, records in enumerate(files):
        path = tmp_path / f"{number}.tfrecord"
        write(path, records)
        skip = data.draw(st.integers(0, len(records)))
        take = data.draw(st.integers(0, len(records) - skip))
        instructions.append(instruction(path, len(records), skip, take))
        expected += records[skip : skip + take]
    found = TFRecords(instructions)
    assert len(found) == len(expected)
    order = np.random.default_rng(0).permutation(len(expected)).tolist()
    assert found.__getitems__(order) == [expected[index] for index in order]


@pytest.mark.parametrize("cut", [1, 4, 10, 17])
def test_a_file_that_is_cut_off(tmp_path, cut):
    path = tmp_path / "x.tfrecord"
    write(path, [b"abc", b"defg"])
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match="is cut off or damaged") as caught:
        record_spans(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_with_fewer_records_than_it_should_have(tmp_path):
    path = tmp_path / "y.tfrecord"
    write(path, [b"abc", b"defg"])
    with pytest.raises(ValueError, match="holds 2 records, not 3; prepare it again"):
        TFRecords([instruction(path, 3, 0, 3)]).__getitems__([0])
