"""One device or eight: the same numbers, and nothing that passes between the devices."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from depthjax.devices.sharding import AXIS, data_mesh, local_mesh, part_of, split_of

HELPERS = Path(__file__).parents[1] / "helpers"
COLLECTIVES = ("all-reduce", "all-gather", "collective-permute", "all-to-all", "reduce-scatter")
CASES = ("float64", "scaled", "stopped", "plateau", "restarts", "astray")


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Everything that a process of eight devices found, and the instructions of its loop."""
    file = tmp_path_factory.mktemp("sharding") / "found.npz"
    done = subprocess.run(
        [sys.executable, str(HELPERS / "eight_devices.py"), str(file)],
        capture_output=True, text=True, timeout=300,
        env={
            **os.environ, "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}, json.loads(done.stdout)


def pairs(found, case):
    """What one device found and what eight did, under each name."""
    for name, one in found.items():
        if name.startswith(f"{case}/one/"):
            field = name.rsplit("/", 1)[1]
            yield field, one, found[f"{case}/eight/{field}"]


@pytest.mark.parametrize("case", CASES)
def test_eight_devices_find_what_one_finds(eight, case):
    compared = dict.fromkeys(())
    for field, one, many in pairs(eight[0], case):
        if field != "split":
            np.testing.assert_allclose(many, one, rtol=1e-8, atol=1e-8, err_msg=field)
            compared[field] = one
    assert len(compared) == 12
    assert len(compared["frames_step"]) > 1 and np.ptp(compared["frames_images"]) > 100
    assert np.ptp(compared["images"]) > 0.1


def test_the_first_gradient_in_float32(eight):
    found = dict((field, (one, many)) for field, one, many in pairs(eight[0], "float32"))
    starts = np.random.default_rng(1).random((11, 8, 8, 3)).astype(np.float32)
    one, many = (images - starts for images in found["final_images"])
    assert np.abs(one).max() > 0
    assert np.abs(many - one).max() <= 1e-5 * np.abs(one).max()


def test_long_descents_in_float32_end_alike(eight):
    found = dict((field, (one, many)) for field, one, many in pairs(eight[0], "long"))
    begin = found["trajectory_embedding_distance"][0][0]
    for field in ("embedding_distance", "input_distance"):
        one, many = (np.log(rows[-1]) for rows in found[f"trajectory_{field}"])
        assert len(one) == 64 and np.ptp(one) > 0.1
        assert scipy.stats.ks_2samp(one, many).pvalue > 0.5
        assert abs(np.mean(many - one)) < 0.1 * np.std(one)
    assert np.median(found["trajectory_embedding_distance"][1][-1] / begin) < 0.1
    assert tuple(found["split"][1]) == (8, 8, 1)


def test_how_the_batch_was_split_is_recorded(eight):
    splits = {
        (case, who): tuple(eight[0][f"{case}/{who}/split"])
        for case in CASES
        for who in ("one", "eight")
    }
    assert splits["float64", "one"] == (1, 11, 1)
    assert splits["float64", "eight"] == (6, 2, 1)  # the last of 12 is the first again
    assert splits["restarts", "one"] == (1, 8, 3)
    assert splits["restarts", "eight"] == (8, 1, 3)


def test_examples_stop_on_their_own_devices(eight):
    early = eight[0]["plateau/eight/stopped_step"]
    assert len(set(early)) > 3 and early.max() < 60
    stopped = eight[0]["stopped/eight/stopped_step"]
    assert len(set(stopped)) > 4 and stopped.max() > stopped.min()
    trajectory = eight[0]["stopped/eight/trajectory_embedding_distance"]
    for example, step in enumerate(stopped):
        rows = trajectory[step:, example]
        np.testing.assert_allclose(rows, rows[0], rtol=1e-12)


@pytest.mark.parametrize("layer", ["prepared", "plain", "observed", "function"])
def test_weights_that_are_spread_over_devices_change_no_number(eight, layer):
    compared = dict.fromkeys(())
    for field, one, many in pairs(eight[0], f"spread_{layer}"):
        np.testing.assert_allclose(many, one, rtol=1e-8, atol=1e-8, err_msg=field)
        compared[field] = one
    assert set(compared) == {"images", "objective"} and np.ptp(compared["images"]) > 0.1


def test_images_fewer_than_devices_are_measured_with_weights_in_parts(eight):
    """All devices work, as each holds a part of the weights; the numbers are those of one."""
    compared = 0
    for field, one, many in pairs(eight[0], "autoencode"):
        if field == "split":
            assert one.tolist() == [1, 3, 1] and many.tolist() == [8, 1, 1]
        else:
            assert len(many) == 3
            np.testing.assert_allclose(many, one, rtol=1e-8, atol=1e-8, err_msg=field)
            compared += 1
    assert compared == 15


def test_a_batch_fits_where_its_weights_lie_in_parts(eight):
    batch, needed, free = eight[0]["fit"].tolist()
    assert batch == 4 and needed <= free
    assert "takes 0.00 GiB, but 0.00 GiB are free" in eight[0]["whole"].item()


def test_weights_are_spread_where_there_is_no_room_or_when_asked(eight):
    assert eight[0]["spreading"].tolist() == [1, 0, 1]


def test_weights_that_are_spread_leave_a_device_room(eight):
    spread, replicated = eight[0]["memory"]
    assert spread < 0.5 * replicated


def test_the_one_device_of_a_mesh_does_the_work(eight):
    found = eight[0]
    assert found["elsewhere/here"].tolist() == [0]
    assert found["elsewhere/descent"].tolist() == found["elsewhere/jacobian"].tolist() == [3]
    assert found["elsewhere/difference"] < 1e-5


@pytest.mark.parametrize(("count", "grid"), [(1, (1, 8)), (4, (4, 2))])
def test_eight_devices_share_a_jacobian_that_one_finds(eight, count, grid):
    compared = 0
    for field, one, many in pairs(eight[0], f"jacobian{count}"):
        if field == "grid":
            assert tuple(many) == grid and not len(one)
        else:
            np.testing.assert_allclose(many, one, rtol=1e-8, atol=1e-10, err_msg=field)
            compared += 1
    assert compared == 8


@pytest.mark.parametrize("program", ["descent", "J1", "T1", "J4", "T4"])
def test_devices_have_nothing_to_communicate(eight, program):
    instructions = eight[1][program]
    assert program != "descent" or any(re.search(r"\bwhile\(", line) for line in instructions)
    assert any("convolution" in line or "dot(" in line for line in instructions)
    passed_on = [line for line in instructions for word in COLLECTIVES if word in line]
    assert not passed_on


@given(count=st.integers(1, 300), devices=st.integers(1, 17), most=st.none() | st.integers(1, 90))
def test_a_split_over_all_devices_leaves_none_idle(count, devices, most):
    split = split_of(count, devices, most, all_devices=True)
    assert split.devices == devices
    assert split.batch * split.batches >= count > split.batch * (split.batches - 1)
    assert split.batch <= max(devices, most or count + devices)


@given(count=st.integers(1, 300), devices=st.integers(1, 17), most=st.none() | st.integers(1, 90))
def test_a_split_holds_every_example_and_no_more_than_allowed(count, devices, most):
    split = split_of(count, devices, most)
    assert split.batch * split.batches >= count
    assert 1 <= split.devices <= devices and split.per_device >= 1
    assert split.batch <= (most or count + devices)
    # Nothing smaller would do.
    assert split.batch * (split.batches - 1) < count
    assert (split.devices - 1) * split.per_device * split.batches < count
    if devices == 1:
        assert split.batches == -(-count // (most or count))


def test_meshes_have_one_axis():
    assert data_mesh().axis_names == local_mesh().axis_names == (AXIS,)
    assert part_of(data_mesh(), 1) == local_mesh(1)
