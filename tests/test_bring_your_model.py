"""docs/models.md: every line of Python on the page runs, from top to bottom."""

import json
import re
import sys
from pathlib import Path

import pytest

import depthjax

PAGE = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the reader is; a block that begins with a file's name is that file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for block in BLOCKS:
        name = re.match(r"# (\w+\.py)\n", block)
        if name:
            (tmp_path / name[1]).write_text(block)
    yield tmp_path
    for name in ("my_networks", "my_tower"):
        sys.modules.pop(name, None)


def test_the_page_runs_from_top_to_bottom(folder, capsys):
    names: dict[str, object] = {"__name__": "page"}
    for block in BLOCKS:
        exec(compile(block, "docs/models.md", "exec"), names)
        if "run" in names:
            assert names.pop("run").embedding_ratio.size == 2, block
    printed = capsys.readouterr().out
    shown = re.search(r"^```\n(edges gives.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
    assert shown in printed
    for line in re.findall(r"print\(.*\)  # (.*)$", PAGE, re.MULTILINE):
        assert line in printed
    config = json.loads((folder / "runs" / "haiku" / "config.json").read_text())
    assert config["layers"] == ["first", "second"]
    assert (folder / "runs" / "haiku" / "report.html").is_file()


def test_the_models_of_its_commands_are_there(folder):
    first = {"my_networks:small": "stem", "my_networks:with_weights": "stem"}
    first["my_tower:tower"] = "first"
    assert set(re.findall(r"--model=(\w+:\w+)", PAGE)) == set(first)
    for name, layer in first.items():
        assert depthjax.layer_names(depthjax.build_model(name))[0] == layer
