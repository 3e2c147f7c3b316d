"""The flags of photographs, and the photographs they ask for."""

import sys
from collections.abc import Sequence

import numpy as np
from absl import flags
from jaxtyping import Float32

from depthjax.images import find_images, left_out, load_images
from depthjax.models.network import Network

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


def sources_from_flags() -> tuple[str, ...]:
    """The files and names that `--images` stands for; what it leaves out of folders is said.

    Raises:
        ValueError: for photographs that do not exist.
    """
    if others := left_out(FLAGS.images):
        print(others, file=sys.stderr)
    return find_images(FLAGS.images)


def channels_of(model: Network, known: Sequence[int] = (3,)) -> int:
    """The channels of the images that a network takes.

    Args:
        model: the network.
        known: what the script can show it.

    Raises:
        ValueError: if it takes images of other channels.
    """
    channels: int = getattr(model, "channels", 3)
    if channels not in known:
        grey = "" if 1 in known or channels != 1 else "; invert.py takes grey ones"
        raise ValueError(
            f"the network takes images of {channels} channels, and this script has photographs of"
            f" {' or '.join(map(str, known))}{grey}; from Python depthjax.autoencode takes any"
        )
    return channels


def images_from_flags(
    model: Network | None = None,
) -> tuple[tuple[str, ...], Float32[np.ndarray, "b h w 3"]]:
    """The names of the photographs, and the photographs, `[B, H, W, 3]` in [0, 1].

    They are brought to `--size`, as `--fit` says where the script has that flag.

    Args:
        model: the network that they are for, if it is one.

    Raises:
        ValueError: for photographs that do not exist or cannot be read, and for a network that
            does not take colour images.
    """
    if model is not None:
        channels_of(model)
    fit = FLAGS.fit if "fit" in FLAGS else FITS[0]
    return load_images(sources_from_flags(), FLAGS.size, fit=fit)
