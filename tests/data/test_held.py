"""A data set in the device's memory has the batches that the host would read."""

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from depthjax.data import batches, held, held_on_device, open_dataset


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_its_batches_are_those_of_the_host(shared, shuffle, monkeypatch):
    monkeypatch.setattr(held, "CHUNK", 7)
    dataset = open_dataset("noise/6", split="train[:30]")
    mesh = jax.make_mesh((1,), ("batch",))
    sharding = NamedSharding(mesh, PartitionSpec("batch")) if shared else None
    how = {"epochs": 2, "shuffle": shuffle, "drop_remainder": False, "sharding": sharding}
    given = list(batches(dataset, 8, **how))
    found = list(batches(held_on_device(dataset), 8, **how))
    assert len(given) == len(found) == 8
    for host, device in zip(given, found, strict=True):
        assert device.images.dtype == host.images.dtype
        np.testing.assert_array_equal(device.images, host.images)
        np.testing.assert_array_equal(device.labels, host.labels)
        assert device.position == host.position
        assert device.images.sharding == host.images.sharding


def test_each_example_is_read_once(monkeypatch):
    monkeypatch.setattr(held, "CHUNK", 7)
    dataset, seen = open_dataset("noise/6", split="train[:30]"), []
    read = dataset.read
    object.__setattr__(dataset, "read", lambda numbers: seen.extend(numbers) or read(numbers))
    one = held_on_device(dataset)
    list(batches(one, 10, epochs=3))
    assert sorted(seen[1:]) == list(range(30))  # and the first one, for its size


def test_what_has_no_room_or_no_single_process_is_refused(monkeypatch):
    dataset = open_dataset("noise/6", split="train[:30]")
    monkeypatch.setattr("depthjax.devices.memory.usable_memory", lambda: 1000)
    with pytest.raises(ValueError, match=r"noise/6 on the device takes .*: read it from the host"):
        held_on_device(dataset)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(ValueError, match="held on the device of one process"):
        held_on_device(dataset)
