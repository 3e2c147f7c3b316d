"""The flags of photographs, and the photographs they ask for."""

from collections.abc import Sequence

import numpy as np
from absl import flags
from jaxtyping import Float32

from depthjax.images import find_images, load_images

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here

THREE_IMAGES = ("astronaut", "chelsea", "coffee")
"""Embedded photographs that most studies look at."""

FITS = ("crop", "pad", "stretch")


def define_image_flags(
    images: Sequence[str] = THREE_IMAGES,
    *,
    size: int | None,
    least_size: int = 1,
    note: str = "",
) -> None:
    """--images, --size, --fit.

    Args:
        images: the photographs, if no others are asked for.
        size: height and width, if no others are asked for.
        least_size: the smallest height and width that the script works with.
        note: what else to say of `--images`.
    """
    define_images_flag(images, note=note)
    define_size_flag(size, least=least_size)
    flags.DEFINE_enum("fit", "crop", FITS, "how a photograph becomes square")


def define_images_flag(images: Sequence[str] = THREE_IMAGES, *, note: str = "") -> None:
    """--images, see `define_image_flags`."""
    text = "paths, folders, or embedded photographs by name"
    flags.DEFINE_list("images", list(images), f"{text}; {note}" if note else text)


def define_size_flag(
    default: int | None, text: str = "height and width of the images in pixels", *, least: int = 1
) -> None:
    """--size."""
    flags.DEFINE_integer("size", default, text, lower_bound=least)


def images_from_flags() -> tuple[tuple[str, ...], Float32[np.ndarray, "b h w 3"]]:
    """The names of the photographs, and the photographs, `[B, H, W, 3]` in [0, 1].

    They are brought to `--size`, as `--fit` says where the script has that flag.

    Raises:
        ValueError: for photographs that do not exist or cannot be read.
    """
    fit = FLAGS.fit if "fit" in FLAGS else FITS[0]
    return load_images(find_images(FLAGS.images), FLAGS.size, fit=fit)
