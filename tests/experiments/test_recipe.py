"""The paper's recipe on a tiny network, from photographs to findings, cut off and resumed."""

import numpy as np
import pytest
from script_running import every_flag_file, refused, rows_of, runner, script_fixture, with_flags_of

import depthjax
from depthjax import cli
from depthjax.claims.frozen import plan
from depthjax.claims.stored import load_findings
from depthjax.studies import descents

SMALL = {
    "model": "resnet18",
    "model_field": ["stage_sizes=1,1", "width=2", "stem=small"],
    "layers": "conv1,layer1,layer2",
    "seeds": ["0", "1", "2"],
    "rates": ["1", "0.1"],
    "rate_layers": "layer2",
    "images": ["chelsea", "coffee", "astronaut"],
    "size": 8,
    "steps": 3,
}

script = script_fixture("recipe")
run = runner(SMALL)


@pytest.fixture(scope="module")
def whole(script, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("recipe") / "whole"
    run(script, folder)
    return folder


def test_from_photographs_to_findings(whole):
    rows = rows_of(whole)
    assert len(rows) == 3 * 3 * (3 + 1 + 1)  # layer2 at the other rate, and at the tuned one
    found = load_findings(whole)
    voting = {finding.part: finding for finding in found if finding.votes}
    assert set(voting) == {"recipe_matches", "tuned_recipe_matches"}
    assert all(one.layer == "layer2" and one.measured.table.shape == (3, 3) for one in found
               if one.votes)  # fmt: skip
    assert {finding.plan for finding in found} == {plan()["C2"]}
    assert (whole / "figures" / "recipe_untrained.png").stat().st_size > 5000


def test_its_page_is_that_of_a_finished_study(whole):
    html = (whole / "report.html").read_text()
    assert "not finished" not in html and "numbers and findings" in html
    assert "<table" in html and "<svg" in html


def test_the_numbers_are_those_of_the_last_iterates(whole):
    row = next(row for row in rows_of(whole) if row["layer"] == "layer2" and row["rate"] == "0.1")
    saved = depthjax.load_run(whole / "descents" / "untrained_0" / "rate_0.1")
    assert saved.config["inversion"]["learning_rate"] == pytest.approx(0.01)
    assert saved.config["inversion"]["blur"] and saved.config["inversion"]["objective"] == "l1"
    last = saved.layers["layer2"]["final_embedding_ratio"][0, 0]
    np.testing.assert_allclose(float(row["embedding_ratio"]), last, rtol=1e-6)


def test_a_killed_run_goes_on_and_has_told_of_the_seeds_before(
    script, whole, tmp_path, monkeypatch
):
    folder, calls, autoencode = tmp_path / "cut", [], descents.autoencode

    def killed(*arguments, **settings):
        calls.append(1)
        if len(calls) == 7:  # four descents a seed
            raise KeyboardInterrupt
        return autoencode(*arguments, **settings)

    monkeypatch.setattr(descents, "autoencode", killed)
    with pytest.raises(KeyboardInterrupt):
        run(script, folder)
    assert {row["seed"] for row in rows_of(folder)} == {"0"}
    assert not any(finding.votes for finding in load_findings(folder))
    calls[:] = [1] * 7
    run(script, folder, resume=True)
    assert len(calls) == 7 + 6
    assert rows_of(folder) == rows_of(whole)
    assert (folder / "findings.json").read_text() == (whole / "findings.json").read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rates": ["0.1", "1"]}, "the first is 1"),
        ({"rates": ["1", "-2"]}, "numbers above 0"),
        ({"rates": ["1", "fast"]}, "numbers above 0"),
        ({"rates": ["1", "0.1", "0.10"]}, "a number twice"),
        ({"rate_layers": "layer7"}, "layer2"),
    ],
)
def test_bad_input_ends_in_one_line_with_nothing_written(script, tmp_path, settings, message):
    with refused(message, tmp_path / "bad") as folder:
        run(script, folder, **settings)


@every_flag_file("recipe_*")
def test_flag_files_end_at_the_last_stage(script, file):
    with with_flags_of(script, file) as flags:
        model = cli.model_from_flags()
        names = depthjax.select_layers(model, flags.layers)
        assert script.last_stage(model) == depthjax.models.resolve(model, names[-1])
        published_alone = file.stem == "recipe_resnet50_layer4_224"
        assert len(script.rates_from_flags(names)) == (1 if published_alone else 3)
