"""The command for claim C15: pictures and numbers of filters, and bad input."""

import json

import jax
import numpy as np
import pytest
from script_running import rows_of, runner, script_fixture

import depthjax
from depthjax.claims.stored import load_findings

SETTINGS = {
    "model": "resnet18",
    "model_field": ["width=4", "stage_sizes=1,1", "num_classes=3", "stem=small"],
    "seeds": ["0", "1"],
    "layer": "layer2.0.conv2",
}

script = script_fixture("filters")
run = runner(SETTINGS)


@pytest.fixture(scope="module")
def smooth(tmp_path_factory):
    """Weights of two seeds whose filters have a mean that untrained ones lack."""
    folder = tmp_path_factory.mktemp("weights")
    fields = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3, "stem": "small"}
    model = depthjax.build_model("resnet18", **fields)
    for seed in (0, 1):
        variables = depthjax.init_variables(model, jax.random.key(seed), 16)
        kernel = variables["params"]["layer2.0.conv2"]["kernel"]
        variables["params"]["layer2.0.conv2"]["kernel"] = kernel + np.float32(1)
        depthjax.save_weights(folder / f"{seed}.safetensors", variables)
    return str(folder / "{seed}.safetensors")


def test_pictures_numbers_and_findings(script, smooth, tmp_path, capsys):
    folder = tmp_path / "filters"
    networks = ["untrained", f"photos={smooth}", "noise=untrained"]
    run(script, folder, networks=networks)
    rows = rows_of(folder)
    assert len(rows) == 3 * 2 * 8
    energy = {
        label: np.array(
            [float(row["low_frequency_energy"]) for row in rows if row["network"] == label]
        )
        for label in ("untrained", "photos", "noise")
    }
    assert energy["photos"].min() > 5 and 0.5 < energy["untrained"].mean() < 1.5
    contrast, claim = load_findings(folder)
    assert contrast.title == "C15, contrast" and claim.title == "C15"
    # Two seeds are too few for a verdict, and the same network is no evidence of anything.
    assert {contrast.verdict, claim.verdict} == {"not reached"}
    assert claim.interval.estimate == 1 and claim.sample == "2 × 8"
    ratio = np.exp(np.log(energy["photos"] / energy["untrained"]).mean())
    assert contrast.interval.estimate == pytest.approx(ratio)
    assert (folder / "figures" / "filters.png").stat().st_size > 3000
    assert json.loads((folder / "config.json").read_text())["layer"] == "layer2.0.conv2"
    printed = capsys.readouterr().out
    assert "| C15 " in printed and str(folder) in printed


def test_first_layers_are_shown_in_colour_and_need_no_baseline(script, smooth, tmp_path):
    run(script, tmp_path / "run", networks=[f"photos={smooth}"], layer="conv1")
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
    with pytest.raises(ValueError, match=message) as error:
        run(script, tmp_path / "run", **settings)
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
