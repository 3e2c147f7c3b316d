"""Gradients of a tiny network, from photographs to findings."""

import pytest
from script_running import rows_of, runner, script_fixture

from depthjax.claims.stored import load_findings
from depthjax.studies.gradients import measured

SMALL = {
    "model": "resnet18",
    "model_field": ["stage_sizes=1,1", "width=2", "stem=small"],
    "layers": "conv1,layer2",
    "seeds": ["0", "1", "2"],
    "images": ["chelsea", "coffee", "astronaut"],
    "size": 8,
}

script = script_fixture("gradients")
run = runner(SMALL)


def test_from_photographs_to_findings_and_on_after_a_kill(script, tmp_path, monkeypatch):
    whole, cut, calls, made = tmp_path / "whole", tmp_path / "cut", [], measured.rows_of
    run(script, whole)
    assert len(rows_of(whole)) == 2 * 3 * 3 * 2
    found = load_findings(whole)
    assert {one.part for one in found if one.votes} == {"same_size", "same_shape"}
    assert all(one.measured.table.shape == (3, 3) for one in found)
    assert (whole / "figures" / "gradients.png").stat().st_size > 5000

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return made(*arguments)

    monkeypatch.setattr(measured, "rows_of", killed)
    with pytest.raises(KeyboardInterrupt):
        run(script, cut)
    run(script, cut, resume=True)
    assert len(calls) == 3 + 4
    assert (cut / "results.csv").read_text() == (whole / "results.csv").read_text()
