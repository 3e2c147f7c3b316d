"""The paper's noise: its moments, its labels, and the same numbers wherever it is made."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from depthjax.data import card, open_dataset
from depthjax.data.noise import CLASSES, EXAMPLES, Noise
from depthjax.data.parts import select
from depthjax.data.randomness import permutation, random_words


def test_pixels_are_gaussian_and_not_clipped():
    images, _ = Noise(48)(np.arange(8))
    assert images.shape == (8, 48, 48, 3) and images.dtype == np.float32
    standardised = (images.ravel() - 0.5) * 4
    assert stats.kstest(standardised, "norm").pvalue > 1e-3
    # Of a normal distribution about 4.6 % lies outside two deviations.
    assert np.mean((images < 0) | (images > 1)) == pytest.approx(0.0455, abs=0.005)
    neighbours = np.corrcoef(standardised[:-1], standardised[1:])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(standardised.size)


def test_labels_are_random_and_fill_the_classes():
    labels = Noise(1).labels
    assert len(labels) == EXAMPLES
    assert stats.chisquare(np.bincount(labels, minlength=CLASSES)).pvalue > 1e-3


def test_an_image_depends_on_seed_and_number_alone():
    noise = Noise(5)
    together, labels = noise(np.array([7, 3]))
    alone, label = Noise(5)(np.array([3]))
    np.testing.assert_array_equal(together[1], alone[0])
    assert labels[1] == label[0]
    assert not np.array_equal(together[0], together[1])
    assert not np.array_equal(Noise(5, seed=1)(np.array([3]))[0], alone)


def test_the_numbers_never_change():
    """Results on this set are compared over years, so other words would be another set."""
    images, labels = Noise(2)(np.array([9999]))
    np.testing.assert_array_equal(random_words(0, "a", 1, count=2), GOLDEN_WORDS)
    np.testing.assert_allclose(images[0, 0].ravel(), GOLDEN_PIXELS, rtol=1e-6)
    assert labels.tolist() == GOLDEN_LABEL


def test_permutations_hold_every_number_once():
    order = permutation(0, "epoch", 3, count=1000)
    assert sorted(order) == list(range(1000))
    assert not np.array_equal(order, permutation(0, "epoch", 4, count=1000))
    assert not np.array_equal(order, permutation(1, "epoch", 3, count=1000))


def test_as_a_data_set():
    dataset = open_dataset("noise/6/2")
    assert len(dataset) == EXAMPLES and dataset.image_shape == (6, 6, 3)
    images, _ = dataset.read(np.array([4]))
    np.testing.assert_array_equal(images, Noise(6, seed=2)(np.array([4]))[0])
    assert card("noise/6").counts == {"train": EXAMPLES}
    assert len(card("noise/6").classes) == CLASSES


@pytest.mark.parametrize(
    ("split", "numbers"),
    [
        ("train[:2000]", range(2000)),
        ("train[2000:2500]", range(2000, 2500)),
        ("train[25%:]", range(2500, EXAMPLES)),
        ("train[-3:]", range(EXAMPLES - 3, EXAMPLES)),
        ("train[-1%:-50]", range(EXAMPLES - 100, EXAMPLES - 50)),
        ("train[:2]+train[9998:]", [0, 1, 9998, 9999]),
    ],
)
def test_a_part_has_the_images_and_labels_of_the_whole(split, numbers):
    part, whole = open_dataset("noise/4", split=split), open_dataset("noise/4")
    assert len(part) == len(numbers) and part.classes == whole.classes and part.split == split
    some = np.array([0, 1, len(part) - 1])
    for found, expected in zip(
        part.read(some), whole.read(np.array(list(numbers))[some]), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("val", "unknown split of 'noise/4' 'val'"),
        ("", "unknown split"),
        ("train[:50", r"cannot read 'train\[:50' as a part"),
        ("train[:half]", "cannot read"),
        ("train+", "unknown split"),
        ("train[5:5]", "'train\\[5:5\\]' of 'noise/4' is examples 5 to 5 of 10000"),
        ("train[:10001]", "lies within 0 to 10000"),
        ("train[:101%]", "examples 0 to 10100"),
        ("train[-10001:]", "examples -1 to"),
    ],
)
def test_parts_that_do_not_exist(split, message):
    with pytest.raises(ValueError, match=message) as caught:
        open_dataset("noise/4", split=split)
    assert "\n" not in str(caught.value)


@given(st.integers(1, 997), st.integers(0, 100), st.integers(0, 100))
def test_percentages_share_a_split_out(count, first, second):
    """Whatever two cuts: the three parts are the whole, in order, none of it twice."""
    low, high = sorted((first, second))
    bounds = [0, low, high, 100]
    parts = []
    for start, stop in itertools.pairwise(bounds):
        if round(start * count / 100) < round(stop * count / 100):
            ((base, numbers),) = select("set", f"all[{start}%:{stop}%]", {"all": count})
            assert base == "all"
            parts += numbers.tolist()
    assert parts == list(range(count))


def test_percentages_are_tfdss(data_dir):
    """A cut in the middle of an example, for even and for odd numbers of them."""
    import tensorflow_datasets as tfds

    for count in (30, 50, 70, 1797):
        for split in ("train[:5%]", "train[15%:]", "train[:-25%]", "train[-3:]"):
            instruction = tfds.core.ReadInstruction.from_spec(split)
            info = tfds.core.SplitInfo(
                name="train", shard_lengths=[count], num_bytes=0, filename_template=None
            )
            (expected,) = instruction.to_absolute({"train": info})
            ((_, numbers),) = select("set", split, {"train": count})
            assert (numbers[0], numbers[-1] + 1) == (expected.from_ or 0, expected.to or count)


GOLDEN_WORDS = [11340918607096422660, 1912250682748164236]
GOLDEN_PIXELS = [0.53282112, -0.1137243, 0.9099071, 0.54138976, 0.53756416, 0.59430712]
GOLDEN_LABEL = [95]
