"""The pictures of a film of a descent: the target beside each iterate, with its numbers."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from depthjax.figures.style import DARK, FONT, GREY, PALE
from depthjax.figures.text import short_name, short_number

_LEAST = 256  # least side of a picture in pixels; smaller ones are enlarged by a whole factor
_EDGE, _LETTER = 12, 15


def storyboard(
    target: UInt8[np.ndarray, "h w c"],
    frames: UInt8[np.ndarray, "f h w c"],
    step: Int[np.ndarray, " f"],
    input_ratio: Float[np.ndarray, " f"],
    embedding_ratio: Float[np.ndarray, " f"],
    *,
    title: str = "",
) -> UInt8[np.ndarray, "f height width 3"]:
    """A picture for each frame: the target, the iterate, and below its step, D and ρ.

    A bar shows how far ρ has fallen. `depthjax.report.films` writes these pictures as a film.

    Args:
        target: the image to recover.
        frames: iterates, as in `depthjax.inversion.frames`.
        step, input_ratio, embedding_ratio: of each iterate.
        title: above each picture, such as the name of the layer.

    Returns:
        `[F, height, width, 3]`; height and width are even, as video formats need.
    """
    first = _enlarged(target)
    width, height = 3 * _EDGE + 2 * first.width, first.height + 2 * _EDGE + 4 * _LETTER + 8
    width, height = width + width % 2, height + height % 2
    font = ImageFont.truetype(findfont(FontProperties(family=FONT)), _LETTER)
    known = embedding_ratio[np.isfinite(embedding_ratio) & (embedding_ratio > 0)]
    scale = np.log10(known) if known.size else np.zeros(1)
    pictures = []
    for frame, at, d, rho in zip(frames, step, input_ratio, embedding_ratio, strict=True):
        page = Image.new("RGB", (width, height), "white")
        pen = ImageDraw.Draw(page)
        pen.text((_EDGE, 6), short_name(title, width // 9), DARK, font)
        top = _EDGE + _LETTER + 4
        page.paste(first, (_EDGE, top))
        right = 2 * _EDGE + first.width
        page.paste(_enlarged(frame), (right, top))
        below = top + first.height + 4
        pen.text((_EDGE, below), "target", GREY, font)
        pen.text((right, below), f"step {int(at)}", DARK, font)
        words = f"D {short_number(float(d))}   ρ {short_number(float(rho))}"
        pen.text((right, below + _LETTER + 3), words, DARK, font)
        _bar(pen, (_EDGE, height - 9, width - _EDGE, height - 4), _progress(float(rho), scale))
        pictures.append(np.asarray(page))
    return np.stack(pictures)


def _progress(rho: float, scale: np.ndarray) -> float:
    """How far ρ has fallen on a logarithmic scale, from 0 to 1."""
    if not (np.isfinite(rho) and rho > 0) or scale.max() <= scale.min():
        return 0.0
    share = (scale.max() - np.log10(rho)) / (scale.max() - scale.min())
    return float(np.clip(share, 0, 1))


def _bar(pen: ImageDraw.ImageDraw, box: Sequence[int], share: float) -> None:
    left, top, right, bottom = box
    pen.rectangle((left, top, right, bottom), fill=PALE)
    pen.rectangle((left, top, left + round(share * (right - left)), bottom), fill=GREY)


def _enlarged(picture: np.ndarray) -> Image.Image:
    """The picture with each pixel repeated, so that small pictures stay sharp."""
    rgb = np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture
    factor = max(1, -(-_LEAST // max(picture.shape[:2])))
    return Image.fromarray(rgb.repeat(factor, axis=0).repeat(factor, axis=1))
