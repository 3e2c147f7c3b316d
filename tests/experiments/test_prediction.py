"""The command that sets linear theory beside descents, in small, and bad input."""

import json

import numpy as np
import pytest
from script_running import every_flag_file, refused, rows_of, runner, script_fixture, with_flags_of

from depthjax.analysis.r_squared import r_squared
from depthjax.claims.stored import load_findings

SETTINGS = {
    "networks": ["linear", "relu"],
    "linear_widths": ["1.25", "0.5"],
    "relu_widths": ["2", "1"],
    "images": ["astronaut", "chelsea", "coffee"],
    "size": 4,
    "seeds": ["0", "1"],
    "steps": 50,
}

script = script_fixture("prediction")
run = runner(SETTINGS)


@pytest.fixture(scope="module")
def done(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "prediction"
    run(script, folder)
    return folder, rows_of(folder)


def of(rows, network, layer, quantity):
    chosen = [r for r in rows if (r["network"], r["layer"]) == (network, layer)]
    return np.array([float(row[quantity]) for row in chosen])


def test_linear_networks_follow_the_whole_curve(done):
    folder, rows = done
    for layer, rank in (("fc1", 48), ("fc2", 24)):
        assert of(rows, "linear", layer, "largest_relative_error").max() < 1e-4
        assert (of(rows, "linear", layer, "rank") == rank).all()
    assert of(rows, "linear", "fc1", "lost").max() < 1e-9
    assert of(rows, "linear", "fc2", "lost").min() > 0.1
    verdicts = [f.verdict for f in load_findings(folder) if f.where.startswith("linear")]
    assert verdicts == ["supported"] * 2


def test_parts_make_up_the_whole(done):
    _, rows = done
    for row in rows:
        lost, slow, whole = (float(row[name]) for name in ("lost", "slow", "predicted"))
        assert lost**2 + slow**2 == pytest.approx(whole**2, rel=1e-5)
        assert whole <= float(row["start_distance"]) * (1 + 1e-6)


def test_networks_with_relus_are_judged_within_each_layer(done):
    folder, rows = done
    found = [f for f in load_findings(folder) if f.where.startswith("relu")]
    assert [f.where for f in found] == ["relu, relu1"] * 2 + ["relu, fc2"] * 2
    for finding, layer in zip(found[::2], ("relu1", "fc2"), strict=True):
        told, seen = (of(rows, "relu", layer, name) for name in ("predicted", "measured"))
        assert finding.interval.estimate == pytest.approx(r_squared(told, seen))
        assert (finding.interval.seeds, finding.interval.images) == (2, 3)
        # Where ReLUs stand between, no one Jacobian is exact.
        assert of(rows, "relu", layer, "largest_relative_error").max() > 1e-3


def test_the_record_is_complete(done):
    folder, rows = done
    assert len(rows) == 2 * 2 * 2 * 3
    config = json.loads((folder / "config.json").read_text())
    assert config["jacobian_at"] == "target" and config["linear_widths"] == ["1.25", "0.5"]
    for name in ("curves_linear", "predicted_against_measured"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"networks": ["liner"]}, "did you mean 'linear'"),
        ({"relu_widths": ["2", "two"]}, "--relu_widths must be numbers"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(settings, message, script, tmp_path):
    with refused(message, tmp_path / "run") as folder:
        run(script, folder, **settings)


@every_flag_file("prediction_*")
def test_flag_files_name_networks_that_exist(file, script):
    with with_flags_of(script, file) as flags:
        for network in flags.networks:
            assert script.model_of(network, 3 * flags.size**2).stages()
