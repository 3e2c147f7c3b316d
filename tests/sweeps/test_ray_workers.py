"""Workers and drivers that are killed at any moment: every cell once in the table, none lost."""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from sweep_cells import cells

from depthjax.sweeps import cell_hash, load_sweep, ray_workers, run_sweep

HELPERS = Path(__file__).parents[1] / "helpers"
COUNT = 30


def driver(folder, listed, attempts=6):
    script, text = str(HELPERS / "ray_sweep.py"), json.dumps(listed)
    return subprocess.Popen(
        [sys.executable, script, str(folder), text, str(attempts)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={
            **os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{HELPERS.parents[1]}:{HELPERS}",
            "RAY_worker_niceness": "0",  # Ray makes workers wait for whatever else runs
        },
    )  # fmt: skip


def done(folder):
    return len(list((folder / "cells").glob("*.parquet"))) if (folder / "cells").is_dir() else 0


def wait_for(folder, count, process):
    while done(folder) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def workers(folder):
    """The processes that are at a cell at this moment."""
    found = set()
    for marker in (folder / "running").glob("*/.lock"):
        if marker.parent.name.startswith("driver"):
            continue
        try:
            found.add(json.loads(marker.read_text())["pid"])
        except (OSError, ValueError):  # it has just finished
            continue
    return found


def kill_a_worker(folder):
    for _ in range(500):
        for pid in workers(folder):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return pid
        time.sleep(0.01)
    raise AssertionError("no worker was at a cell")


def test_kills_a_damaged_file_and_a_cell_that_kills(tmp_path):
    """One story, since Ray takes seconds to start."""
    folder, chance = tmp_path / "sweep", random.Random(0)
    listed = [
        *cells(COUNT, seconds=0.05),
        *({**c, "deadly": [COUNT]} for c in cells(COUNT + 1)[-1:]),
    ]
    first = driver(folder, listed, attempts=3)
    killed = []
    for count in (3, 9):
        wait_for(folder, count, first)
        time.sleep(chance.random() * 0.1)
        killed.append(kill_a_worker(folder))
    wait_for(folder, 15, first)
    assert len(set(killed)) == 2
    first.kill()
    first.communicate()
    time.sleep(2)  # until Ray has noticed, its workers go on
    broken = sorted((folder / "cells").glob("*.parquet"))[0]
    broken.write_bytes(broken.read_bytes()[:-9])
    before = done(folder)
    assert 15 <= before < len(listed)

    second = driver(folder, listed, attempts=3)
    out, err = second.communicate(timeout=240)
    assert second.returncode == 0, err
    # Ray says on the same stream whose worker has died.
    report, damaged = (json.loads(line) for line in out.splitlines() if line.startswith("{"))
    assert before - 1 <= report["before"] and list(damaged) == [broken.stem]
    deadly = cell_hash(listed[-1])
    assert report["done"] == COUNT
    assert report["failed"] == {deadly: "its worker died 3 times (out of memory?)"}
    rows = collections.Counter(load_sweep(folder).column("number").to_pylist())
    assert rows == dict.fromkeys(range(COUNT), 2)
    # Nothing is left to do but what was given up.
    assert run_sweep(listed, pytest.fail, folder, workers=2).done


@pytest.mark.parametrize(
    ("error", "way"),
    [
        (OSError("AF_UNIX path length cannot exceed 107 bytes: '/a…'"), "set TMPDIR to a shorter"),
        (RuntimeError("no room in\n/dev/shm"), "leave out --workers"),
    ],
)
def test_ray_that_does_not_start_is_one_line(error, way):
    def init(**_):
        raise error

    with pytest.raises(ValueError, match=way) as refused:
        ray_workers._start(SimpleNamespace(init=init), ray_workers.Workers(count=1))
    assert "\n" not in str(refused.value)


def test_workers_without_ray_are_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'depthjax\[sweep\]'"):
        run_sweep(cells(1), lambda cell, unfinished: [], tmp_path / "sweep", workers=2)
