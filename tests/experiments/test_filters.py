"""The command for claims C15 and C17: pictures and numbers of filters, and bad input."""

import json

import jax
import numpy as np
import pytest
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.claims.stored import load_findings

SETTINGS = {
    "model": "resnet18",
    "model_field": ["width=4", "stage_sizes=1,1", "num_classes=3", "stem=imagenet"],
    "seeds": ["0", "1"],
    "layer": "layer2.0.conv2",
}

script = script_fixture("filters")
run = runner(SETTINGS)


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    """Weights of two seeds whose filters are an edge, and less of what they were."""
    folder = tmp_path_factory.mktemp("weights")
    fields = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3, "stem": "imagenet"}
    model = depthjax.build_model("resnet18", **fields)
    for seed in (0, 1):
        variables = depthjax.init_variables(model, jax.random.key(seed), 16)
        for name in ("conv1", "layer2.0.conv2"):
            kernel = variables["params"][name]["kernel"]
            edge = np.sin(np.linspace(-2, 2, len(kernel), dtype=np.float32))[:, None, None, None]
            variables["params"][name]["kernel"] = 0.1 * kernel + np.std(kernel) * edge + 1
        depthjax.save_weights(folder / f"{seed}.safetensors", variables)
    return str(folder / "{seed}.safetensors")


def test_pictures_numbers_and_findings(script, edges, tmp_path, capsys):
    folder = tmp_path / "filters"
    networks = ["untrained", f"photos={edges}", "noise=untrained", "control=untrained:1{seed}"]
    run(script, folder, networks=networks)
    rows = rows_of(folder)
    assert len(rows) == 4 * 2 * 8 and all(row["wavelet_share"] == "nan" for row in rows)
    found = {
        (column, label): np.array([float(row[column]) for row in rows if row["network"] == label])
        for column in ("low_frequency_power", "anisotropy")
        for label in ("untrained", "photos", "noise")
    }
    for column, most in (("low_frequency_power", 2), ("anisotropy", 1)):
        assert found[column, "photos"].min() > 0.9 * most
        assert found[column, "untrained"].mean() < 0.6 * most
    findings = load_findings(folder)
    photos, _, noise, directed, *controls = findings
    assert [one.title for one in findings[:4]] == ["C15, contrast"] * 2 + ["C15"] * 2
    assert [one.part for one in findings] == ["", "", "as_smooth", "as_directed", "", ""]
    assert {one.aside for one in controls} == {"control"}
    # Two seeds are too few for a verdict, and the same network is no evidence of anything.
    assert {one.verdict for one in findings} == {"not reached"}
    assert noise.interval.estimate == directed.interval.estimate == 1 and noise.sample == "2 × 8"
    name = "low_frequency_power"
    ratio = np.exp(np.log(found[name, "photos"] / found[name, "untrained"]).mean())
    assert photos.interval.estimate == pytest.approx(ratio)
    assert (folder / "figures" / "filters.png").stat().st_size > 3000
    assert json.loads((folder / "config.json").read_text())["layer"] == "layer2.0.conv2"
    printed = capsys.readouterr().out
    assert "| C15 " in printed and str(folder) in printed


def test_first_filters_are_judged_as_wavelets(script, edges, tmp_path):
    networks = ["untrained", f"photos={edges}", f"shuffled=shuffled:{edges}"]
    run(script, tmp_path / "run", networks=networks, layer="conv1")
    found = load_findings(tmp_path / "run")
    assert [one.part for one in found] == ["beyond_untrained", "beyond_shuffled", ""]
    assert {one.claim for one in found} == {"C17"} and {one.network for one in found} == {"photos"}
    assert all(one.interval.estimate > 0.2 for one in found[:2])
    assert found[0].statistic.endswith("photos − untrained")
    assert found[2].interval.estimate > 1.2


def test_first_layers_are_shown_in_colour_and_need_no_baseline(script, edges, tmp_path):
    run(script, tmp_path / "run", networks=[f"photos={edges}"], layer="conv1")
    assert load_findings(tmp_path / "run") == []
    assert (tmp_path / "run" / "figures" / "filters.png").is_file()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "layer2.0.conv9"}, "did you mean 'layer2.0.conv"),
        ({"layer": "layer2"}, "unknown convolution 'layer2.0'"),
        ({"layer": "layer2.0.downsample.0"}, "1×1 filters"),
        ({"output_channel": 8}, "it has 0 to 7"),
        ({"networks": ["photos"]}, "not of the form"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(settings, message, script, tmp_path):
    with refused(message, tmp_path / "run") as folder:
        run(script, folder, **settings)
