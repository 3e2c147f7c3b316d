"""Galleries on a page: what its template shows, and what its script shows of one picture."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from depthjax.figures.text import short_number
from depthjax.report import pictures
from depthjax.report.contents import Gallery, Recovered
from depthjax.tables import share

_PIXELATED = 96  # pixels of a side up to which pixels are shown as squares


class _Cell(NamedTuple):
    """One picture with its names and its files."""

    image: str
    layer: str
    choice: Sequence[str]
    recovered: Recovered
    files: pictures.Encoded

    @property
    def ratios(self) -> dict[str, str]:
        """D, r² and ρ as they are written."""
        return {
            "d": short_number(self.recovered.input_ratio),
            "r2": share(self.recovered.luminance_r2),
            "rho": short_number(self.recovered.embedding_ratio),
        }


def template_and_data(
    gallery: Gallery,
    encoded: pictures.GalleryFiles,
    quality: pictures.Quality,
    section: str,
    title: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A gallery for the template, and what the script shows of a picture that is opened.

    Args:
        gallery: names, numbers and pictures.
        encoded: the pictures' files, `[view][image][layer]`.
        quality: of these.
        section: id of the section.
        title: of the section.
    """
    views, data = [], []
    for view, view_files in zip(gallery.views, encoded, strict=True):
        rows, records = [], []
        for image, recovered, files in zip(gallery.images, view.cells, view_files, strict=True):
            cells = [
                None if one is None or file is None else _Cell(image, layer, view.choice, one, file)
                for layer, one, file in zip(gallery.layers, recovered, files, strict=True)
            ]
            shown = [None if cell is None else _for_template(cell) for cell in cells]
            rows.append({"name": image, "cells": shown})
            records.append([None if cell is None else _for_script(cell) for cell in cells])
        views.append({"choice": view.choice, "rows": rows})
        data.append({"choice": list(view.choice), "cells": records})
    template = {
        "id": f"{section}-gallery",
        "layers": gallery.layers,
        "images": gallery.images,
        "targets": [pictures.still(image, quality) for image in gallery.targets],
        "starts": [pictures.still(image, quality) for image in gallery.starts],
        "axes": gallery.axes,
        "views": views,
        "pixelated": max(gallery.targets.shape[1:3]) <= _PIXELATED,
        "note": gallery.note,
        "kept": _quality_note(gallery, quality, title),
    }
    return template, {"views": data, "axes": list(gallery.axes)}


def _for_template(cell: _Cell) -> dict[str, Any]:
    view = f" of {', '.join(cell.choice)}" if cell.choice else ""
    ratios = cell.ratios
    numbers = f"D {ratios['d']}, r² {ratios['r2']}, ρ {ratios['rho']}"
    words = f"{cell.image}, recovered from {cell.layer}{view}: {numbers}"
    return {"uri": cell.files.image, "alt": words, **ratios}


def _for_script(cell: _Cell) -> dict[str, Any]:
    recovered, files = cell.recovered, cell.files
    kept = list(files.kept)
    return {
        "image": cell.image,
        "layer": cell.layer,
        "choice": list(cell.choice),
        **cell.ratios,
        "best": recovered.best_step,
        "stopped": recovered.stopped,
        "difference": files.difference,
        "frames": files.frames,
        "size": list(files.side),
        "step": recovered.step.tolist(),
        "rhos": _rounded(recovered.rho),
        "ds": _rounded(recovered.d),
        "frameStep": recovered.frame_step[kept].tolist(),
        "frameRho": [short_number(value) for value in recovered.frame_rho[kept]],
        "frameD": [short_number(value) for value in recovered.frame_d[kept]],
    }


def _quality_note(gallery: Gallery, quality: pictures.Quality, title: str) -> str:
    lossy = "losslessly" if quality.quality == 100 else f"as WebP of quality {quality.quality}"
    shrunk = max(gallery.targets.shape[1:3]) > quality.side
    side = f", at most {quality.side} px wide" if shrunk else ""
    return f"Pictures are kept here in 8 bits, {lossy}{side}; exact ones are in the folder {title}."


def _rounded(values: np.ndarray) -> list[float | None]:
    """Four digits of each value; None where it is not finite."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values.tolist()]
