"""A run of inversions that is cut off anywhere ends with the files of one that was not."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from killed import contents, cut_off, die_at, each_cut, fill_disk_at

import depthjax
from depthjax.folders import begin as begin_module
from depthjax.folders import lock, run_writer
from depthjax.folders.run_writer import RunWriter, start_run

LAYERS = ["a", "layer1.0"]
CONFIG = depthjax.InversionConfig(steps=2, restarts=2)


@pytest.fixture(scope="module")
def found() -> depthjax.Autoencoding:
    images = jax.random.uniform(jax.random.key(0), (1, 2, 4, 3))

    def half(variables, images):
        return variables * images[:, ::2]

    return depthjax.autoencode(jax.random.key(1), half, jnp.ones(()), images, CONFIG)


@pytest.fixture(autouse=True)
def same_environment(monkeypatch) -> None:
    monkeypatch.setattr(begin_module, "environment", dict)


def write(
    folder: Path, found: depthjax.Autoencoding, layers: Sequence[str] = LAYERS, **how: bool
) -> None:
    """A whole run, of which some layers are written; those that are there stay."""
    definition = {"layers": LAYERS, "images": ["cat"]}
    targets = np.zeros((1, 2, 4, 3), np.float32)
    with start_run(folder, definition, targets, found.start, **how) as writer:
        for layer in layers:
            if not writer.done(layer):
                writer.checkpoints(layer)  # as a script does
                writer.save_layer(layer, found, seconds=1.0)
        if len(layers) == len(LAYERS):
            writer.save_ratio_matrix(np.ones((2, 2, 2, 1)))


@pytest.mark.parametrize("cut", [die_at, fill_disk_at])
def test_what_is_gone_on_with_is_what_was_never_cut_off(cut, found, tmp_path):
    write(tmp_path / "whole", found)
    whole = contents(tmp_path / "whole")
    assert {"results.csv", "trajectory.npz", "images/cat_layer1.0_restart1.png"} <= whole.keys()
    folder, moments = tmp_path / "cut", 0
    every = {die_at: 12, fill_disk_at: 4}[cut]
    for moment in each_cut(cut, folder, lambda: write(folder, found), first=2, every=every):
        write(folder, found, resume=True)
        assert contents(folder) == whole, moment
        shutil.rmtree(folder)
        moments += 1
    assert moments > 5


def test_rows_are_not_lost_between_a_layer_s_file_and_the_table(found, tmp_path):
    """The layer counted as done, and nothing that is made of it was made again."""
    write(tmp_path / "whole", found)
    for name in ("results.csv", "trajectory.npz", "images/cat_a_restart0.png"):
        folder = tmp_path / "cut"
        write(folder, found, ["a"])
        (folder / name).unlink()
        (folder / "unfinished" / "a").mkdir(parents=True)
        write(folder, found, resume=True)
        assert contents(folder) == contents(tmp_path / "whole"), name
        assert not (folder / "unfinished").exists()
        shutil.rmtree(folder)


def test_saving_a_layer_reads_no_earlier_layer(found, tmp_path, monkeypatch):
    read, read_arrays = [], run_writer.read_arrays

    def watched(path: Path) -> dict[str, np.ndarray]:
        read.append(path.name)
        return read_arrays(path)

    monkeypatch.setattr(run_writer, "read_arrays", watched)
    write(tmp_path / "run", found)
    assert read == ["inputs.npz"]


def test_a_run_that_is_overwritten_stops_with_one_line(found, tmp_path):
    folder = tmp_path / "run"
    definition = {"layers": LAYERS, "images": ["cat"]}
    images = np.zeros((1, 2, 4, 3), np.float32)
    with start_run(folder, definition, images, found.start) as first:
        first.save_layer("a", found)
        shutil.rmtree(folder)
        with pytest.raises(lock.FolderLost) as error:
            first.save_layer("layer1.0", found)
        assert "\n" not in str(error.value) and not folder.exists()
    write(folder, found)
    assert len(depthjax.load_run(folder).layers) == 2


BAD = {
    "long": ("x" * 245, 3, "takes 255"),
    "long in bytes": ("图" * 81, 3, "takes 255"),
    "not UTF-8": ("caf\udce9", 3, "not valid UTF-8"),
    "channels": ("cat", 4, "4 channels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_images_that_cannot_be_written_are_refused_before_a_descent(kind, found, tmp_path):
    name, channels, message = BAD[kind]
    write(tmp_path / "run", found)
    before = contents(tmp_path / "run")
    definition = {"layers": LAYERS, "images": [name]}
    images = np.zeros((1, 2, 4, channels), np.float32)
    for folder, overwrite in (("run", True), ("new", False)):
        with pytest.raises(ValueError, match=message) as error:
            start_run(tmp_path / folder, definition, images, images, overwrite=overwrite)
        assert "\n" not in str(error.value)
    assert contents(tmp_path / "run") == before and not (tmp_path / "new").exists()


def test_a_run_goes_on_only_with_the_images_it_was_begun_with(found, tmp_path):
    folder = tmp_path / "run"
    definition = {"layers": LAYERS, "images": ["cat"]}
    images = np.full((1, 2, 4, 3), 0.5, np.float32)
    start_run(folder, definition, images, found.start).folder.close()
    before = contents(folder)
    with pytest.raises(ValueError, match="the image 'cat' is another") as error:
        start_run(folder, definition, 1 - images / 2, found.start, resume=True)
    assert "\n" not in str(error.value) and contents(folder) == before
    decoded_elsewhere = images + np.float32(1 / 255)
    with start_run(folder, definition, decoded_elsewhere, found.start, resume=True) as writer:
        assert not writer.done("a")


def test_checkpoints_of_a_lost_folder_are_not_written(found, tmp_path):
    folder = tmp_path / "run"
    definition = {"layers": LAYERS, "images": ["cat"]}
    images = np.zeros((1, 2, 4, 3), np.float32)
    with start_run(folder, definition, images, found.start) as writer:
        assert isinstance(writer, RunWriter)
        shutil.rmtree(folder)

        def half(variables, images):
            return variables * images[:, ::2]

        with pytest.raises(lock.FolderLost):
            depthjax.autoencode(
                *(jax.random.key(1), half, jnp.ones(()), jnp.asarray(images), CONFIG),
                checkpoints=writer.checkpoints("a"),
            )
    assert not folder.exists()
    assert not cut_off(die_at, 10**6, folder, lambda: write(folder, found))


@pytest.mark.parametrize(
    ("layers", "labels", "name"),
    [
        (["block/a", "block_a"], ["cat"], "cat_block_a.png"),
        (["b_c", "c"], ["cat", "cat_b"], "cat_b_c.png"),
        (["target"], ["cat"], "cat_target.png"),
    ],
)
def test_no_two_results_share_a_file(layers, labels, name, tmp_path):
    images = np.zeros((len(labels), 2, 4, 3), np.float32)
    with pytest.raises(ValueError, match=f"would both be written to '{name}'; rename one"):
        start_run(tmp_path / "run", {"layers": layers, "images": labels}, images, images)
    assert not (tmp_path / "run").exists()
