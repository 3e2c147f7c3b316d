"""Specs, splits and sizes: what `open_dataset` takes, and what it says to the rest."""

import subprocess
import sys

import numpy as np
import pytest

from depthjax.data import batches, card, open_dataset


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cifar10", r"unknown data set 'cifar10'.*perhaps tfds:cifar10"),
        ("photo_crop/32", r"did you mean 'photo_crops/32'"),
        ("photo_crops", r"unknown data set 'photo_crops'; did you mean 'photo_crops/32'"),
        ("photo_crops/big", "has 'big' for a size in pixels; write photo_crops/32"),
        ("photo_crops/0", "has '0' for a size"),
        ("photo_crops/al/32", "unknown configuration of photo_crops 'al'; did you mean 'all'"),
        ("noise/224/x", "the seed in 'noise/224/x' is 'x', not a number"),
        ("noise", "unknown data set 'noise'"),
        ("photos_or_noise", "did you mean 'photos_or_noise/32'"),
        ("photos_or_noise/0", "has '0' for a size in pixels; write photos_or_noise/32"),
        ("photos_or_noise/8/x", "is 'x', not a number; write photos_or_noise/8/1"),
        ("folder:", "unknown data set 'folder:'"),
        ("", "unknown data set ''"),
    ],
)
def test_specs_that_name_nothing(spec, message):
    for function in (open_dataset, card):
        with pytest.raises(ValueError, match=message) as caught:
            function(spec)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"split": "val"}, "unknown split of 'digits' 'val'; did you mean 'validation'"),
        ({"split": "train[:50"}, "unknown split|cannot read 'train"),
        ({"split": "train[:half]"}, "cannot read 'train"),
        ({"split": ""}, "unknown split"),
        ({"size": 0}, "give 1 pixel or more"),
        ({"fit": "squeeze"}, "unknown fit"),
    ],
)
def test_what_a_set_does_not_have(data_dir, kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        open_dataset("digits", data_dir=data_dir, **kwargs)
    assert "\n" not in str(caught.value)


def test_a_size_in_the_spec_is_the_size():
    with pytest.raises(ValueError, match="its size is the number in its name"):
        open_dataset("noise/8", size=16)
    with pytest.raises(ValueError, match=r"unknown split of 'noise/8' 'test'"):
        open_dataset("noise/8", split="test")


def test_parts_of_splits(data_dir):
    whole = open_dataset("digits", split="train", data_dir=data_dir)
    first = open_dataset("digits", split="train[:100]", data_dir=data_dir)
    rest = open_dataset("digits", split="train[100:]", data_dir=data_dir)
    both = open_dataset("digits", split="train+test", data_dir=data_dir)
    assert (len(first), len(rest), len(both)) == (100, 1158, 1528)
    np.testing.assert_array_equal(rest.read(np.arange(3))[0], whole.read(np.arange(100, 103))[0])


def test_images_are_brought_to_a_size(data_dir):
    small = open_dataset("digits", split="test", data_dir=data_dir)
    large = open_dataset("digits", split="test", size=24, data_dir=data_dir)
    assert large.image_shape == (24, 24, 1)
    images = large.read(np.arange(5))[0].reshape(5, 8, 3, 8, 3).mean(axis=(2, 4))
    assert np.abs(images - small.read(np.arange(5))[0][..., 0]).mean() < 12


def test_in_memory_or_not_makes_no_difference(data_dir):
    kept = open_dataset("digits", split="test", data_dir=data_dir)
    read = open_dataset("digits", split="test", data_dir=data_dir, memory_limit=0)
    for of_kept, of_read in zip(
        batches(kept, 16, epochs=1), batches(read, 16, epochs=1), strict=True
    ):
        np.testing.assert_array_equal(of_kept.images, of_read.images)
        np.testing.assert_array_equal(of_kept.labels, of_read.labels)


def test_the_module_is_there_without_tensorflow_datasets():
    """Noise, batches and augmentation need none of it; the rest says what is missing."""
    code = (
        "import sys\n"
        "sys.modules['tensorflow_datasets'] = None\n"
        "from depthjax.data import batches, card, open_dataset\n"
        "next(batches(open_dataset('noise/4'), 8)); card('noise/4')\n"
        "try: open_dataset('digits')\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "needs tensorflow_datasets, which is not installed: pip install" in done.stdout
