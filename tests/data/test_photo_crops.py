"""Crops of photographs: prepared for real, and no pixel in two splits."""

import numpy as np
import pytest

from depthjax.data import augment, card, open_dataset
from depthjax.images import load_image, to_uint8
from depthjax.images.embedded import EMBEDDED


@pytest.fixture(scope="module")
def crops(data_dir):
    return pytest.importorskip("depthjax.data.photo_crops", reason="needs tensorflow-datasets")


@pytest.fixture(scope="module")
def boxes(crops, data_dir):
    """What was prepared: for each split, label, top, left and side of every crop."""
    builder = crops.prepared_builder("default", data_dir)
    found = {}
    for split in crops.SPLITS:
        records = builder.as_data_source(split, deserialize_method=_raw()).data_source
        features = builder.info.features
        keys = ("label", "top", "left", "side")
        decoders = {"image": _skip()}
        found[split] = np.array(
            [
                [int(example[key]) for key in keys]
                for example in (
                    features.deserialize_example_np(record, decoders=decoders)
                    for record in records.__getitems__(range(len(records)))
                )
            ]
        )
    return found


def _raw():
    import tensorflow_datasets as tfds

    return tfds.decode.DeserializeMethod.RAW_BYTES


def _skip():
    import tensorflow_datasets as tfds

    return tfds.decode.SkipDecoding()


def classes(crops):
    return [name for name in EMBEDDED if name not in crops.HELD_OUT]


def test_counts_and_classes(crops, data_dir, boxes):
    names = classes(crops)
    assert len(names) == 12 and not {"astronaut", "china"} & set(names)
    for split, count in crops.SPLITS.items():
        assert np.bincount(boxes[split][:, 0]).tolist() == [count] * len(names)
    found = card("photo_crops/16", data_dir=data_dir)
    assert found.classes == tuple(names) and found.image == "16×16×3"
    assert found.counts == {split: count * len(names) for split, count in crops.SPLITS.items()}


def test_no_pixel_is_in_two_splits(crops, boxes):
    for label, name in enumerate(classes(crops)):
        photograph = to_uint8(load_image(name))
        owner = np.full(photograph.shape[:2], -1)
        for number, split in enumerate(crops.SPLITS):
            for _, top, left, side in boxes[split][boxes[split][:, 0] == label]:
                window = owner[top : top + side, left : left + side]
                assert window.shape == (side, side), "reaches over the edge"
                assert np.isin(window, (-1, number)).all(), f"{name}: pixels of two splits"
                window[:] = number
        # Whole blocks: no block has pixels of two splits either.
        rows, columns = (side // crops.BLOCK for side in owner.shape)
        blocks = owner[: rows * crops.BLOCK, : columns * crops.BLOCK]
        blocks = blocks.reshape(rows, crops.BLOCK, columns, crops.BLOCK).swapaxes(1, 2)
        for block in blocks.reshape(rows * columns, -1):
            assert len(set(block[block >= 0].tolist())) <= 1
        shares = [(owner == number).sum() for number in range(3)]
        assert min(shares) > 0 and shares[0] > 2 * max(shares[1:])


def test_crops_are_the_photographs_pixels(crops, data_dir, boxes):
    """Opened at the side that a crop has, it is the photograph's own pixels."""
    names = classes(crops)
    number = int(np.flatnonzero(boxes["validation"][:, 3] == 64)[0])
    label, top, left, side = boxes["validation"][number]
    dataset = open_dataset(
        f"photo_crops/{side}",
        split=f"validation[{number}:{number + 1}]",
        data_dir=data_dir,
    )
    images, labels = dataset.read(np.array([0]))
    assert labels.tolist() == [label] and images.dtype == np.uint8
    photograph = to_uint8(load_image(names[label]))
    np.testing.assert_array_equal(images[0], photograph[top : top + side, left : left + side])


@pytest.mark.parametrize("size", [32, 96])
def test_any_size_of_the_same_crops(data_dir, size):
    dataset = open_dataset(f"photo_crops/{size}", split="test[:24]", data_dir=data_dir)
    images, labels = dataset.read(np.arange(24))
    assert images.shape == (24, size, size, 3)
    assert labels.tolist() == [*range(12), *range(12)]  # any part has all classes
    # Brightness does not depend on the size.
    other, _ = open_dataset("photo_crops/16", split="test[:24]", data_dir=data_dir).read(
        np.arange(24)
    )
    np.testing.assert_allclose(images.mean((1, 2)), other.mean((1, 2)), atol=1.5)


def test_the_colour_of_a_class_is_no_help(data_dir):
    """With the set's own augmentation, grey and coloured photographs are alike in saturation."""
    dataset = open_dataset("photo_crops/16", split="test[:120]", data_dir=data_dir)
    images, _ = dataset.read(np.arange(120))
    spread = np.ptp(images.astype(int), axis=-1).max(axis=(1, 2))
    assert (spread == 0).any() and (spread > 60).any()  # as stored, some are grey
    shown = np.asarray(augment(None, images, dataset.augmentation))
    assert np.ptp(shown, axis=-1).max() < 1e-6


def test_flat_blocks_are_left_out(crops):
    photograph = np.random.default_rng(0).integers(0, 256, (64 * 5, 64 * 5 + 9, 3), dtype=np.uint8)
    photograph[64:128, 128:192] = 77
    owners = crops.block_owners("x", photograph)
    assert owners.shape == (5, 5)
    assert owners[1, 2] == -1 and (owners == -1).sum() == 1
    assert np.bincount(owners[owners >= 0]).tolist() == [16, 4, 4]


def test_the_other_configuration_has_all_photographs(crops):
    configs = {config.name: config.photographs for config in crops.PhotoCrops.BUILDER_CONFIGS}
    assert configs["all"] == tuple(EMBEDDED)
    assert set(configs["all"]) - set(configs["default"]) == set(crops.HELD_OUT)


def test_held_out_patches_take_turns_and_are_cut_alike(crops):
    patches, names = crops.held_out_patches(24, 12)
    assert patches.shape == (12, 24, 24, 3) and patches.dtype == np.uint8
    assert names == [*crops.HELD_OUT, *crops.HELD_OUT, *crops.HELD_OUT[:2]]
    fewer, _ = crops.held_out_patches(24, 7)
    np.testing.assert_array_equal(fewer, patches[:7])
    pixels = to_uint8(load_image("coffee"))
    (top, left, side), *_ = crops.windows("coffee", crops.block_owners("coffee", pixels), "test")
    whole, _ = crops.held_out_patches(side, 3)
    np.testing.assert_array_equal(whole[2], pixels[top : top + side, left : left + side])
    with pytest.raises(ValueError, match="1 to 500 patches"):
        crops.held_out_patches(24, 501)
