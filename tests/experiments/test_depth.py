"""Blocks of a tiny untrained network, from photographs to findings, cut off and resumed."""

import pytest
from script_running import every_flag_file, refused, rows_of, runner, script_fixture, with_flags_of

import depthjax
from depthjax.claims.stored import load_findings
from depthjax.studies import descents

SMALL = {
    "network": [
        "resnet18 stage_sizes=2 width=2 stem=small",
        "resnet18 stage_sizes=3 width=2 stem=small @layer1",
    ],
    "seeds": ["0", "1"],
    "images": ["chelsea", "coffee"],
    "size": 8,
    "steps": 12,
}

script = script_fixture("depth")
run = runner(SMALL)


@pytest.fixture(scope="module")
def whole(script, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("depth") / "whole"
    run(script, folder)
    return folder


def test_from_photographs_to_findings(whole):
    rows = rows_of(whole)
    assert len(rows) == (2 + 1) * 2 * 2
    assert {(row["stage"], row["block"]) for row in rows} == {("1", "1"), ("1", "2"), ("1", "3")}
    found = load_findings(whole)
    assert {finding.title for finding in found} == {
        "C1",
        "C1, contrast",
        "C2",
        "C3",
        "C3, contrast",
    }
    assert any("−" in finding.where for finding in found)  # two networks of one kind of block
    assert all(f.measured.table.shape == (2, 2) for f in found)
    assert (whole / "figures" / "depth.png").stat().st_size > 5000


def test_all_descents_share_start_and_targets(whole):
    first, *others = [
        depthjax.load_run(folder) for folder in sorted((whole / "descents").glob("*/*"))
    ]
    assert len(others) == 3
    for other in others:
        assert (other.starts == first.starts).all() and (other.targets == first.targets).all()


def test_a_killed_run_goes_on(script, whole, tmp_path, monkeypatch):
    folder, calls, autoencode = tmp_path / "cut", [], descents.autoencode

    def killed(*arguments, **settings):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return autoencode(*arguments, **settings)

    monkeypatch.setattr(descents, "autoencode", killed)
    with pytest.raises(KeyboardInterrupt):
        run(script, folder)
    assert not (folder / "results.csv").exists()
    calls[:] = [1] * 4
    run(script, folder, resume=True)
    assert len(calls) == 4 + 6 - 3
    assert rows_of(folder) == rows_of(whole)
    assert (folder / "findings.json").read_text() == (whole / "findings.json").read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": ["resnet19"]}, "resnet18"),
        ({"network": ["vgg16"]}, "is no residual network"),
        ({"network": ["resnet18 width"]}, "--network='width' is not of the form name=value"),
        ({"network": ["resnet18 @conv1"]}, "'conv1' is not the output of a residual block"),
        ({"network": ["resnet18", "resnet18", "resnet18"]}, "is given twice"),
        ({"network": [""]}, "unknown model ''"),
        ({"blur": True}, "with blur=False"),
        ({"seeds": ["0", "0"]}, "must be different whole numbers"),
    ],
)
def test_bad_input_ends_in_one_line_with_nothing_written(script, tmp_path, settings, message):
    with refused(message, tmp_path / "bad") as folder:
        run(script, folder, **settings)


@every_flag_file("depth_*")
def test_flag_files_name_networks_that_exist(script, file):
    with with_flags_of(script, file):
        assert script.networks_from_flags()
