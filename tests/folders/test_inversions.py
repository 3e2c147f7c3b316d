"""Run folders: complete or absent, resumable, and the same arrays when loaded back."""

import csv
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reading_figures import everything_said

import depthjax
from depthjax import figures
from depthjax.folders.results import read_rows
from depthjax.folders.run_writer import start_run

STEPS = 3


def half(variables, images):
    """A layer: half of the image."""
    return variables * images[:, ::2]


def autoencode(restarts=1, count=2):
    images = jax.random.uniform(jax.random.key(0), (count, 4, 4, 3))
    config = depthjax.InversionConfig(steps=STEPS, restarts=restarts, record_every=2)
    found = depthjax.autoencode(jax.random.key(1), half, jnp.ones(()), images, config)
    return np.asarray(images), found


def definition(**changes):
    return {"layers": ["a", "layer1.0"], "images": ["cat", "dog"], "seed": 3, **changes}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs" / "one"


@pytest.mark.parametrize("restarts", [1, 3])
def test_what_is_saved_comes_back(folder, restarts):
    images, found = autoencode(restarts)
    writer = start_run(folder, definition(), images, found.start)
    writer.save_layer("a", found)
    run = depthjax.load_run(folder)
    np.testing.assert_array_equal(run.targets, images)
    shape = (restarts, *images.shape)
    np.testing.assert_array_equal(run.starts, np.reshape(found.start, shape))
    arrays = run.layers["a"]
    np.testing.assert_array_equal(arrays["images"], np.reshape(found.images, shape))
    np.testing.assert_array_equal(
        arrays["embedding_ratio"], np.reshape(found.embedding_ratio, (restarts, 2))
    )
    last = arrays["trajectory_embedding_ratio"][-1]
    np.testing.assert_allclose(last, arrays["final_embedding_ratio"], rtol=1e-5)
    np.testing.assert_allclose(
        arrays["trajectory_input_ratio"][-1], arrays["final_input_ratio"], rtol=1e-5
    )
    assert arrays["trajectory_step"].tolist() == [0, 2, 3]
    assert run.config["environment"]["versions"]["jax"] == jax.__version__


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("restarts", [1, 3])
def test_a_trajectory_has_an_axis_of_restarts_and_one_of_images(folder, restarts, count):
    images, found = autoencode(restarts, count)
    labels = definition(images=["cat", "dog"][:count])
    start_run(folder, labels, images, found.start).save_layer("a", found)
    with np.load(folder / "trajectory.npz") as trajectory:
        ratios = [trajectory[f"a/{name}"] for name in ("embedding_ratio", "input_ratio")]
        assert trajectory["a/objective"].shape == (3, restarts, count)
        steps = trajectory["a/step"]
    arrays = depthjax.load_run(folder).layers["a"]
    recorded = found.inversion.trajectory
    for ratio, name in zip(ratios, ("embedding_distance", "input_distance"), strict=True):
        assert ratio.shape == (3, restarts, count)
        distance = np.reshape(getattr(recorded, name), ratio.shape)
        np.testing.assert_array_equal(ratio, distance / arrays[f"reference_{name}"])
    descents = [ratio.reshape(len(ratio), -1) for ratio in ratios]
    figure = figures.trajectories(["a"], [steps], [descents[0]], [descents[1]])
    assert f"n = {restarts * count} descent" in everything_said(figure)


def test_the_table_has_a_row_for_each_image_layer_and_restart(folder):
    images, found = autoencode(restarts=3)
    writer = start_run(folder, definition(), images, found.start)
    writer.save_layer("layer1.0", found)
    assert {row["depth"] for row in depthjax.load_run(folder).table} == {1}
    assert {row["depth"] for row in read_rows(folder)} == {1}
    writer.save_layer("a", found)
    with open(folder / "results.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3
    assert [row["layer"] for row in rows] == ["a"] * 6 + ["layer1.0"] * 6  # depth order
    row = next(r for r in rows if (r["image"], r["layer"], r["restart"]) == ("dog", "a", "2"))
    assert float(row["input_ratio"]) == float(found.input_ratio[2, 1])
    with np.load(folder / "trajectory.npz") as trajectory:
        assert trajectory["layer1.0/embedding_ratio"].shape == (3, 3, 2)
    assert (folder / "images" / "dog_layer1.0_restart2.png").is_file()


def test_a_killed_run_keeps_what_was_reported_and_goes_on(folder):
    images, found = autoencode()
    start_run(folder, definition(), images, found.start).save_layer("a", found)
    before = (folder / "layers" / "a.npz").read_bytes()
    again = start_run(folder, definition(), images, found.start, resume=True)
    assert again.done("a") and not again.done("layer1.0")
    again.save_layer("layer1.0", found)
    assert list(depthjax.load_run(folder).layers) == ["a", "layer1.0"]
    assert (folder / "layers" / "a.npz").read_bytes() == before


def test_resume_refuses_other_settings_and_names_them(folder):
    images, found = autoencode()
    start_run(folder, definition(), images, found.start)
    with pytest.raises(ValueError, match=r"its seed is 3, not 4") as error:
        start_run(folder, definition(seed=4), images, found.start, resume=True)
    assert "\n" not in str(error.value)


def test_another_run_is_never_overwritten_silently(folder):
    images, found = autoencode()
    start_run(folder, definition(), images, found.start).save_layer("a", found)
    with pytest.raises(ValueError, match="already holds a run"):
        start_run(folder, definition(), images, found.start)
    assert list(depthjax.load_run(folder).layers) == ["a"]
    start_run(folder, definition(), images, found.start, overwrite=True)
    assert not depthjax.load_run(folder).layers


def test_a_folder_that_is_no_run_is_left_alone(folder):
    images, found = autoencode()
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="is no run"):
        start_run(folder, definition(), images, found.start, overwrite=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="not that of a run"):
        start_run(folder, definition(), images, found.start, overwrite=True)
    assert (folder / "thesis.tex").read_text() == "precious"


def test_damage_is_reported_in_one_line(folder):
    images, found = autoencode()
    start_run(folder, definition(), images, found.start).save_layer("a", found)
    file = folder / "layers" / "a.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged") as error:
        depthjax.load_run(folder)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no run in"):
        depthjax.load_run(folder / "layers")


def test_config_is_plain_json(folder):
    images, found = autoencode()
    start_run(folder, definition(), images, found.start)
    config = json.loads((folder / "config.json").read_text())
    assert config["layers"] == ["a", "layer1.0"]
    assert set(config["environment"]) >= {"versions", "device", "git_revision", "command"}
