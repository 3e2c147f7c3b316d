"""A run goes on only with the images that it was begun with, whatever their name."""

import os

import numpy as np
import pytest
from script_loading import loaded
from script_running import runner

from depthjax.data import open_dataset
from depthjax.images import save_png

NETWORK = {
    "model": "resnet18",
    "model_field": ["width=2", "stage_sizes=1", "num_classes=2", "stem=small"],
}


def save_noise(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_png(path, np.random.default_rng(seed).random((8, 8, 3)))


@pytest.fixture
def folder(tmp_path, data_dir):
    """A folder of two classes."""
    root = tmp_path / "photographs"
    for number in range(16):
        split, label = ("train", "test")[number % 2], ("a", "b")[number // 2 % 2]
        save_noise(root / split / label / f"{number}.png", number)
    # Reading makes other libraries define flags, which flagsaver would take away at its end.
    open_dataset(f"folder:{root}", size=8, data_dir=data_dir)
    return root


COMMANDS = {
    "train": {**NETWORK, "batch_size": 4, "epochs": 2, "until_epoch": 1},
    "manifold": {
        **NETWORK,
        "networks": ["untrained", "same=untrained"],
        "seeds": ["0"],
        "layers": "conv1",
        **{"examples": 8, "held_out": 4, "inputs": 5, "recovered": 0},
    },
}


@pytest.mark.parametrize("name", COMMANDS)
def test_another_image_in_the_folder_of_a_data_set_is_noticed(name, folder, tmp_path, data_dir):
    data = {"dataset": f"folder:{folder}", "size": 8, "data_dir": str(data_dir)}
    run = runner(COMMANDS[name] | data)
    with loaded(name) as script:
        run(script, tmp_path / "run")
        for path in folder.rglob("*.png"):
            os.utime(path, (0, 0))  # a copy of the same files
        run(script, tmp_path / "run", resume=True)
        save_noise(folder / "train" / "a" / "new.png", 99)
        with pytest.raises(ValueError, match=r"cannot resume .* its dataset_version"):
            run(script, tmp_path / "run", resume=True)


def test_another_photograph_at_the_same_path_is_noticed(tmp_path):
    path = tmp_path / "mine.png"
    save_noise(path, 0)
    small = {"size": 4, "claims": ["C4"], "narrow": 32, "wide": 60, "depth": 2, "weight_seeds": 1}
    run = runner({"photographs": [str(path)], **small, "descent_steps": 5, "cg_steps": 5})
    with loaded("widths") as script:
        run(script, tmp_path / "run")
        run(script, tmp_path / "run", resume=True)
        save_noise(path, 1)
        with pytest.raises(ValueError, match="the image 'mine' is another one"):
            run(script, tmp_path / "run", resume=True)
