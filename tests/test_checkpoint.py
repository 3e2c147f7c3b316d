"""Checkpoints: what goes in comes out, and damage costs one checkpoint, not all."""

import shutil
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from depthjax.checkpoint import Checkpoints


class State(NamedTuple):
    weights: dict
    optimizer: object
    average: object
    step: object


def state_of(number):
    weights = {"layer1.0.conv1": {"kernel": jnp.full((2, 3), float(number))}}
    state = optax.chain(optax.trace(0.9), optax.scale_by_adam()).init(weights)
    return State(weights, state, None, jnp.asarray(number, jnp.int32))


def same(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    return all(
        np.asarray(a).dtype == np.asarray(b).dtype and np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    )


def test_there_and_back(tmp_path):
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert checkpoints.restore(state_of(0)) is None
        checkpoints.save(7, state_of(7), {"position": {"epoch": 1}, "curve": [0.5]})
    with Checkpoints(tmp_path / "c") as checkpoints:
        found = checkpoints.restore(state_of(0))
        assert checkpoints.restore(state_of(0), kind="best") is None
    assert found.step == 7
    assert same(found.state, state_of(7))
    assert found.meta == {"position": {"epoch": 1}, "curve": [0.5]}


def test_the_last_two_and_the_best_are_kept(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, state_of(step), {})
        checkpoints.save(2, state_of(2), {}, kind="best")
        checkpoints.wait()
        assert checkpoints.restore(state_of(0)).step == 3
        assert checkpoints.restore(state_of(0), kind="best").step == 2
    assert sorted(p.name for p in (tmp_path / "last").iterdir()) == ["2", "3"]


def test_memory_may_be_reused_while_it_is_written(tmp_path):
    array = np.zeros(1000, np.float32)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"x": array}, {})
        array[:] = 1
        checkpoints.wait()
        assert not checkpoints.restore({"x": array}).state["x"].any()


def lose_the_arrays(folder):
    shutil.rmtree(folder / "state")


def truncate(folder):
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:10])


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("damage", [lose_the_arrays, truncate, empty])
def test_a_damaged_one_costs_one(tmp_path, damage):
    with Checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state_of(step), {"step": step})
    damage(tmp_path / "last" / "2")
    with Checkpoints(tmp_path) as checkpoints:
        found = checkpoints.restore(state_of(0))
        assert (found.step, found.meta) == (1, {"step": 1})
        checkpoints.save(2, state_of(2), {"step": "again"})  # its number is free again
        checkpoints.wait()
        assert checkpoints.restore(state_of(0)).meta == {"step": "again"}


def test_when_none_fits_it_says_why(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"x": jnp.zeros(3)}, {})
        checkpoints.wait()
        with pytest.raises(ValueError, match=r"no checkpoint in .* can be used") as caught:
            checkpoints.restore({"x": jnp.zeros(4)})
        assert "\n" not in str(caught.value)
        assert checkpoints.restore({"x": jnp.zeros(3)}).step == 1


def test_unknown_kinds(tmp_path):
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(ValueError, match="unknown kind"):
        checkpoints.save(1, {"x": jnp.zeros(3)}, {}, kind="latest")
