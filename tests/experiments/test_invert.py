"""The command, from photographs to a run folder, and every kind of bad input."""

import contextlib
import hashlib
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.images.luminance import luminance
from depthjax.inversion import metrics, reference
from depthjax.models import labels
from depthjax.models.normalization import as_normalization
from depthjax.studies.inversion.measured import imagenet_head

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "experiments" / "invert.py"
SMALL = {
    "model": "resnet18",
    "model_field": ["width=4", "stage_sizes=1,1", "num_classes=3"],
    "images": ["chelsea", "coffee"],
    "size": 24,
    "layers": "conv1,layer1:layer2",
    "steps": 4,
    "record_every": 2,
}


class Whole(NamedTuple):
    """A finished run: what it was asked for and printed, and nodes as references were measured."""

    folder: Path
    settings: dict[str, Any]
    printed: str
    measured: list[str]


script = script_fixture("invert")
run = runner(SMALL)


@pytest.fixture(scope="module")
def whole(script, tmp_path_factory):
    place, printed = tmp_path_factory.mktemp("invert"), io.StringIO()
    photo, folder = place / "my cat.jpg", place / "run"
    Image.fromarray(np.full((40, 30, 3), 90, np.uint8)).save(photo)
    settings = {"images": ["chelsea", str(photo)], "restarts": 2, "start": "gaussian,image"}
    measured, measure = [], reference.reference_distances

    def counting(layer, *given):
        measured.append(layer.node)
        return measure(layer, *given)

    with contextlib.redirect_stdout(printed), pytest.MonkeyPatch.context() as patched:
        for module in (reference, metrics):
            patched.setattr(module, "reference_distances", counting)
        run(script, folder, **settings)
    return Whole(folder, settings, printed.getvalue(), measured)


def test_from_photographs_to_a_run_folder(whole):
    folder, _, printed, _ = whole
    found = depthjax.load_run(folder)
    assert found.image_names == ["chelsea", "my cat"]
    assert list(found.layers) == ["conv1", "layer1", "layer2"]
    assert found.layers["layer2"]["images"].shape == (2, 2, 24, 24, 3)
    for name in ("gallery", "depth", "trajectories", "ratio_matrix", "residuals"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000
    assert len(found.table) == 2 * 2 * 3
    with np.load(folder / "ratio_matrix.npz") as matrix:
        assert matrix["layers"].tolist() == ["conv1", "layer1", "layer2"]
        diagonal = np.stack([matrix["ratio"][i, i] for i in range(3)])
        np.testing.assert_allclose(diagonal, found.stack("embedding_ratio"), rtol=1e-4)
    assert "| layer2" in printed and "(the start)" in printed and str(folder) in printed


def test_a_run_goes_on_where_another_ended(script, whole, tmp_path):
    run(script, tmp_path / "on", **whole.settings, start_from=str(whole.folder), layers="layer1")
    before, after = depthjax.load_run(whole.folder), depthjax.load_run(tmp_path / "on")
    first, then = before.layers["layer1"], after.layers["layer1"]
    np.testing.assert_array_equal(after.starts, before.starts)
    start = then["trajectory_embedding_ratio"][0]
    np.testing.assert_allclose(start, first["final_embedding_ratio"], rtol=1e-5)
    assert (then["embedding_ratio"] < first["embedding_ratio"]).all()
    assert after.config["start_from"] == str(whole.folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"restarts": 3}, "it has 2 restarts, not 3"),
        ({"size": 32}, "its size is 24, not 32"),
        ({"weights_seed": 1}, "its weights_file is"),
        ({"layers": "maxpool"}, "Known: conv1, layer1, layer2"),
    ],
)
def test_only_the_same_network_and_images_are_gone_on_with(
    script, whole, tmp_path, settings, message
):
    asked = {**whole.settings, **settings, "start_from": str(whole.folder)}
    with refused(message, tmp_path / "on") as folder:
        run(script, folder, **asked)


def test_a_network_of_grey_images_sees_grey_images(script, tmp_path):
    fields = [*SMALL["model_field"], "channels=1"]
    run(script, tmp_path / "run", model_field=fields, layers="conv1", images=["chelsea"])
    found = depthjax.load_run(tmp_path / "run")
    colour = depthjax.images.load_image("chelsea", 24)
    assert found.targets.shape == (1, 24, 24, 1)
    np.testing.assert_allclose(found.targets[0, ..., 0], luminance(colour), atol=1e-6)
    assert (tmp_path / "run" / "figures" / "gallery.png").stat().st_size > 5000


def test_a_network_of_four_channels_is_refused_before_anything_is_written(script, tmp_path):
    fields = [*SMALL["model_field"], "channels=4"]
    with refused("takes images of 4 channels", tmp_path / "run") as folder:
        run(script, folder, model_field=fields)


def test_a_resumed_run_gives_the_same_numbers(script, whole, tmp_path):
    cut = tmp_path / "cut"
    shutil.copytree(whole.folder, cut)
    (cut / "layers" / "layer2.npz").unlink()
    (cut / "layers" / "conv1.npz").unlink()
    (cut / "results.csv").unlink()
    run(script, cut, **whole.settings, resume=True)
    assert (whole.folder / "results.csv").read_bytes() == (cut / "results.csv").read_bytes()


def test_a_layer_is_compared_with_its_noisy_copies_once(whole):
    assert whole.measured == ["conv1", "layer1.0", "layer2.0"]
    for arrays in depthjax.load_run(whole.folder).layers.values():
        last = arrays["trajectory_embedding_ratio"][-1]
        np.testing.assert_allclose(last, arrays["final_embedding_ratio"], rtol=1e-5)


def test_another_network_compares_the_images_only_when_asked(script, whole, tmp_path, capsys):
    judge = {"judge": "untrained:5", "judge_layers": "layer1", "layers": "layer1"}
    run(script, tmp_path / "run", **judge)
    rows = rows_of(tmp_path / "run")
    assert all(0 < float(row["perceptual_distance"]) < 2 for row in rows)
    assert "perceptual distance" in capsys.readouterr().out
    assert depthjax.load_run(tmp_path / "run").config["judge"]["layers"] == ["layer1"]
    assert "perceptual" not in whole.printed
    assert "perceptual_distance" not in rows_of(whole.folder)[0]
    assert "judge" not in depthjax.load_run(whole.folder).config


def test_seeds_are_separate(script, tmp_path):
    found = {}
    for name in ("none", "weights_seed", "start_seed", "reference_seed"):
        settings = {} if name == "none" else {name: 77}
        run(script, tmp_path / name, layers="conv1", **settings)
        found[name] = depthjax.load_run(tmp_path / name)
    base = found.pop("none")
    for name, other in found.items():
        same_start = np.array_equal(base.starts, other.starts)
        key = "reference_input_distance"
        same_reference = np.array_equal(base.stack(key), other.stack(key))
        same_images = np.array_equal(base.stack("images"), other.stack("images"))
        assert same_start == (name != "start_seed")
        assert same_reference == (name != "reference_seed")
        assert same_images == (name == "reference_seed")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file of weights with a head of ImageNet's classes, as another library writes it."""
    import safetensors.numpy

    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1, 1))
    variables = depthjax.init_variables(model, jax.random.key(0), 24)
    path = tmp_path_factory.mktemp("weights") / "trained.safetensors"
    state = depthjax.to_torch_state_dict(variables)
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in state.items()}, path)
    return model, variables, path


IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
LARGE_HEAD = {"model_field": ["width=4", "stage_sizes=1,1"], "layers": "layer2", "steps": 2}


def test_trained_weights_from_a_file(script, trained, tmp_path, capsys):
    model, variables, path = trained
    folder = tmp_path / "run"
    run(script, folder, weights=str(path), **LARGE_HEAD)
    found = depthjax.load_run(folder)
    assert found.config["normalization"] == IMAGENET
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.config["weights_file"] == {
        **{"source": str(path), "revision": None, "sha256": digest},
        "drop_head": False,
    }
    # The embeddings inverted are those of the normalised photographs.
    layer = depthjax.Layer(model, "layer2", normalization="imagenet")
    targets, recovered = (
        jnp.asarray(array) for array in (found.targets, found.layers["layer2"]["images"][0])
    )
    distances = metrics.embedding_distances(layer, variables, targets, recovered)
    np.testing.assert_allclose(
        distances, found.layers["layer2"]["embedding_distance"][0], rtol=1e-4
    )
    # The five classes are those of the logits.
    head = depthjax.Layer(model, "fc", normalization="imagenet")
    logits = np.asarray(head(variables, targets))
    arrays = found.layers["layer2"]
    assert arrays["top_classes"].shape == (1, 2, 5)
    np.testing.assert_array_equal(arrays["target_top_classes"][:, 0], logits.argmax(-1))
    name = labels.imagenet_classes()[logits[0].argmax()]
    assert found.table[0]["target_top5"].startswith(f"{name} 0.")
    assert found.table[0]["top5"].count("; ") == 4
    printed = capsys.readouterr().out
    assert "(the target)" in printed and name in printed
    assert (folder / "results.csv").read_text().splitlines()[0].endswith("target_top5,top5")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, IMAGENET),
        ({"preset": "paper"}, None),
        ({"preset": "paper", "normalization": "half"}, {"mean": [0.5] * 3, "std": [0.5] * 3}),
        ({"normalization": "none"}, None),
        ({"weights": "untrained"}, None),
        ({"weights": "untrained", "normalization": "imagenet"}, IMAGENET),
    ],
)
def test_which_normalization(script, trained, settings, expected):
    model, _, path = trained
    with flagsaver.flagsaver(**{"weights": str(path), **settings}):
        weights = script.cli.weights_from_flags(model, 24)
    assert weights.normalization == (expected and as_normalization(expected))
    # An untrained head knows no classes.
    assert weights.has_trained_head == (settings.get("weights") != "untrained")
    assert (imagenet_head(model, weights) is None) == (not weights.has_trained_head)


def test_another_head_is_dropped_only_when_asked(script, trained, tmp_path):
    path = str(trained[2])
    with refused(r"1000 classes.*--drop_head", tmp_path / "run") as folder:
        run(script, folder, weights=path)
    run(script, tmp_path / "run", weights=path, drop_head=True, layers="conv1", steps=1)
    found = depthjax.load_run(tmp_path / "run")
    assert found.config["weights_file"]["drop_head"] and "top5" not in found.table[0]


BAD = {
    "model": ({"model": "resnet51"}, "did you mean 'resnet50'"),
    "model field": ({"model_field": ["widht=4"]}, "did you mean 'width'"),
    "malformed field": ({"model_field": ["width"]}, "name=value"),
    "layer": ({"layers": "layer9"}, "unknown layer 'layer9'"),
    "quantile of nothing": ({"metamer_quantile": 0.9}, "does nothing without --metamer_null"),
    "near layer": ({"layers": "laier1"}, "did you mean"),
    "backwards range": ({"layers": "layer2:conv1"}, "backwards"),
    "image name": ({"images": ["chelsae"]}, "did you mean 'chelsea'"),
    "missing file": ({"images": ["no/such.png"]}, "no/such.png"),
    "weights": ({"weights": "trained.pth"}, "unknown weights"),
    "weights without a hash": ({"weights": "https://a.b/c.pth"}, "needs the SHA-256"),
    "preset": ({"preset": "papre"}, "did you mean 'paper'"),
    "no steps": ({"steps": 0}, "steps must be"),
    "no restarts": ({"restarts": -1}, "restarts must be"),
    "rate": ({"learning_rate": float("nan")}, "learning_rate must be"),
    "optimizer": ({"optimizer": "adamm"}, "did you mean 'adam'"),
    "objective": ({"objective": "l3"}, "unknown objective"),
    "small images": (
        {"model": "vgg11", "model_field": ["width=4", "hidden=4"], "layers": "pool5", "size": 16},
        "too small",
    ),
    "one image for image starts": ({"start": "image", "images": ["coffee"]}, "at least 2 images"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_writes_nothing(kind, script, tmp_path):
    settings, message = BAD[kind]
    with refused(message, tmp_path / "run") as folder:
        run(script, folder, **settings)


def test_corrupt_and_huge_files(script, tmp_path):
    corrupt = tmp_path / "corrupt.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(corrupt)
    corrupt.write_bytes(corrupt.read_bytes()[:60])
    huge = tmp_path / "huge.png"
    Image.new("1", (20000, 20000)).save(huge)
    for file in (corrupt, huge):
        with refused(file.stem, tmp_path / "run") as folder:
            run(script, folder, images=[str(file)])


def test_a_layer_with_a_constant_embedding(script, tmp_path):
    """A tiny image through a deep ReLU-less stem cannot be constant, a flat network can."""
    with pytest.raises(ValueError, match="is constant around image 0"):
        run(
            script,
            tmp_path / "run",
            model="vgg11",
            model_field=["width=1", "hidden=1", "num_classes=1", "stage_sizes=1"],
            images=["chelsea"],
            layers="classifier.4",
            weights_seed=DEAD_SEED,
        )


DEAD_SEED = 0


def test_the_command_ends_with_one_line_and_a_status(tmp_path):
    command = [sys.executable, str(SCRIPT), f"--output={tmp_path / 'run'}", "--steps=0"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("invert.py: error: steps must be")
    assert not (tmp_path / "run").exists()
