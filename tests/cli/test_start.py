"""How scripts end: in one line, whatever ended them."""

import os
import signal
import sys
from types import SimpleNamespace

import pytest
from absl import flags
from error_messages import error_of

from depthjax.cli import start
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


@pytest.mark.parametrize("can_resume", [False, True])
@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_an_interrupted_script_says_so_in_one_line(
    number, status, can_resume, monkeypatch, capsys, as_by_default
):
    interrupted = by_signal(getattr(signal, number))

    values = flags.FlagValues()
    flags.DEFINE_boolean("traceback", False, "", flag_values=values)
    if can_resume:
        flags.DEFINE_boolean("resume", False, "", flag_values=values)
    values(["script.py"])
    monkeypatch.setattr(start, "FLAGS", values)
    flags.DEFINE_boolean("compilation_cache", False, "", flag_values=values)
    monkeypatch.setattr(start, "use_huge_pages", lambda: None)
    monkeypatch.setattr(start, "connect_processes", lambda shared: None)
    monkeypatch.setattr(start.app, "run", lambda main, **_: main(["experiments/script.py"]))
    with pytest.raises(SystemExit) as ended:
        start.run(interrupted)
    assert ended.value.code == status
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("script.py: interrupted")
    assert ("--resume" in line) == can_resume


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


def test_other_errors_stay_as_they_are():
    def mistaken():
        raise AssertionError("a mistake of ours")

    with pytest.raises(AssertionError, match="a mistake of ours"):
        start.on_devices(mistaken)
