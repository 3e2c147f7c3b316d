"""`depthjax COMMAND`: the same code as the scripts, and help that waits for nothing."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from depthjax.cli import commands, completion
from depthjax.cli.flag_files import flag_file, flag_files
from depthjax.cli.scripts import scripts_folder

ROOT = Path(__file__).parents[2]


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["depthjax", *words])
    commands.main()


def error_of(monkeypatch, capsys, *words):
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, *words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def run(code, *more):
    return subprocess.run(
        [sys.executable, "-c", code, *more],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_no_default_is_a_folder_of_the_machine_that_described_them():
    for name, command in commands.commands().items():
        for flag, about in command["flags"].items():
            assert not str(about["default"]).startswith("/"), (name, flag)


def test_every_script_is_a_command():
    scripts = {path.stem for path in scripts_folder().glob("*.py")} - {"document", "zoo"}
    assert set(commands.commands()) == scripts | {"import"}


def test_help_imports_neither_jax_nor_numpy():
    code = (
        "import sys; from depthjax.cli.commands import main\n"
        "main()\n"
        "assert not {'jax', 'numpy', 'absl', 'flax'} & set(sys.modules)"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    for name, command in commands.commands().items():
        assert f"  {name} " in done.stdout and command["text"] in done.stdout
    done = run(code, "invert", "--help")
    assert done.returncode == 0, done.stderr
    flags = commands.commands()["invert"]["flags"]
    assert {"model", "layers", "output", "resume"} <= set(flags)
    assert all(f"--{name}=" in done.stdout or f"--[no]{name}" in done.stdout for name in flags)
    assert "depthjax invert --flagfile=quick" in done.stdout


def test_a_command_is_its_script(monkeypatch):
    ran = []
    monkeypatch.setattr(runpy, "run_path", lambda path, run_name: ran.append((path, run_name)))
    monkeypatch.setattr(sys, "path", list(sys.path))
    call(monkeypatch, "invert", "--flagfile=quick")
    path = str(ROOT / "experiments" / "invert.py")
    assert ran == [(path, "__main__")]
    assert sys.argv == [path, "--flagfile=quick"] and sys.path[0] == str(ROOT / "experiments")


def test_a_working_folder_that_was_removed(tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "the folder that this is run in was removed" in error_of(monkeypatch, capsys, "invert")
    call(monkeypatch, "invert", "--help")  # needs no folder


def test_what_is_no_command_is_answered_with_the_nearest(monkeypatch, capsys):
    assert "did you mean 'invert'" in error_of(monkeypatch, capsys, "inverd")
    assert "Known: bash, zsh" in error_of(monkeypatch, capsys, "completion", "fish")


def test_flag_files_have_names(tmp_path, monkeypatch):
    path = ROOT / "experiments" / "flags" / "quick.flags"
    assert flag_file("quick") == str(path)
    assert "quick" in flag_files("invert") and "sweep_small" not in flag_files("invert")
    for given in ("flags/quick.flags", "my.flags", str(path)):
        assert flag_file(given) == given
    with pytest.raises(ValueError, match="unknown flag file 'quik'; did you mean 'quick'"):
        flag_file("quik")
    monkeypatch.chdir(tmp_path)
    Path("quick").write_text("--size=8\n")
    assert flag_file("quick") == "quick"  # one's own comes first


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("depthjax inv", ["invert "]),
        ("depthjax invert --resu", ["--resume "]),
        ("depthjax invert --nores", ["--noresume "]),
        ("depthjax invert --steps=4 --outp", ["--output="]),
        ("depthjax invert --normalization=n", ["--normalization=none "]),
        ("depthjax sweep --flagfile=sweep_sm", ["--flagfile=sweep_small "]),
        ("depthjax completion b", ["bash "]),
        ("depthjax invert --images=", []),
        ("depthjax nothing --x", []),
    ],
)
def test_completion(line, words):
    assert completion.words_for(line, commands.commands()) == words


def test_zsh_is_given_its_completion_system_first():
    script = completion.SCRIPTS["zsh"]
    assert script.index("compinit") < script.index("compdef _depthjax depthjax")
    assert "#" not in script  # at a prompt zsh takes no comments


def test_bash_completes_what_follows_an_equals_sign(tmp_path):
    program = tmp_path / "depthjax"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m depthjax "$@"\n')
    program.chmod(0o755)
    script = completion.SCRIPTS["bash"] + (
        "\nCOMP_LINE='depthjax invert --flagfile=qui'; COMP_POINT=${#COMP_LINE}; _depthjax"
        '\nprintf "[%s]" "${COMPREPLY[@]}"'
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[quick ]", done.stderr


def test_control_c_while_modules_are_imported_is_one_line(monkeypatch, capsys):
    def importing(name, arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_run", importing)
    monkeypatch.setattr(sys, "argv", ["depthjax", "invert"])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 130
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == "depthjax: interrupted before anything was written"
