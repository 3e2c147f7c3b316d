"""Figures as small as a page needs them."""

import io
import math
import os

from PIL import Image


def as_webp(
    png: str | os.PathLike[str] | io.BytesIO,
    width: int,
    height: float = math.inf,
    *,
    quality: int = 75,
    effort: int = 6,
) -> bytes:
    """A figure as a WebP file that is not larger, and has its proportions.

    Args:
        png: its file.
        width, height: at most, in pixels.
        quality: of WebP, up to 100.
        effort: from 0 to 6, for a smaller file.

    Raises:
        ValueError: if the file is missing or damaged.
    """
    try:
        with Image.open(png) as opened:
            figure = opened.convert("RGB")
    except OSError as error:
        raise ValueError(f"the figure {str(png)!r} cannot be read: {error}") from error
    scale = min(1.0, width / figure.width, height / figure.height)
    size = round(figure.width * scale), round(figure.height * scale)
    content = io.BytesIO()
    smaller = figure.resize(size, Image.Resampling.LANCZOS)
    smaller.save(content, "WEBP", quality=quality, method=effort)
    return content.getvalue()
