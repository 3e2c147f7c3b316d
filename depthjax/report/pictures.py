"""Pictures that fit into a page: WebP, as good as the room allows."""

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from depthjax.figures.smaller import as_webp
from depthjax.inversion.frames import on_screen
from depthjax.report.contents import Gallery, Recovered

DIFFERENCE_WHITE = 0.5
"""The mean absolute difference of a pixel's channels that is shown white."""

_LOSSLESS = 100


class Quality(NamedTuple):
    """How pictures are kept.

    Fields:
        side: the longest side in pixels; smaller pictures stay as they are.
        quality: of WebP; 100 is lossless.
        frames: how many iterates are kept of a descent.
        frame_side, frame_quality: the longest side and the quality of these.
    """

    side: int
    quality: int
    frames: int
    frame_side: int
    frame_quality: int


LADDER = (
    Quality(256, 100, 24, 256, 100),
    Quality(256, 100, 16, 160, 85),
    Quality(256, 100, 12, 128, 70),
    Quality(192, 100, 10, 96, 65),
    Quality(160, 90, 12, 128, 70),
    Quality(160, 85, 12, 96, 60),
    Quality(128, 80, 10, 80, 55),
    Quality(128, 75, 8, 64, 50),
    Quality(112, 65, 6, 64, 40),
    Quality(96, 50, 5, 48, 35),
    Quality(64, 40, 4, 48, 25),
    Quality(48, 30, 3, 32, 20),
)
"""From the best quality to the worst; a page takes the first that fits."""


class Encoded(NamedTuple):
    """A picture of a gallery as data URIs.

    Fields:
        image: what was recovered.
        difference: the absolute difference from the target, in grey.
        frames: iterates, one below the other in one picture.
        kept: indices of these iterates among all frames.
        side: width and height of one iterate, in pixels.
    """

    image: str
    difference: str
    frames: str
    kept: tuple[int, ...]
    side: tuple[int, int]


GalleryFiles = list[list[list[Encoded | None]]]
"""The pictures of a gallery, `[view][image][layer]`; None where a layer is missing."""


def data_uri(content: bytes, kind: str = "image/webp") -> str:
    """The content of a file as an address that a page can hold."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def difference(
    target: Shaped[np.ndarray, "h w c"], image: Shaped[np.ndarray, "h w c"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The mean absolute difference of the channels as grey: black where there is none."""
    size = np.abs(np.nan_to_num(image) - target).mean(-1, keepdims=True)
    return np.repeat(on_screen(size / DIFFERENCE_WHITE), 3, axis=-1)


def kept_frames(count: int, most: int) -> tuple[int, ...]:
    """Which of `count` frames to keep: the first, the last, and others evenly between."""
    if count <= most:
        return tuple(range(count))
    return tuple(sorted({round(i * (count - 1) / (most - 1)) for i in range(most)}))


def encode(
    target: Shaped[np.ndarray, "h w c"], recovered: Recovered, quality: Quality
) -> tuple[bytes, bytes, bytes, tuple[int, ...], tuple[int, int]]:
    """The files of one picture: the contents that `Encoded` has as data URIs, in its order."""
    kept = kept_frames(len(recovered.frames), quality.frames)
    frames = [_shrunk(recovered.frames[index], quality.frame_side) for index in kept]
    strip = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
    image = _shrunk(on_screen(recovered.image), quality.side)
    grey = _shrunk(difference(target, recovered.image), quality.side)
    return (
        _webp(image, quality.quality),
        _webp(grey, _LOSSLESS if quality.quality == _LOSSLESS else min(quality.quality, 80)),
        _webp(strip, quality.frame_quality),
        kept,
        frames[0].size,
    )


def chosen_quality(galleries: Sequence[Gallery], room: int) -> Quality:
    """The best of `LADDER` at which all galleries fit into `room` bytes of data URIs.

    This is an estimate from some pictures of each gallery.
    """
    for quality in LADDER:
        estimate = 0.0
        for gallery in galleries:
            cells = list(_cells(gallery))
            sample = cells[:: max(1, len(cells) // 6)]
            sizes = [sum(map(len, encode(*cell, quality)[:3])) for cell in sample]
            estimate += sum(sizes) / max(len(sizes), 1) * len(cells)
        # Base64 writes 3 bytes as 4 letters.
        if 4 / 3 * estimate <= 0.9 * room:
            return quality
    return LADDER[-1]


def encode_galleries(galleries: Sequence[Gallery], room: int) -> tuple[Quality, list[GalleryFiles]]:
    """Every picture of every gallery, and the quality at which all fit into `room` bytes.

    If they do not fit at the worst quality either, they are kept at that one.
    """
    first = LADDER.index(chosen_quality(galleries, room))
    for quality in LADDER[first:]:
        files = [_encoded_gallery(gallery, quality) for gallery in galleries]
        if _size(files) <= room:
            break
    return quality, files


def still(image: Any, quality: Quality) -> str:
    """A target or a start."""
    return data_uri(_webp(_shrunk(on_screen(image), quality.side), quality.quality))


def figure(content: bytes, width: int = 1400, quality: int = 80) -> str:
    """A figure from its PNG, made no wider than `width` pixels."""
    return data_uri(as_webp(io.BytesIO(content), width, quality=quality, effort=4))


def _encoded_gallery(gallery: Gallery, quality: Quality) -> GalleryFiles:
    return [
        [
            [_encoded(target, cell, quality) for cell in cells]
            for target, cells in zip(gallery.targets, view.cells, strict=True)
        ]
        for view in gallery.views
    ]


def _encoded(target: np.ndarray, cell: Recovered | None, quality: Quality) -> Encoded | None:
    if cell is None:
        return None
    image, grey, frames, kept, side = encode(target, cell, quality)
    return Encoded(data_uri(image), data_uri(grey), data_uri(frames), kept, side)


def _size(value: Any) -> int:
    """Bytes of all data URIs in nested lists."""
    if isinstance(value, Encoded):
        return len(value.image) + len(value.difference) + len(value.frames)
    return sum(map(_size, value)) if value else 0


def _cells(gallery: Gallery) -> Iterator[tuple[np.ndarray, Recovered]]:
    for view in gallery.views:
        for target, cells in zip(gallery.targets, view.cells, strict=True):
            yield from ((target, cell) for cell in cells if cell is not None)


def _rgb(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture


def _shrunk(picture: np.ndarray, side: int) -> Image.Image:
    image = Image.fromarray(_rgb(picture))
    if max(image.size) <= side:
        return image
    share = side / max(image.size)
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _webp(image: Image.Image, quality: int) -> bytes:
    content = io.BytesIO()
    if quality == _LOSSLESS:
        image.save(content, "WEBP", lossless=True, quality=60, method=4)
    else:
        image.save(content, "WEBP", quality=quality, method=4)
    return content.getvalue()
