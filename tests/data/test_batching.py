"""Batches: an order that the seed fixes, positions to go on from, shares of several processes."""

import json
from collections.abc import Iterable
from itertools import chain

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import NamedSharding, PartitionSpec

from depthjax.data import Dataset, Position, batches
from depthjax.data.dataset import in_memory


def numbered(length: int) -> Dataset:
    """A set whose images and labels are the numbers of the examples."""
    numbers = np.arange(length, dtype=np.int32)
    images = np.broadcast_to(numbers.astype(np.uint8)[:, None, None, None], (length, 2, 2, 1))
    return Dataset("numbers", "train", ("a",), (2, 2, 1), length, in_memory(images, numbers))


def labels(*args, **kwargs) -> list[list[int]]:
    return [batch.labels.tolist() for batch in batches(*args, **kwargs)]


def joined(parts: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(parts))


@settings(deadline=None, max_examples=25)
@given(
    length=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    processes=st.integers(1, 3),
    drop=st.booleans(),
)
def test_an_epoch_holds_every_example_once(length, batch_size, processes, drop):
    batch_size *= processes
    if drop and batch_size > length:
        return
    dataset = numbered(length)
    whole = labels(dataset, batch_size, epochs=1, drop_remainder=drop)
    assert [len(batch) for batch in whole[:-1]] == [batch_size] * (len(whole) - 1)
    seen = joined(whole)
    assert len(seen) == len(set(seen)) == (length // batch_size * batch_size if drop else length)
    shares = [
        labels(
            dataset,
            batch_size,
            epochs=1,
            drop_remainder=drop,
            process_index=index,
            process_count=processes,
        )
        for index in range(processes)
    ]
    # Disjoint, and together the very batch that one process would read.
    for parts, batch in zip(zip(*shares, strict=True), whole, strict=True):
        assert sorted(joined(parts)) == sorted(batch)
        assert sum(map(len, parts)) == len(batch)


def test_two_processes_see_disjoint_halves():
    halves = [
        joined(labels(numbered(40), 8, epochs=1, process_index=i, process_count=2)) for i in (0, 1)
    ]
    assert len(halves[0]) == len(halves[1]) == 20
    assert not set(halves[0]) & set(halves[1])


def test_the_order_comes_from_seed_and_epoch():
    dataset = numbered(30)
    first = labels(dataset, 5, epochs=2, seed=3)
    assert first == labels(dataset, 5, epochs=2, seed=3)
    assert first != labels(dataset, 5, epochs=2, seed=4)
    assert first[:6] != first[6:]
    assert joined(first[:6]) != list(range(30))
    assert joined(labels(dataset, 5, epochs=1, shuffle=False)) == list(range(30))


@pytest.mark.parametrize("stop", [1, 3, 4, 7, 8])
def test_going_on_from_a_saved_position(stop):
    """Read some, save, and go on in what might be another process: the same batches."""
    dataset = numbered(22)
    whole = labels(dataset, 5, seed=1, epochs=3)
    assert len(whole) == 12
    stream = batches(dataset, 5, seed=1, epochs=3)
    for _ in range(stop):
        position = next(stream).position
    saved = json.dumps(position._asdict())
    restored = Position(**json.loads(saved))
    assert labels(dataset, 5, seed=1, epochs=3, position=restored) == whole[stop:]


def test_a_position_of_another_order_is_refused():
    position = next(batches(numbered(22), 5, seed=1)).position
    for dataset, size, seed in ((numbered(21), 5, 1), (numbered(22), 4, 1), (numbered(22), 5, 2)):
        with pytest.raises(ValueError, match=r"saved for '22 examples in the order of seed 1, 5 "):
            batches(dataset, size, seed=seed, position=position)


def test_batches_are_on_the_device_as_bytes():
    batch = next(batches(numbered(8), 4))
    assert isinstance(batch.images, jax.Array) and batch.images.dtype == np.uint8
    assert batch.labels.dtype == np.int32
    np.testing.assert_array_equal(batch.images[:, 0, 0, 0], batch.labels)


def test_batches_follow_a_sharding():
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    batch = next(batches(numbered(8), 4, sharding=sharding))
    assert batch.images.sharding == sharding and batch.labels.shape == (4,)


def test_reading_is_ahead_but_not_without_end():
    reads = []

    def read(indices):
        reads.append(len(indices))
        return np.zeros((len(indices), 1, 1, 1), np.uint8), np.zeros(len(indices), np.int32)

    stream = batches(Dataset("x", "train", (), (1, 1, 1), 100, read), 2, ahead=3)
    assert not reads
    next(stream)
    stream.close()  # waits for what is under way
    assert 1 <= len(reads) <= 4


def test_an_error_in_reading_arrives():
    def read(indices):
        raise ValueError("the file is gone")

    with pytest.raises(ValueError, match="the file is gone"):
        next(batches(Dataset("x", "train", (), (1, 1, 1), 9, read), 2))


@pytest.mark.parametrize(
    ("length", "size", "kwargs", "message"),
    [
        (3, 4, {}, "has 3 examples, which gives no batch of 4"),
        (0, 1, {}, "has 0 examples"),
        (3, 0, {}, "no batch of 0"),
        (9, 3, {"process_index": 0, "process_count": 2}, "cannot be shared evenly by 2"),
        (9, 2, {"process_index": 2, "process_count": 2}, "process_index 2 is not among 2"),
    ],
)
def test_what_cannot_be_batched(length, size, kwargs, message):
    with pytest.raises(ValueError, match=message):
        batches(numbered(length), size, **kwargs)
