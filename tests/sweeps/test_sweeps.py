"""Cells, their files, and that nothing is lost or done twice; Ray's workers in test_ray_sweeps."""

import errno
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import types
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from killed import is_killed_at
from sweep_cells import cells, second_try, squares

from depthjax import files
from depthjax.files import TEMPORARY
from depthjax.folders import lock as locks
from depthjax.folders.lock import FolderBusy
from depthjax.sweeps import (
    CannotWrite,
    SweepFolder,
    Workers,
    cell_hash,
    load_sweep,
    ray_workers,
    run_sweep,
)
from depthjax.sweeps.attempt import attempt
from depthjax.sweeps.order import Queue


def numbers(folder):
    """Which cells are in the table, each of their rows."""
    return load_sweep(folder).column("number").to_pylist()


def run(folder, listed, run_cell=squares, **settings):
    """A sweep in this process: where it stands at the end, and the outcomes."""
    seen = []
    status = run_sweep(listed, run_cell, folder, on_outcome=seen.append, **settings)
    return status, [outcome.kind for outcome in seen]


# ------------------------------------------------------------------------------- cells

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.text(), JSON, max_size=4), st.randoms())
def test_a_hash_is_of_what_a_cell_says_in_any_order(cell, random):
    items = list(cell.items())
    random.shuffle(items)
    again = json.loads(json.dumps(dict(items)))
    assert cell_hash(again) == cell_hash(cell)
    assert cell_hash({**cell, "one more": 1}) != cell_hash(cell)


@pytest.mark.parametrize("value", [float("nan"), object(), np.float32(1)])
def test_a_cell_is_plain_json(value):
    with pytest.raises(ValueError, match="plain JSON"):
        cell_hash({"a": value})


def test_cells_of_one_program_go_to_one_worker():
    listed = [{"program": name, "number": number} for number in range(4) for name in "abc"]
    queue = Queue(listed, lambda cell: cell["program"])
    taken = {worker: [] for worker in (0, 1)}
    for turn in range(12):
        taken[turn % 2].append(queue.take(turn % 2)["program"])
    assert "".join(taken[0]) == "aaaacc" and "".join(taken[1]) == "bbbbcc"
    assert queue.take(0) is None and len(queue) == 0


@given(st.lists(st.sampled_from("abc"), max_size=20), st.lists(st.integers(0, 3), min_size=40))
def test_every_cell_is_given_out_once(programs, workers):
    queue = Queue([{"p": p, "n": n} for n, p in enumerate(programs)], lambda cell: cell["p"])
    given_out = [queue.take(worker) for worker in workers]
    assert sorted(cell["n"] for cell in given_out if cell) == list(range(len(programs)))


# ------------------------------------------------------------------------------ results


def test_every_cell_is_once_in_the_table(tmp_path):
    status, kinds = run(tmp_path / "sweep", cells(5))
    assert kinds == ["done"] * 5 and len(status.done) == 5 and not status.waiting
    table = load_sweep(tmp_path / "sweep").to_pydict()
    assert table["number"] == [number for number in range(5) for _ in range(2)]
    assert table["value"] == [float(n**p) for n in range(5) for p in (2, 3)]
    data = pyarrow.dataset.dataset(tmp_path / "sweep" / "cells").to_table()
    assert sorted(data.column("value").to_pylist()) == sorted(table["value"])
    assert set(data.column("cell").to_pylist()) == set(map(cell_hash, cells(5)))


def test_finished_work_is_never_done_again(tmp_path):
    run(tmp_path, cells(3))
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cells").iterdir()}

    def never(cell, unfinished):
        pytest.fail("it was done already")

    assert run(tmp_path, cells(3), never)[1] == []
    assert run(tmp_path, cells(5))[1] == ["done"] * 2  # a longer list: the new ones alone
    after = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cells").iterdir()}
    assert before.items() <= after.items()


def damage(file, how):
    content = file.read_bytes()
    if how == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "text":
        file.write_text("precious")
    elif how == "flipped":
        at = content.index(b"PAR1") + 40
        file.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    elif how == "another cell":
        others = [other for other in file.parent.iterdir() if other != file]
        file.write_bytes(others[0].read_bytes())
    elif how == "another table":
        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), file)


HOWS = {
    "truncated": "no whole table",
    "empty": "empty",
    "text": "no whole table",
    "flipped": "no whole table",
    "another cell": "the result of another cell",
    "another table": "not of a cell",
}


@pytest.mark.parametrize("how", HOWS)
def test_a_file_that_is_not_the_cells_is_found_out_and_redone(how, tmp_path):
    run(tmp_path, cells(4))
    name = cell_hash(cells(4)[2])
    damage(tmp_path / "cells" / f"{name}.parquet", how)
    with pytest.raises(ValueError, match=HOWS[how]) as error:
        load_sweep(tmp_path)
    assert "\n" not in str(error.value) and name in str(error.value)
    begun = []
    status, kinds = run(tmp_path, cells(4), on_begin=begun.append)
    assert HOWS[how] in begun[0].damaged[name] and len(begun[0].done) == 3
    assert kinds == ["done"] and not status.damaged
    assert numbers(tmp_path) == [n for n in range(4) for _ in range(2)]


def test_foreign_files_are_reported_and_left_alone(tmp_path):
    run(tmp_path, cells(2))
    (tmp_path / "cells" / "thesis.tex").write_text("precious")
    assert SweepFolder(tmp_path).status().foreign == ("thesis.tex",)
    run(tmp_path, cells(3))
    assert (tmp_path / "cells" / "thesis.tex").read_text() == "precious"
    assert numbers(tmp_path) == [0, 0, 1, 1, 2, 2]


def test_a_folder_that_is_no_sweep_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="is no sweep"):
        run(tmp_path, cells(1))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match="no sweep in"):
        load_sweep(tmp_path)


@pytest.mark.parametrize(
    ("listed", "settings", "message"),
    [
        ([], {}, "at least one cell"),
        ([*cells(2), *cells(1)], {}, "twice"),
        (cells(1), {"attempts": 0}, "at least 1"),
        (cells(1), {"workers": 0}, "at least 1"),
    ],
)
def test_bad_sweeps_write_nothing(listed, settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "sweep", listed, **settings)
    assert not (tmp_path / "sweep").exists()


# ----------------------------------------------------------------------------- failures


def test_a_failed_cell_keeps_its_tracebacks_and_the_others_go_on(tmp_path):
    listed = cells(4, wrong=[2])
    status, kinds = run(tmp_path, listed, attempts=3)
    assert kinds.count("again") == 2 and kinds.count("failed") == 1 and len(status.done) == 3
    (failure,) = status.failed.values()
    assert failure["message"] == "no square of 2" and failure["kind"] == "ArithmeticError"
    assert "in squares" in failure["traceback"]
    assert len(SweepFolder(tmp_path).failures(cell_hash(listed[2]))) == 3
    assert numbers(tmp_path) == [0, 0, 1, 1, 3, 3]
    assert run(tmp_path, listed, attempts=3)[1] == []  # given up
    SweepFolder(tmp_path).forget_failures()
    assert run(tmp_path, listed, attempts=1)[1] == ["failed"]


def test_what_fails_once_is_tried_again_where_it_left_off(tmp_path):
    status, kinds = run(tmp_path, cells(2), second_try)
    assert sorted(kinds) == ["again", "again", "done", "done"] and len(status.done) == 2
    assert not any((tmp_path / "failed").iterdir())
    assert not any((tmp_path / "unfinished").iterdir())


def test_a_full_disk_stops_the_sweep_and_loses_nothing(tmp_path, monkeypatch):
    run(tmp_path, cells(2))

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full)
        with pytest.raises(CannotWrite, match=r"No space left on device.*free space") as error:
            run(tmp_path, cells(4))
    assert "\n" not in str(error.value)
    assert numbers(tmp_path) == [0, 0, 1, 1]
    assert not [name for name in os.listdir(tmp_path / "cells") if name.endswith(".tmp")]
    # It is no fault of the cells.
    assert run(tmp_path, cells(4))[1] == ["done"] * 2


def test_a_full_disk_within_a_cell_is_no_fault_of_the_cell(tmp_path):
    def full(cell, unfinished):
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RuntimeError("cannot keep the state") from error

    with pytest.raises(CannotWrite, match="cannot keep the state"):
        run(tmp_path, cells(1), full)
    assert not SweepFolder(tmp_path).failures(cell_hash(cells(1)[0]))


def test_who_is_gone_is_not_running(tmp_path):
    place, listed = SweepFolder(tmp_path), cells(3)
    place.begin(listed)
    place.take(listed[0])
    code = (
        "import os, sys; from depthjax.sweeps import SweepFolder;"
        f"SweepFolder(sys.argv[1]).take({listed[1]!r}); os._exit(0)"
    )
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
    status = place.status()
    assert status.running == (cell_hash(listed[0]),) and len(status.waiting) == 2
    assert status.seconds_left is None
    place.write_result(listed[2], [{"number": 2}], 10.0)
    assert place.status().seconds_left == 15.0
    place.tidy()
    assert [folder.name for folder in (tmp_path / "running").iterdir()] == [cell_hash(listed[0])]
    place.release(listed[0])
    assert not place.status().running


def test_a_lock_with_our_own_number_is_not_us(tmp_path):
    """In a container that was killed and started again, host name and process number come back."""
    (cell,) = cells(1)
    record = {"host": socket.gethostname(), "pid": os.getpid(), "since": "1970-01-01T00:00:00"}
    lock = tmp_path / "running" / cell_hash(cell) / ".lock"
    SweepFolder(tmp_path).begin([cell])
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps(record))
    status, kinds = run(tmp_path, [cell])
    assert kinds == ["done"] and not status.running
    assert not list((tmp_path / "running").iterdir())


def test_what_another_machine_works_at_is_left_to_it_for_a_while(tmp_path):
    (cell,) = cells(1)
    place = SweepFolder(tmp_path)
    place.begin([cell])
    lock = tmp_path / "running" / cell_hash(cell) / ".lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"host": "another", "pid": 1}))
    assert run(tmp_path, [cell]) == (place.status(), []) and place.status().running
    with pytest.raises(FolderBusy, match="another machine"):
        place.take(cell)
    os.utime(lock, (0, 0))
    assert run(tmp_path, [cell])[1] == ["done"]


def test_a_cell_that_others_took_meanwhile_is_theirs(tmp_path):
    """Locks do not reach from one machine to another, and this one was not heard of for a while."""

    def taken(cell, unfinished):
        shutil.rmtree(tmp_path / "running")
        return squares(cell, unfinished)

    assert [outcome.kind for outcome in outcomes(tmp_path, taken)] == ["elsewhere"]

    def removed(cell, unfinished):
        shutil.rmtree(tmp_path)
        return squares(cell, unfinished)

    assert [outcome.kind for outcome in outcomes(tmp_path, removed)] == ["unwritable"]


def outcomes(folder, run_cell):
    listed = cells(1)
    SweepFolder(folder).begin(listed)
    return [attempt(SweepFolder(folder), listed[0], run_cell, attempts=1)]


def test_a_cell_gives_signs_of_life_whatever_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr("depthjax.sweeps.attempt._BEAT", 0.001)
    heard = threading.Event()
    monkeypatch.setattr(SweepFolder, "beat", lambda *_: heard.set())

    def silent(cell, unfinished):
        assert heard.wait(60)
        return squares(cell, unfinished)

    assert [outcome.kind for outcome in outcomes(tmp_path, silent)] == ["done"]


def test_two_drivers_share_the_cells(tmp_path):
    """The second one begins while the first is at its second cell."""
    listed, others = cells(5), []

    def first(cell, unfinished):
        if cell["number"] == 1:
            others.append(in_another_process(tmp_path, len(listed)))
        return squares(cell, unfinished)

    status, kinds = run(tmp_path, listed, first)
    assert others == [{"done": 3, "elsewhere": 0, "running": 1}]
    assert kinds == ["done"] * 2 + ["elsewhere"] * 3 and len(status.done) == 5
    assert numbers(tmp_path) == [n for n in range(5) for _ in range(2)]


DRIVER = """
import collections, json, sys
from killed import is_killed_at
from sweep_cells import cells, squares
from depthjax.sweeps import run_sweep
kinds = collections.Counter()
status = run_sweep(cells(int(sys.argv[2])), squares, sys.argv[1],
                   on_outcome=lambda outcome: kinds.update([outcome.kind]))
print(json.dumps({"done": kinds["done"], "elsewhere": kinds["elsewhere"],
                  "running": len(status.running)}))
"""


def in_another_process(folder, count):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests' / 'helpers'}"}
    command = [sys.executable, "-c", DRIVER, str(folder), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def test_a_sweep_begins_anew_only_if_nobody_is_at_it(tmp_path):
    run(tmp_path, cells(2))
    place = SweepFolder(tmp_path)
    with place.at_work(), is_at_work_elsewhere(), pytest.raises(FolderBusy, match="being written"):
        place.clear()
    assert len(place.status().done) == 2
    place.clear()
    assert not list(tmp_path.iterdir())
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="is no sweep"):
        place.clear()


@contextmanager
def is_at_work_elsewhere():
    """Lets the locks of this process look like those of another one."""
    held, locks._held = locks._held, {}
    try:
        yield
    finally:
        locks._held = held


def contents(folder):
    """The rows of a sweep, and the names of all other files that it has left behind."""
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    results = {name for name in left if name.startswith("cells/") and name.endswith(".parquet")}
    unfinished = {name for name in left if TEMPORARY.fullmatch(Path(name).name)}  # go with time
    return load_sweep(folder).to_pylist(), sorted(left - results - unfinished)


def test_killed_at_any_touch_of_its_folder_it_ends_with_the_same_rows(tmp_path):
    def sweep(folder):
        run_sweep(cells(1), second_try, folder)

    sweep(tmp_path / "whole")
    for number in itertools.count(1, 3):
        folder = tmp_path / f"killed{number}"
        if not is_killed_at(number, folder, lambda folder=folder: sweep(folder)):
            break
        sweep(folder)
        assert contents(folder) == contents(tmp_path / "whole")
    assert number > 40


def test_killed_while_it_is_removed_it_is_still_a_sweep(tmp_path):
    for number in itertools.count(1):
        folder = tmp_path / f"killed{number}"
        run_sweep(cells(2), squares, folder)
        if not is_killed_at(number, folder, SweepFolder(folder).clear):
            break
        SweepFolder(folder).clear()
        assert not list(folder.iterdir())
        assert run(folder, cells(2))[1] == ["done"] * 2
    assert number > 8


class OneMachine:
    """As much of Ray as places workers; says which cores each was given."""

    def cluster_resources(self):
        return {"CPU": float(len(os.sched_getaffinity(0)))}

    def remote(self, kind):
        return self

    def options(self, **settings):
        return types.SimpleNamespace(remote=lambda cores, settings: cores)


@pytest.mark.parametrize("all_cores", [True, False])
def test_workers_have_cores_of_their_own(all_cores, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    asked = Workers(3, cpus=2, gpus=0, all_cores=all_cores)
    cores = ray_workers._place(OneMachine(), asked, cells=9, attempts=1)
    assert len(cores) == 3
    given = [core for worker in cores for core in worker]
    assert len(given) == len(set(given)) == (8 if all_cores else 6)
    assert all_cores or {len(worker) for worker in cores} == {2}
