"""The script that shows what measures see."""

import pytest
from script_running import rows_of, runner, script_fixture

script = script_fixture("measures")
run = runner({"images": ["astronaut", "coffee"], "size": 32})


@pytest.mark.parametrize("judge", ["", "zoo:resnet18_small/photos"])
def test_from_photographs_to_a_table_and_a_figure(script, judge, tmp_path, capsys):
    layers = {"judge_layers": "layer1"} if judge else {}
    run(script, tmp_path / "run", judge=judge, **layers)
    rows = rows_of(tmp_path / "run")
    assert len(rows) == 16 * 2
    assert ("perceptual_distance" in rows[0]) == bool(judge)
    assert (tmp_path / "run" / "figures" / "changes.png").is_file()
    table = (tmp_path / "run" / "summary.md").read_text()
    assert table in capsys.readouterr().out
    assert table.count("\n") == 2 + 16
