"""The command for claim C14, from networks and data sets to findings, and bad input."""

import json

import jax
import numpy as np
import pytest
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.claims.stored import load_findings
from depthjax.data import Augmentation, open_dataset
from depthjax.images import save_png
from depthjax.studies.manifold.inputs import (
    Choice,
    prepare_images,
    training_and_held_out,
    training_sets,
)

FIELDS = {"width": 2, "stage_sizes": (1, 1), "num_classes": 3, "stem": "small"}
KINDS = ("photographs", "Gaussian noise", "1/f noise", "uniform noise")

script = script_fixture("manifold")


@pytest.fixture(scope="module")
def settings(tmp_path_factory, data_dir):
    """A folder of two classes, one bright and one dark, for training and test."""
    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for split, each in (("train", 20), ("test", 10)):
        for label, brightness in (("bright", 0.8), ("dark", 0.2)):
            (root / split / label).mkdir(parents=True)
            for number in range(each):
                smooth = brightness + 0.1 * random.normal(size=(2, 2, 3)).repeat(8, 0).repeat(8, 1)
                save_png(root / split / label / f"{number}.png", np.clip(smooth, 0, 1))
    # Reading makes other libraries define flags, which flagsaver would take away at its end.
    open_dataset(f"folder:{root}", size=16, data_dir=data_dir)
    return {
        "model": "resnet18",
        "model_field": ["width=2", "stage_sizes=1,1", "num_classes=3", "stem=small"],
        "seeds": ["0", "1"],
        "layers": "conv1,layer2",
        "dataset": f"folder:{root}",
        "size": 16,
        "data_dir": str(data_dir),
        "examples": 40,
        "held_out": 20,
        "inputs": 10,
        "recovered": 5,
        "recovery_steps": 4,
    }


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """Networks that see nothing but the mean of the image: of each seed one."""
    folder = tmp_path_factory.mktemp("weights")
    model = depthjax.build_model("resnet18", **FIELDS)
    for seed in (0, 1):
        variables = depthjax.init_variables(model, jax.random.key(seed), 16)
        kernel = variables["params"]["conv1"]["kernel"]
        mean = kernel.mean((0, 1), keepdims=True)
        variables["params"]["conv1"]["kernel"] = np.broadcast_to(mean, kernel.shape)
        depthjax.save_weights(folder / f"{seed}.safetensors", variables)
    return str(folder / "{seed}.safetensors")


def run(script, folder, settings, **others):
    runner(settings)(script, folder, **others)


@pytest.fixture(scope="module")
def done(script, settings, flat, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "manifold"
    networks = ["untrained", f"photos={flat}", f"noise={flat}", "same=untrained"]
    run(script, folder, settings, networks=networks)
    return folder


def test_every_input_has_a_row_for_every_network_layer_and_seed(done, settings):
    rows = rows_of(done)
    pairs = [(row["network"], row["training_set"]) for row in rows]
    photographs, noise = settings["dataset"], "noise/16"
    each = 2 * (2 * (4 * 10 + 20) + 4 * 5)  # seeds; layers × inputs of each kind; recovered
    assert {pair: pairs.count(pair) for pair in pairs} == {
        ("untrained", photographs): each,
        ("photos", photographs): each,
        ("same", photographs): each,
        ("untrained", noise): each,
        ("noise", noise): each,
    }
    assert tuple(dict.fromkeys(row["input"] for row in rows)) == ("held-out examples", *KINDS)
    origins = [row["origin"] for row in rows if row["input"] == "photographs"]
    assert set(origins) == {"astronaut", "chelsea", "coffee", "rocket", "china"}
    for name in ("neighbour_distance", "principal_distance"):
        assert all(float(row[name]) > 0 for row in rows)


def test_findings_are_of_every_trained_network_layer_and_kind(done):
    findings = load_findings(done)
    wheres = [finding.where for finding in findings]
    kinds = {"photos": KINDS, "same": KINDS, "noise": [k for k in KINDS if k != "Gaussian noise"]}
    expected = {
        f"{label}, {layer}, {kind}"
        for label, own in kinds.items()
        for kind in (*own, "held-out examples")
        for layer in ("conv1", "layer2")
    }
    recovered = [one.where for one in findings if one.quantity.startswith("recovered")]
    assert set(wheres) == expected and len(wheres) - len(recovered) == 2 * len(expected)
    assert len(recovered) == 2 * len(set(recovered)) == 2 * (4 + 4 + 3)
    assert all(finding.claim == "C14" and finding.rule == "< 1" for finding in findings)
    for finding in findings:
        # Patches of one photograph are one.
        assert finding.interval.seeds == 2
        held_out = 20 if "held-out" in finding.where else 10
        embedded = 5 if "photographs" in finding.where else held_out
        assert finding.interval.images == (embedded if "embedding" in finding.statistic else 5)


def test_the_same_network_supports_nothing(done):
    same = [finding for finding in load_findings(done) if finding.where.startswith("same")]
    for finding in same:
        assert finding.interval.estimate == 1 and finding.verdict == "not reached"


def test_blind_networks_bring_noise_to_the_training_set(done):
    """To whom only means are visible, independent pixels are nearly grey."""
    found = {
        finding.where: finding.interval
        for finding in load_findings(done)
        if finding.statistic.startswith("embedding: distance to training examples")
    }
    for kind in ("Gaussian noise", "uniform noise"):
        interval = found[f"photos, conv1, {kind}"]
        assert interval.estimate < 0.95 and (interval.seeds, interval.images) == (2, 10)


def test_the_record_is_complete(done, settings):
    config = json.loads((done / "config.json").read_text())
    photographs = settings["dataset"]
    assert config["trained_on"] == {"photos": photographs, "noise": "noise/16", "same": photographs}
    assert [len(records) for records in config["weights"].values()] == [2, 2, 2, 2]
    assert len(config["weights"]["photos"][0]["sha256"]) == 64
    assert (done / "figures" / "manifold.png").stat().st_size > 5000
    assert (done / "figures" / "manifold.pdf").stat().st_size > 2000


def test_the_same_flags_give_the_same_numbers(script, settings, done, flat, tmp_path, capsys):
    run(script, tmp_path / "again", settings, networks=["untrained", f"photos={flat}"])
    wanted = [
        row
        for row in rows_of(done)
        if row["training_set"] != "noise/16" and row["network"] != "same"
    ]
    assert rows_of(tmp_path / "again") == wanted
    printed = capsys.readouterr().out
    assert "| C14" in printed and str(tmp_path / "again") in printed


def test_training_sets_and_what_is_held_out_of_them(settings):
    dataset = settings["dataset"]
    sets = training_sets(["photos", "other"], dataset, 16, ["other=noise/16/3"])
    assert sets == {"photos": dataset, "other": "noise/16/3"}
    assert training_sets(["photos", "noise"], dataset, 16)["noise"] == "noise/16"
    asked = ("examples", "held_out", "inputs", "size", "data_dir")
    choice = Choice(**{name: settings[name] for name in asked})
    for spec in sets.values():
        training, held_out, _ = training_and_held_out(choice, spec)
        assert (len(training), len(held_out)) == (40, 20)
        # Also of noise, other examples than those trained on.
        assert not (training[:, None] == held_out[None]).all((2, 3, 4)).any()


def test_inputs_are_seen_as_in_training():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    as_they_are = prepare_images(images, Augmentation(flip=True))
    np.testing.assert_allclose(as_they_are, images / 255, rtol=1e-6)
    grey = prepare_images(images, Augmentation(grey=True, jitter=0.4, tint=0.2))
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


BAD = {
    "no baseline": ({"networks": ["photos={flat}"]}, "no untrained network"),
    "layer": ({"layers": "layer9"}, "unknown layer 'layer9'"),
    "set": ({"trained_on": ["nois=noise/16"]}, "unknown trained network 'nois'"),
    "form": ({"trained_on": ["noise"]}, "not of the form label=DATASET"),
    "split": ({"held_out_split": "held_out"}, "unknown split"),
    "neighbour": ({"neighbours": 41}, "untrained, seed 0, conv1: 40 training examples"),
    "share": ({"share": 1.5}, "share must lie between"),
    "data set": ({"dataset": "photo_crop/16"}, "did you mean 'photo_crops"),
    "grey images": ({"dataset": "digits"}, "must be square RGB"),
    "patches": ({"inputs": 501}, "1 to 500 patches"),
    "seeds": ({"seeds": ["x"]}, "--seeds=x must be"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_writes_nothing(kind, script, settings, flat, tmp_path):
    others, message = BAD[kind]
    networks = ["untrained", f"noise={flat}", f"photos={flat}"]
    others = {"networks": networks, **others}
    others["networks"] = [entry.replace("{flat}", flat) for entry in others["networks"]]
    with refused(message, tmp_path / "run") as folder:
        run(script, folder, settings, **others)


def test_results_that_are_there_stay(script, settings, done):
    before = (done / "results.csv").read_bytes()
    with pytest.raises(ValueError, match="--overwrite"):
        run(script, done, settings)
    assert (done / "results.csv").read_bytes() == before
