"""How scripts end: in one line, whatever ended them."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from absl import flags
from error_messages import error_of
from script_loading import EXPERIMENTS

from depthjax.cli import ending, output_flags, start
from depthjax.cli.ending import interrupt_on_signals


def by_signal(number):
    def interrupted():
        if number == signal.SIGINT:  # which is ignored where the tests run in the background
            raise KeyboardInterrupt
        signal.raise_signal(number)

    return interrupted


@pytest.fixture
def as_by_default():
    """Signals that nobody ignores; under nohup the tests themselves would ignore some."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def values(monkeypatch, as_by_default):
    """The flags of a script that writes a folder, which is run within the tests."""
    values = flags.FlagValues()
    flags.DEFINE_boolean("traceback", False, "", flag_values=values)
    flags.DEFINE_boolean("compilation_cache", False, "", flag_values=values)
    monkeypatch.setattr(start, "FLAGS", values)
    monkeypatch.setattr(output_flags, "FLAGS", values)
    monkeypatch.setattr(start, "use_huge_pages", lambda: None)
    monkeypatch.setattr(start, "is_the_process", lambda: False)  # which would be ended at once
    monkeypatch.setattr(start, "connect_processes", lambda shared: None)
    monkeypatch.setattr(start.app, "run", lambda main, **_: main(["experiments/script.py"]))
    return values


def with_output(values, **given):
    for name in ("overwrite", "resume"):
        flags.DEFINE_boolean(name, given.get(name, False), "", flag_values=values)
    flags.DEFINE_string("output", given.get("output"), "", flag_values=values)
    flags.DEFINE_string("model", "resnet18", "", flag_values=values)
    values(["script.py"])


def ended_in_one_line(main, capsys, **how):
    """The status and the line that a script ends with."""
    with pytest.raises(SystemExit) as ended:
        start.run(main, **how)
    (line,) = capsys.readouterr().err.strip().splitlines()
    return ended.value.code, line.removeprefix("script.py: ")


def write_run(folder, model="resnet18", **config):
    folder.mkdir(parents=True)
    config = {"model": model, "environment": {"plan": {}}, **config}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_an_interrupted_script_says_so_in_one_line(number, status, values, capsys):
    interrupted = by_signal(getattr(signal, number))
    values(["script.py"])
    assert ended_in_one_line(interrupted, capsys) == (status, "interrupted")
    with_output(values)
    assert ended_in_one_line(interrupted, capsys) == (
        *(status, "interrupted before anything was written"),
    )
    assert ended_in_one_line(interrupted, capsys, goes_on_by_itself=True) == (
        *(status, "interrupted; the same command goes on"),
    )


def test_an_interrupted_script_names_the_folder_that_goes_on(values, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with_output(values)

    def interrupted():
        write_run(output_flags.output_from_flags("my model"))
        raise KeyboardInterrupt

    _, line = ended_in_one_line(interrupted, capsys)
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("my_model-")
    assert (
        line == f"interrupted; the same command with --output=runs/{folder.name} --resume goes on"
    )


def test_an_older_run_is_not_what_was_interrupted(values, capsys, tmp_path):
    folder = tmp_path / "old"
    write_run(folder)
    os.utime(folder / "config.json", (1, 1))
    with_output(values, output=str(folder), overwrite=True)
    _, line = ended_in_one_line(by_signal(signal.SIGINT), capsys)
    assert line.startswith("interrupted before anything was written; the older run in")
    values["resume"].value = True
    _, line = ended_in_one_line(by_signal(signal.SIGINT), capsys)
    assert line.endswith(f"--output={folder} --resume goes on")


def test_resuming_needs_a_folder(values, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with_output(values, resume=True)
    computed = []
    status, line = ended_in_one_line(lambda: computed.append(1), capsys)
    needs = "error: --resume needs the --output that it goes on with"
    assert (status, line) == (2, f"{needs}; runs holds no unfinished run of resnet18")
    write_run(tmp_path / "runs" / "mine")
    write_run(tmp_path / "runs" / "other", model="vgg11")
    write_run(tmp_path / "runs" / "finished")
    (tmp_path / "runs" / "finished" / "findings.json").touch()
    assert ended_in_one_line(lambda: computed.append(1), capsys) == (
        *(2, f"{needs}; unfinished of resnet18: runs/mine"),
    )
    assert not computed


def test_a_folder_that_is_taken_is_refused_before_anything_is_computed(values, capsys, tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").touch()
    with_output(values, output=str(tmp_path / "run"))
    computed = []
    status, line = ended_in_one_line(lambda: computed.append(1), capsys)
    assert status == 2 and "already holds a run" in line
    values["output"].value = str(tmp_path / "notes")
    status, line = ended_in_one_line(lambda: computed.append(1), capsys)
    assert status == 2 and "exists and is no run" in line
    assert not computed
    for free in ("run", "new"):
        values["output"].value, values["overwrite"].value = str(tmp_path / free), True
        start.run(lambda: computed.append(1))
    start.run(lambda: computed.append(1), goes_on_by_itself=True)
    assert computed == [1] * 3 and not (tmp_path / "new").exists()


LONG = "it begins with a long dash, and flags with two hyphens, --steps=3"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("\u2013steps=3", "it begins with a long dash, and flags with two hyphens, --steps=3"),
        (
            "\u2014\u2013steps=3",
            "it begins with a long dash, and flags with two hyphens, --steps=3",
        ),
        ("steps=3", "everything is a flag, --name=value"),
    ],
)
def test_what_is_no_flag_is_answered_with_one(typed, said, monkeypatch, capsys):
    values = flags.FlagValues()
    flags.DEFINE_boolean("traceback", False, "", flag_values=values)
    values(["script.py"])
    monkeypatch.setattr(start, "FLAGS", values)
    monkeypatch.setattr(start, "use_huge_pages", lambda: None)
    monkeypatch.setattr(start.app, "run", lambda main, **_: main(["script.py", typed]))
    with pytest.raises(SystemExit) as ended:
        start.run(lambda: None)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"script.py: error: unexpected argument {typed!r}: {said}"


def test_what_the_user_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
    try:
        with interrupt_on_signals():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


COMPUTING = """
import sys, time
import jax, jax.numpy as jnp
from depthjax import cli
from depthjax.files import write_atomically
from depthjax.folders.begin import begin

def main():
    step = jax.jit(lambda x: jax.lax.fori_loop(0, 100, lambda _, y: jnp.tanh(y @ y), x))
    x = step(jnp.ones((300, 300)))
    with begin(sys.argv[0] + ".run", {"layers": []}) as folder:
        print("computing", flush=True)
        while True:
            x = step(x)
            folder.write("state", b"x" * 4_000_000)

cli.define_script_flags()
cli.run(main)
"""
"""XLA's threads compute and a file is written whenever a signal comes."""


@pytest.mark.parametrize(
    ("number", "status", "after"),
    [(signal.SIGINT, 130, 0.0), (signal.SIGTERM, 143, 0.13), (signal.SIGHUP, 129, 0.31)],
)
def test_a_process_ends_at_once_with_the_status_of_its_signal(number, status, after, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(COMPUTING)
    with subprocess.Popen(
        [sys.executable, "-c", AS_BY_DEFAULT, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "computing\n"
        time.sleep(after)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.strip() == "script.py: interrupted"
    folder = tmp_path / "script.py.run"
    left = {path.name: path.stat().st_size for path in folder.iterdir()} if folder.exists() else {}
    assert set(left) <= {"config.json", "state"}  # neither a lock nor half of a file
    assert left.get("state", 4_000_000) == 4_000_000


def test_what_is_left_takes_its_children_along(monkeypatch):
    ended = []
    child = SimpleNamespace(terminate=lambda: ended.append("child"))
    monkeypatch.setattr(multiprocessing, "active_children", lambda: [child])
    monkeypatch.setattr(ending.lock, "release_all", lambda: ended.append("lock"))
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="143"):
        ending.leave(143)
    assert ended == ["lock", "child"]


AS_BY_DEFAULT = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Starts a script with signals that nobody ignores; in the background a shell ignores some."""


def test_a_command_is_the_process_of_its_script(monkeypatch):
    monkeypatch.setattr(start, "_known", [])
    spec = SimpleNamespace(name="depthjax.__main__")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec, __file__="x"))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "depthjax", "invert"])
    monkeypatch.setattr(start, "in_a_host", lambda: False)
    with start.remembered_process():
        script = SimpleNamespace(__spec__=None, __file__="invert.py")
        monkeypatch.setitem(sys.modules, "__main__", script)
        assert start.is_the_process()
    assert not start.is_the_process()


@pytest.mark.parametrize(
    ("started", "main", "expected"),
    [
        (["python", "run.py", "--steps=3"], {"__file__": "run.py"}, True),
        (["python", "/bin/depthjax", "invert"], {"__file__": "/bin/depthjax"}, True),
        (
            ["python", "-m", "depthjax", "invert"],
            {"__file__": "x", "spec": "depthjax.__main__"},
            True,
        ),
        (["python", "-m", "ipykernel_launcher", "-f", "k.json"], {"__file__": "run.py"}, False),
        (["python", "runs_another.py"], {"__file__": "run.py"}, False),
        (["python", "-c", "…"], {}, False),
    ],
)
def test_only_a_process_of_its_own_is_started_anew(started, main, expected, monkeypatch):
    spec = SimpleNamespace(name=main.pop("spec")) if "spec" in main else None
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec, **main))
    monkeypatch.setattr(sys, "orig_argv", started)
    monkeypatch.setattr(start, "in_a_host", lambda: False)
    assert start.is_the_process() == expected


def test_a_process_of_ipython_is_never_started_anew(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it was"))
    assert start.in_a_host()
    start.use_huge_pages()


def test_a_platform_that_is_not_there_is_one_line(monkeypatch):
    def none_found():
        raise RuntimeError("Unable to initialize backend 'cuda':\n no device")

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setattr(start.jax, "devices", none_found)
    assert "JAX_PLATFORMS='cuda'" in error_of(lambda: start.on_devices(none_found))


def test_what_shares_no_work_names_what_does(monkeypatch):
    texts = {path.name: path.read_text(encoding="utf-8") for path in EXPERIMENTS.glob("*.py")}
    sharing = {name for name, text in texts.items() if "processes_share=True" in text}
    asked = SimpleNamespace(
        distributed=True, coordinator_address=None, num_processes=None, process_id=None
    )
    monkeypatch.setattr(start, "FLAGS", asked)
    message = error_of(lambda: start.connect_processes(shared=False))
    assert set(re.findall(r"\w+\.py", message)) == sharing | {"sweep.py"}


def test_other_errors_stay_as_they_are():
    def mistaken():
        raise AssertionError("a mistake of ours")

    with pytest.raises(AssertionError, match="a mistake of ours"):
        start.on_devices(mistaken)
