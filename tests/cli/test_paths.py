"""Paths as people type them: what a shell would have replaced is replaced."""

import os
from pathlib import Path

import pytest
from absl import flags
from error_messages import error_of

from depthjax.cli import parsing, paths


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PHOTOS", "/data/photos")
    monkeypatch.delenv("NOPE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("~", "{home}"),
        ("~/runs/x", "{home}/runs/x"),
        ("folder:~/cats", "folder:{home}/cats"),
        ("calibrated:label=~/w.pth", "calibrated:label={home}/w.pth"),
        ("$HOME/x", "{home}/x"),
        ("onnx:${PHOTOS}/net.onnx", "onnx:/data/photos/net.onnx"),
        ("./~/x", "./~/x"),
        ("back~up/x", "back~up/x"),
        ("~nobody-of-that-name/x", "~nobody-of-that-name/x"),
        ("https://example.org/~me/w.pth", "https://example.org/~me/w.pth"),
        ("$a_{b}$ & <b>x.jpg", "$a_{b}$ & <b>x.jpg"),
        ("hf://timm/resnet18.tv_in1k", "hf://timm/resnet18.tv_in1k"),
    ],
)
def test_a_text_is_expanded_as_a_shell_does_it(typed, wanted, home):
    assert paths.expand(typed) == wanted.replace("{home}", str(home))


def test_a_variable_that_is_not_set_makes_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no environment variable NOPE" in error_of(lambda: paths.expand("$NOPE/runs"))
    Path("$NOPE").mkdir()
    (Path("$NOPE") / "a.jpg").touch()
    assert paths.expand("$NOPE/a.jpg") == "$NOPE/a.jpg"


def test_without_a_home_nothing_is_named_after_the_tilde(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda text: text)
    assert "set HOME" in error_of(lambda: paths.expand("~/runs"))


def test_flags_of_the_command_line_and_of_flag_files_are_expanded(home, monkeypatch):
    values = flags.FlagValues()
    flags.DEFINE_string("output", None, "", flag_values=values)
    flags.DEFINE_list("images", [], "", flag_values=values)
    flags.DEFINE_multi_string("field", [], "", flag_values=values)
    flags.DEFINE_integer("steps", 3, "", flag_values=values)
    monkeypatch.setattr(parsing, "FLAGS", values)
    (home / "my.flags").write_text("--output=~/runs\n--images=~/a.jpg,$PHOTOS/b.jpg\n")
    parsing.parse(["script.py", "--flagfile=$HOME/my.flags", "--field=path=~/x"])
    paths.expand_flags(values)
    assert values.output == f"{home}/runs"
    assert values.images == [f"{home}/a.jpg", "/data/photos/b.jpg"]
    assert values.field == [f"path={home}/x"] and values.steps == 3
