"""Photographs and noise by turns, in the splits of the photographs."""

import numpy as np
import pytest

from depthjax.data import Augmentation, augment, card, open_dataset
from depthjax.data.dataset import Dataset, in_memory
from depthjax.data.noise import Noise
from depthjax.data.photos_or_noise import CLASSES, mixture

COUNTS = {"train": 5, "validation": 2, "test": 3}
AUGMENTATION = Augmentation(grey=True)


def photographs(split: str) -> Dataset:
    """Pictures that say their split and number."""
    first = 50 * list(COUNTS).index(split)
    values = np.arange(first, first + COUNTS[split], dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (len(values), 4, 4, 3)).copy()
    labels = np.zeros(len(values), np.int32)
    return Dataset("p", split, ("a",), (4, 4, 3), len(values), in_memory(images, labels))


def opened(split: str) -> Dataset:
    return mixture("mixed", split, COUNTS, photographs, Noise(4, 7), AUGMENTATION)


@pytest.mark.parametrize(
    ("split", "values", "noise"),
    [
        ("train", [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        ("validation", [50, 51], [5, 6]),
        ("test", [100, 101, 102], [7, 8, 9]),
        ("train[2:6]", [1, 2], [1, 2]),
        ("test[:2]+validation", [100, 50, 51], [7, 5, 6]),
    ],
)
def test_by_turns_and_each_split_has_noise_of_its_own(split, values, noise):
    dataset = opened(split)
    assert len(dataset) == 2 * len(values) and dataset.classes == CLASSES
    images, labels = dataset.read(np.arange(len(dataset)))
    assert images.dtype == np.float32 and labels.dtype == np.int32
    assert labels.tolist() == [0, 1] * len(values)
    np.testing.assert_allclose(images[::2, 0, 0, 0], np.array(values) / 255, rtol=1e-6)
    np.testing.assert_array_equal(images[1::2], Noise(4, 7).images(np.array(noise)))


def test_in_any_order():
    images, labels = opened("train").read(np.arange(10))
    order = np.array([9, 0, 3, 3])
    for found, whole in zip(opened("train").read(order), (images, labels), strict=True):
        np.testing.assert_array_equal(found, whole[order])
    none, no_labels = opened("train").read(np.array([], int))
    assert none.shape == (0, 4, 4, 3) and no_labels.shape == (0,)


def test_no_part_beyond_a_split():
    with pytest.raises(ValueError, match="examples 0 to 11 of 10"):
        opened("train[:11]")


def test_the_real_set(data_dir):
    found = card("photos_or_noise/8", data_dir=data_dir)
    assert found.counts == {"train": 12000, "validation": 1440, "test": 2400}
    assert found.classes == CLASSES and found.image == "8×8×3"
    dataset = open_dataset("photos_or_noise/8/3", split="validation", data_dir=data_dir)
    crops = open_dataset("photo_crops/8", split="validation", data_dir=data_dir)
    images, labels = dataset.read(np.arange(200))
    assert labels.mean() == 0.5
    np.testing.assert_allclose(images[::2], crops.read(np.arange(100))[0] / 255, atol=1e-6)
    np.testing.assert_array_equal(images[1::2], Noise(8, 3).images(6000 + np.arange(100)))
    assert dataset.augmentation == crops.augmentation
    shown = np.asarray(augment(None, images, dataset.augmentation))
    assert np.ptp(shown, axis=-1).max() < 1e-6, "colour tells photographs from noise"
