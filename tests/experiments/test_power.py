"""The command that announces power: it finds its pilots wherever it is called."""

import pytest
from absl.testing import flagsaver
from script_running import script_fixture

script = script_fixture("power")


def test_the_pilots_beside_the_script_are_read_from_any_folder(
    script, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with flagsaver.flagsaver(sample=["3x3"]):
        script.main()
    assert "of interest" in capsys.readouterr().out


def test_pilots_are_written_only_where_it_is_said(script, tmp_path):
    asked, message = {"findings": [str(tmp_path)]}, "--findings needs --pilots=FILE"
    with flagsaver.flagsaver(**asked), pytest.raises(ValueError, match=message):
        script.main()
