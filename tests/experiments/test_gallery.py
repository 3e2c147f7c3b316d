"""The gallery of networks: what is recovered from each, and what the trained one sees in it."""

import jax
import numpy as np
import pytest
from script_running import rows_of, runner, script_fixture

import depthjax
from depthjax.models.labels import imagenet_classes

MODEL = depthjax.build_model("mlp", widths=(40, 20, 1000))  # compiled in no time
run = runner(
    {
        "model": "mlp",
        "model_field": ["widths=40,20,1000"],
        "seeds": ["0"],
        "images": ["chelsea", "coffee"],
        "size": 8,
        "layers": "fc1,fc2",
        "steps": 12,
    }
)
script = script_fixture("gallery")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Weights from a file, which pass for trained ones."""
    path = tmp_path_factory.mktemp("weights") / "trained.safetensors"
    variables = depthjax.init_variables(MODEL, jax.random.key(7), 8)
    depthjax.save_weights(path, variables, normalization="half")
    return path


@pytest.fixture(scope="module")
def folder(script, trained, tmp_path_factory):
    output = tmp_path_factory.mktemp("gallery") / "both"
    run(script, output, networks=["untrained", f"photos={trained}"])
    return output


def test_every_network_is_inverted_from_the_same_starts(folder):
    rows = rows_of(folder)
    places = [(row["network"], row["layer"], row["image"]) for row in rows]
    assert len(set(places)) == len(places) == 2 * 2 * 2
    runs = {
        label: depthjax.load_run(folder / "descents" / f"{label}_0" / "converging")
        for label in ("untrained", "photos")
    }
    np.testing.assert_array_equal(runs["untrained"].starts, runs["photos"].starts)
    for row in rows:
        arrays, image = runs[row["network"]].layers[row["layer"]], row["image"] == "coffee"
        assert float(row["input_ratio"]) == pytest.approx(arrays["input_ratio"][0, int(image)])


def test_the_trained_network_says_what_it_sees_in_what_is_recovered_from_each(folder, trained):
    weights = depthjax.weights.fetch(trained)
    variables = depthjax.load_weights(MODEL, weights, image_size=8)
    head = depthjax.Layer(MODEL, "fc3", weights.normalization)
    for row in rows_of(folder):
        recovered = depthjax.load_run(folder / "descents" / f"{row['network']}_0" / "converging")
        index = recovered.image_names.index(row["image"])
        for column, image in (
            ("target_seen", recovered.targets[index]),
            ("seen", recovered.layers[row["layer"]]["images"][0, index]),
        ):
            (logits,) = head(variables, jax.numpy.asarray(image[None]))
            best = int(logits.argmax())
            told = f"{imagenet_classes()[best]} {jax.nn.softmax(logits)[best]:.2f}"
            assert row[column] == told


@pytest.fixture(scope="module")
def ways(script, tmp_path_factory):
    output = tmp_path_factory.mktemp("gallery") / "ways"
    words = ["paper", "smooth=converging:penalty=tv:1e-3:start=flat", "lucid:relu_gradient=true"]
    run(script, output, setting=words)
    return output


def test_settings_are_shown_one_below_the_other(ways):
    rows = rows_of(ways)
    names = ["paper", "smooth", "lucid_relu_gradient=true"]
    assert [*dict.fromkeys(row["condition"] for row in rows)] == names
    for name in names:
        run = depthjax.load_run(ways / "descents" / "untrained_0" / name)
        assert run.config["inversion"]["steps"] == 12  # a flag is above a preset
    smooth = depthjax.load_run(ways / "descents" / "untrained_0" / "smooth")
    assert np.ptp(smooth.starts) == 0  # each has its own start
    assert smooth.config["inversion"]["penalty"] == "0.001*tv"
    summary = (ways / "summary.md").read_text(encoding="utf-8")
    assert "settings" in summary and "smooth" in summary
    of_paper = [
        float(row["input_ratio"])
        for row in rows
        if (row["condition"], row["layer"]) == ("paper", "fc2")
    ]
    assert f"{np.mean(of_paper):.3g}" in summary


def test_two_settings_of_one_name_are_refused(script, tmp_path):
    with pytest.raises(ValueError, match="two settings are called 'fast'"):
        run(script, tmp_path / "twice", setting=["fast", "fast"])


def test_all_of_it_is_shown(folder):
    assert (folder / "figures" / "gallery.png").is_file()
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert "photos sees" in summary and "(the target)" in summary
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "untrained" in page and "photos" in page


def test_where_nobody_knows_classes_nobody_says_any(script, tmp_path):
    run(script, tmp_path / "blind", networks=["untrained"], images=["chelsea"], layers="fc1")
    summary = (tmp_path / "blind" / "summary.md").read_text(encoding="utf-8")
    assert "sees" not in summary
    assert [row["seen"] for row in rows_of(tmp_path / "blind")] == [""]
