"""Crops of the embedded photographs: a sample of what natural images are like, always the same."""

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from depthjax.images.embedded import EMBEDDED
from depthjax.images.reading import load_image
from depthjax.images.resizing import resize
from depthjax.images.writing import to_uint8

SMALLEST = 0.5
"""The least side of a crop, over that of the largest crop that its photograph holds."""


class NaturalCrops(NamedTuple):
    """Crops of photographs.

    Fields:
        images: `[N, H, W, 3]`, 0..255, read-only.
        photographs: which one each is of.
        record: how they were drawn, and a hash of their pixels; as JSON takes it.
    """

    images: UInt8[np.ndarray, "n h w 3"]
    photographs: tuple[str, ...]
    record: dict[str, Any]


@lru_cache(maxsize=2)  # several networks are measured on the same ones
def natural_crops(
    count: int, height: int, width: int, seed: int = 0, without: tuple[str, ...] = ()
) -> NaturalCrops:
    """Crops of the embedded photographs, which take turns.

    Each has the aspect ratio that is asked for, a place and a side drawn uniformly, the side from
    half of the largest to the largest that fits, and is resized without aliasing.

    Args:
        count: how many.
        height, width: in pixels.
        seed: of places and sides.
        without: names of photographs that none is of, unless no two others are left.

    Raises:
        ValueError: if the packages of the photographs are not installed.
    """
    random = np.random.Generator(np.random.Philox(seed))
    others = [name for name in EMBEDDED if name not in without]
    names = others if len(others) > 1 else list(EMBEDDED)
    photographs = [load_image(name) for name in names]
    images = np.empty((count, height, width, 3), np.uint8)
    for index in range(count):
        photograph = photographs[index % len(photographs)]
        of_side, *of_place = random.random(3)
        largest = min(photograph.shape[0] / height, photograph.shape[1] / width)
        scale = largest * (SMALLEST + (1 - SMALLEST) * of_side)
        sides = [max(1, round(scale * side)) for side in (height, width)]
        top, left = (
            int(place * (whole - side + 1))
            for place, whole, side in zip(of_place, photograph.shape[:2], sides, strict=True)
        )
        crop = photograph[top : top + sides[0], left : left + sides[1]]
        images[index] = to_uint8(resize(crop, (height, width), "stretch"))
    images.flags.writeable = False
    digest = hashlib.sha256(images.tobytes()).hexdigest()
    record = {
        "count": count,
        "photographs": names,
        "size": [height, width],
        "seed": seed,
        "sha256": digest,
    }
    of = tuple(names[index % len(names)] for index in range(count))
    return NaturalCrops(images, of, record)
