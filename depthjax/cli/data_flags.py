"""The flags of a data set, and the data set they ask for."""

import dataclasses

from absl import flags

from depthjax.cli.values import fields_from_flags
from depthjax.data import Augmentation, Dataset, open_dataset
from depthjax.errors import one_of

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_data_flags() -> None:
    """--dataset, --data_dir, --skip_corrupt."""
    flags.DEFINE_string(
        "dataset",
        "photo_crops/32",
        "photo_crops/SIZE, digits, noise/SIZE, photos_or_noise/SIZE, folder:PATH (a subfolder for"
        " each class) or tfds:NAME",
    )
    define_data_dir_flag()
    flags.DEFINE_multi_string(
        "augmentation_field", [], "changes the set's augmentation: pad=4, crop=224, flip=False, …"
    )
    flags.DEFINE_boolean("skip_corrupt", False, "leave out images of a folder that cannot be read")


def define_data_dir_flag() -> None:
    """--data_dir."""
    flags.DEFINE_string(
        "data_dir",
        None,
        "folder of prepared data sets (default: TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )


def dataset_from_flags(split: str, size: int | None = None) -> Dataset:
    """A split of `--dataset`, with the changes that `--augmentation_field` asks for.

    Args:
        split: name of the split, or a part of it such as `train[:80%]`.
        size: height and width that the images are brought to, where the set has none.

    Raises:
        ValueError: for a data set, split or field that does not exist.
    """
    changes = fields_from_flags("augmentation_field")
    for name in changes:
        one_of("field of the augmentation", name, Augmentation.__dataclass_fields__)
    dataset = open_dataset(
        FLAGS.dataset,
        split=split,
        size=size,
        data_dir=FLAGS.data_dir,
        skip_corrupt=FLAGS.skip_corrupt,
    )
    augmentation = dataclasses.replace(dataset.augmentation, **changes)
    return dataclasses.replace(dataset, augmentation=augmentation)
