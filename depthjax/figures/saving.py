"""Writes figures to files; the same figure always gives the same bytes."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from depthjax.figures.style import styled
from depthjax.files import write_atomically


def save_figure(path_without_suffix: str | os.PathLike[str], figure: Figure) -> tuple[Path, Path]:
    """Writes the figure as PNG (150 dpi) and as PDF.

    Each file appears whole or not at all. If one of them cannot be drawn, none is written.

    Args:
        path_without_suffix: ".png" and ".pdf" are added to it, also if it has a suffix.
        figure: what to write.

    Returns:
        The paths of the PNG and of the PDF.

    Raises:
        ValueError: if the folder does not exist or cannot be written to.
    """
    stem = Path(path_without_suffix)
    if not stem.parent.is_dir():
        raise ValueError(f"cannot write {stem}: there is no folder {stem.parent}; create it first")
    png, pdf = (stem.with_name(stem.name + suffix) for suffix in (".png", ".pdf"))
    undated = {"CreationDate": None, "Creator": None, "Producer": None}
    with styled():
        as_png = _rendered(figure, "png", 150, {"Software": None})
        # The resolution concerns pictures; lines and text have none in a PDF.
        with _own_pixels(figure, 300):
            as_pdf = _rendered(figure, "pdf", 300, undated)
    write_atomically(png, as_png)
    write_atomically(pdf, as_pdf)
    return png, pdf


def _rendered(figure: Figure, kind: str, dpi: int, metadata: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=dpi, metadata=metadata)
    return content.getvalue()


@contextmanager
def _own_pixels(figure: Figure, dpi: int) -> Iterator[None]:
    """Stores pictures that are coarser than the paper with their own pixels: exact and small."""
    pictures = [part for part in figure.findobj(AxesImage) if isinstance(part, AxesImage)]
    before = [picture.get_interpolation() for picture in pictures]
    for picture in pictures:
        rows = picture.get_size()[0]
        if rows <= picture.get_window_extent().height / figure.dpi * dpi:
            picture.set_interpolation("none")
    try:
        yield
    finally:
        for picture, interpolation in zip(pictures, before, strict=True):
            picture.set_interpolation(interpolation)
