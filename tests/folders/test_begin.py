"""The one way to begin a folder: one writer at a time, and after a kill the same call goes on."""

import json
import os
import shutil
import signal
import subprocess
import warnings
from pathlib import Path

import pytest
from killed import die_at, each_cut

from depthjax.files import write_atomically
from depthjax.folders import begin as begin_module
from depthjax.folders import lock
from depthjax.folders.begin import begin
from depthjax.folders.config import read_config
from depthjax.folders.environment import _git_revision, command_line
from depthjax.folders.kept import without_folders

CONFIG = {"seed": 3}
FIRST = {"inputs.npz": b"inputs"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one"


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


class OtherWriter:
    """Another process that writes a folder until it is ended."""

    def __init__(self, folder: Path) -> None:
        ready, tell = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it uses no threads
            self.pid = os.fork()
        if self.pid == 0:
            lock.acquire(folder)
            os.write(tell, b"1")
            signal.pause()
        assert os.read(ready, 1) == b"1"

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def test_a_new_folder_holds_what_was_asked_for_and_where_it_ran(folder):
    with begin(folder, CONFIG, first=FIRST) as run:
        run.write("results.csv", b"1")
    assert names(folder) == ["config.json", "inputs.npz", "results.csv"]
    config = json.loads((folder / "config.json").read_text())
    assert config["seed"] == 3
    assert set(config["environment"]) >= {"versions", "device", "git_revision", "command"}


def test_variables_of_jax_stand_beside_the_versions(folder, monkeypatch):
    monkeypatch.setenv("JAX_THREEFRY_PARTITIONABLE", "0")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/home/me/programs")
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_autotune_level=0 --xla_dump_to=/home/me/dump")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    begin(folder, {"a": 1}).close()
    noted = read_config(folder)["environment"]["variables"]
    assert noted["JAX_THREEFRY_PARTITIONABLE"] == noted["NVIDIA_TF32_OVERRIDE"] == "0"
    assert noted["XLA_FLAGS"].startswith("--xla_gpu_autotune_level=0 ")
    assert noted.keys() >= {name for name in os.environ if name.startswith("JAX_")}
    assert "HOME" not in noted


def test_variables_of_jax_are_kept_without_folders(folder, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/home/me/programs")
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_autotune_level=0 --xla_dump_to=/home/me/dump")
    begin(folder, {"a": 1}).close()
    kept = without_folders(read_config(folder)["environment"]["variables"])
    assert kept["JAX_COMPILATION_CACHE_DIR"] == "programs"
    assert kept["XLA_FLAGS"] == "--xla_gpu_autotune_level=0 --xla_dump_to=dump"


def test_older_results_are_kept_or_gone_on_with_or_replaced(folder):
    with begin(folder, CONFIG, first=FIRST) as run:
        run.write("results.csv", b"1")
    with pytest.raises(ValueError, match="already holds a run"):
        begin(folder, CONFIG)
    with pytest.raises(ValueError, match="its seed is 3, not 4"):
        begin(folder, {"seed": 4}, resume=True)
    begin(folder, CONFIG, resume=True, overwrite=True).close()
    assert names(folder) == ["config.json", "inputs.npz", "results.csv"]
    begin(folder, {"seed": 4}, overwrite=True).close()
    assert names(folder) == ["config.json"]


def test_of_settings_that_differ_the_message_names_the_one(folder):
    long = {f"option_{i}": i for i in range(40)}
    begin(folder, {"inversion": {**long, "soft": {"gates": 0.3}}}, first=FIRST).close()
    with pytest.raises(ValueError, match=r"its inversion\.soft\.gates is 0\.3, not 0\.5"):
        begin(folder, {"inversion": {**long, "soft": {"gates": 0.5}}}, resume=True)
    with pytest.raises(ValueError, match=r"its inversion\.soft is \{.*\}, not null"):
        begin(folder, {"inversion": long}, resume=True)
    with pytest.raises(ValueError, match=r"its inversion\.option_40 is null, not 1.* the version"):
        begin(folder, {"inversion": {**long, "option_40": 1}}, resume=True)


def test_what_is_no_run_is_left_alone(folder):
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="is no run"):
        begin(folder, CONFIG, overwrite=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="not that of a run"):
        begin(folder, CONFIG, overwrite=True, resume=True)
    assert names(folder) == ["config.json", "thesis.tex"]
    with pytest.raises(ValueError, match="is a file"):
        begin(folder / "thesis.tex", CONFIG)
    with pytest.raises(ValueError, match="cannot write"):
        begin(folder / "thesis.tex" / "run", CONFIG)


def test_a_second_writer_is_refused_in_one_line_that_names_the_first(folder):
    begin(folder, CONFIG).close()
    before = names(folder)
    process = OtherWriter(folder)
    for how in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(lock.FolderBusy, match=f"written by process {process.pid} on") as error:
            begin(folder, CONFIG, **how)
        assert "\n" not in str(error.value)
    process.kill()  # its right ends with it, and the file that it leaves hinders nobody
    assert lock.NAME in names(folder)
    begin(folder, CONFIG, resume=True).close()
    assert names(folder) == before


def test_a_folder_is_not_emptied_while_another_process_writes_within(folder):
    begin(folder, CONFIG).close()
    (folder / "step").mkdir()
    process = OtherWriter(folder / "step")
    with pytest.raises(lock.FolderBusy, match=str(process.pid)):
        begin(folder, CONFIG, overwrite=True)
    assert names(folder / "step") == [lock.NAME] and "config.json" in names(folder)
    process.kill()
    begin(folder, CONFIG, overwrite=True).close()
    assert names(folder) == ["config.json"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_writer_whose_folder_was_removed_or_replaced_stops(folder, replace):
    with begin(folder, CONFIG) as run:
        shutil.rmtree(folder)
        if replace:
            folder.mkdir()
            (folder / lock.NAME).write_text("{}")
        with pytest.raises(lock.FolderLost, match="removed or begun anew"):
            run.write("results.csv", b"1")
        # Whoever else writes into the folder asks, too.
        with pytest.raises(lock.FolderLost, match="removed or begun anew"):
            write_atomically(folder / "figures" / "depth.png", b"1")
        with pytest.raises(lock.FolderLost, match="removed or begun anew"):
            run.piece("one", dict)
    assert names(folder) == [lock.NAME] if replace else not folder.exists()


def test_the_same_process_may_begin_again_and_the_earlier_handle_stops(folder):
    earlier = begin(folder, CONFIG)
    later = begin(folder, CONFIG, resume=True)
    with pytest.raises(lock.FolderLost):
        earlier.write("results.csv", b"1")
    earlier.close()
    later.write("results.csv", b"2")
    later.close()
    assert names(folder) == ["config.json", "results.csv"]


def test_folders_within_share_the_lock(folder):
    with begin(folder, CONFIG) as outer:
        inner = begin(outer.path / "descents" / "one", CONFIG, first=FIRST)
        assert inner.lock is None
        assert names(inner.path) == ["config.json", "inputs.npz"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_same_call_goes_on_wherever_it_was_killed(folder, overwrite, monkeypatch):
    monkeypatch.setattr(begin_module, "environment", dict)

    def start(seed: int = 3, **how: bool) -> None:
        begin(folder, {"seed": seed}, first=FIRST, **how).close()

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if overwrite:
            start(seed=1)
            for name in ("a/b.npz", "c.csv"):
                write_atomically(folder / name, b"old")

    prepare()
    moments = 0
    for moment in each_cut(die_at, folder, lambda: start(overwrite=overwrite)):
        start(overwrite=overwrite, resume=not overwrite)
        assert names(folder) == ["config.json", "inputs.npz"], moment
        assert json.loads((folder / "config.json").read_text())["seed"] == 3, moment
        moments = moment
        prepare()
    assert moments > 10


def test_what_could_not_be_written_leaves_a_free_folder(folder, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ValueError, match="No space left"):
            begin(folder, CONFIG, first=FIRST)
    assert not folder.exists()


def test_leftovers_of_unfinished_writes_are_removed(folder):
    with begin(folder, CONFIG) as run:
        run.write("a/b.npz", b"1")
        (folder / "a" / f".{'0' * 32}.tmp").write_text("half")
        (folder / "a" / ".mine.tmp").write_text("another's")
    begin(folder, CONFIG, resume=True).close()
    assert names(folder / "a") == [".mine.tmp", "b.npz"]


def test_a_piece_is_made_once_and_comes_back_as_it_was(folder):
    made = []

    def make() -> dict[str, object]:
        made.append(1)
        return {"rows": [0.1, float("inf"), float(len(made))], "pair": (1, 2)}

    with begin(folder, CONFIG) as run:
        first = run.piece("conv1/a", make)
    with begin(folder, CONFIG, resume=True) as run:
        assert run.piece("conv1/a", make) == first
        assert run.rows("rows", lambda: iter([{"x": 1}])) == [{"x": 1}]
        with pytest.raises(TypeError):
            run.piece("array", lambda: {"x": object()})
    assert first == {"rows": [0.1, float("inf"), 1.0], "pair": [1, 2]}
    assert names(folder / "pieces") == ["conv1_a.json", "rows.json"]


@pytest.mark.parametrize("kept", [False, True])
def test_an_error_before_anything_was_kept_leaves_nothing(folder, kept):
    with pytest.raises(ZeroDivisionError), begin(folder, CONFIG, first=FIRST) as run:
        if kept:
            run.piece("one", dict)
        raise ZeroDivisionError
    assert folder.exists() == kept
    if kept:
        with pytest.raises(ZeroDivisionError), begin(folder, CONFIG, resume=True):
            raise ZeroDivisionError
        assert names(folder) == ["config.json", "inputs.npz", "pieces"]


def test_names_that_cannot_be_written_are_found_before_anything_is(folder):
    with pytest.raises(ValueError, match=r"not valid UTF-8.*caf\\udce9.*rename") as error:
        begin(folder, {"images": ["caf\udce9"]})
    assert "\n" not in str(error.value)
    assert not folder.exists()


def test_a_command_is_shown_as_one_types_it_in_the_checkout() -> None:
    recorded = ["/there/experiments/a.py", "--flagfile=/there/experiments/flags/a.flags", "--x=/y"]
    shown = "python experiments/a.py --flagfile=experiments/flags/a.flags --x=/y"
    assert command_line([*recorded, "--overwrite"]) == shown
    assert command_line([]) == ""
    spaced = command_line(["depth.py", "--images=my cat.jpg", "--output=/x"], without=["output"])
    assert spaced == "python experiments/depth.py '--images=my cat.jpg'"


def test_the_revision_is_that_of_our_checkout_alone(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], check=True)
    installed = tmp_path / "venv" / "site-packages"
    installed.mkdir(parents=True)
    assert _git_revision(installed) == "unknown"
    assert len(_git_revision(tmp_path)) == 12
