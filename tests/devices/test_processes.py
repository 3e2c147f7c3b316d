"""Two processes that talk over a socket do what one does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import two_processes
from absl.testing import flagsaver
from script_loading import loaded

import depthjax
from depthjax import cli
from depthjax.devices import processes

HELPERS = Path(__file__).parents[1] / "helpers"


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return str(found.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where both write."""
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def found(folder):
    """What each of two processes found."""
    port = free_port()
    both = [
        subprocess.Popen(
            [sys.executable, str(HELPERS / "two_processes.py"), port, index, str(folder / "found")],
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(HELPERS.parents[1])},
        )
        for index in "01"
    ]  # fmt: skip
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    resumed = [file.name for file in (folder / "found.kept").iterdir()]
    assert sorted(resumed) == ["process-0", "process-1"]
    assert all((folder / "found.kept" / name / "batch-0.npz").is_file() for name in resumed)
    files = [np.load(folder / f"found-{index}.npz") for index in "01"]
    return [{name: file[name] for name in file.files} for file in files]


@pytest.mark.parametrize(
    ("case", "settings"),
    [("plain", {}), ("stopped", {"stop_distance": two_processes.NEAR}), ("resumed", {})],
)
def test_both_processes_have_what_one_finds(found, case, settings):
    alone = two_processes.found(**settings)
    assert len(alone) == 12
    assert len(alone["frames_step"]) > 3
    for name, array in alone.items():
        for arrays in found:
            np.testing.assert_allclose(
                arrays[f"{case}/{name}"], array, rtol=1e-8, atol=1e-8, err_msg=name
            )


def test_one_of_the_processes_stops_early(found):
    stopped = found[0]["stopped/stopped_step"]
    assert stopped[[0, 3, 4]].max() < stopped[[1, 2]].max() == two_processes.CONFIG.steps


def test_a_study_is_shared_and_written_once(found, folder, tmp_path):
    shared = depthjax.load_run(folder / "found.study" / "descents" / "net_0" / "only")
    alone = depthjax.load_run(two_processes.studied(tmp_path))
    assert list(shared.layers) == list(alone.layers) == ["first", "second"]
    for name in ("embedding_ratio", "input_ratio"):
        here, there = shared.stack(name), alone.stack(name)
        np.testing.assert_allclose(here, there, rtol=1e-3, err_msg=name)
    # This process may still write; those of the study have ended, and with them their locks.
    names = ({file.name for file in run.folder.rglob("*")} - {".lock"} for run in (shared, alone))
    assert len(set(map(frozenset, names))) == 1


def test_scripts_that_do_not_share_say_so():
    given = flagsaver.flagsaver(num_processes=2)
    with loaded("filters"), given, pytest.raises(ValueError, match="in one process"):
        cli.connect_processes(shared=False)


def test_one_process_has_everything():
    np.testing.assert_array_equal(processes.my_share(3), [0, 1, 2])
    part = {"a": np.ones((3, 2))}
    assert processes.gather(part, 3)["a"].shape == (3, 2)
    assert processes.is_first() and processes.of_first(5) == 5


def test_no_cluster_is_one_line():
    with pytest.raises(ValueError, match=r"cannot join.*--coordinator_address") as error:
        processes.connect()
    assert "\n" not in str(error.value)
