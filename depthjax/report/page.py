"""A report as one HTML file: no network, no other files, opened from disk by any browser."""

import base64
import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from depthjax.figures.text import short_number
from depthjax.files import write_atomically
from depthjax.report import charts, pictures, verdicts
from depthjax.report.contents import Chart, Gallery, Picture, Report, Section, Table
from depthjax.report.folders import CHARTS, collect

SIZE = 10_000_000
"""Bytes that a page stays under; its pictures are made to fit."""

_FIGURE_ROOM = 2_500_000
_BEYOND = "Points and intervals at an edge lie beyond it."
_TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> Path:
    """Writes the page of a run, or one page of several.

    Args:
        folders: one folder or several, see `collect`.
        output: the file (default: `report.html` in the folder, if it is one).
        title: of the page (default: the folder's name).

    Returns:
        Where it lies.

    Raises:
        ValueError: if a folder holds nothing to report on, a file of it is damaged, several are
            given without an `output`, or it cannot be written.
    """
    several = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    if output is None and len(several) != 1:
        raise ValueError(f"{len(several)} folders make one page; say where it goes with an output")
    path = Path(several[0]) / "report.html" if output is None else Path(output)
    write_atomically(path, render(collect(several, title)).encode())
    return path


def write_charts(folder: str | os.PathLike[str], charts: Sequence[Chart]) -> Path:
    """Writes charts of a script's own into its folder, for the page: distances, spectra, any.

    They take the place of those that a page would draw from `results.csv` by itself.

    Returns:
        The `charts.json`.

    Raises:
        ValueError: if it cannot be written.
    """
    text = json.dumps([chart.record() for chart in charts], ensure_ascii=False, allow_nan=False)
    path = Path(folder) / CHARTS
    write_atomically(path, text.encode())
    return path


def render(report: Report) -> str:
    """The page as HTML, deterministic: the same report makes the same page."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [_section(index, one) for index, one in enumerate(report.sections)]
    _place_pictures(report, sections)
    findings = [finding for section in report.sections for finding in section.findings]
    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        title=report.title,
        whole=report.whole,
        judgements=verdicts.claim_rows(findings, sections, whole=report.whole),
        rule=verdicts.RULE,
        sections=sections,
        style=Markup((_TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        policy=(
            "default-src 'none'; img-src data:; style-src 'unsafe-inline';"
            f" script-src 'sha256-{digest}'"
        ),
        data=_json([section["data"] for section in sections]),
        white=pictures.DIFFERENCE_WHITE,
    )


def _section(index: int, section: Section) -> dict[str, Any]:
    """What the template needs of a section, but for the pictures."""
    name = f"s{index}"
    return {
        "id": name,
        "contents": section,
        "findings": verdicts.finding_rows(section.findings),
        "charts": [_chart(one, f"{name}-c{i}") for i, one in enumerate(section.charts)],
        "tables": [
            {"id": f"{name}-t{i}", "contents": one, "open": i == 0 and len(one.rows) <= 60}
            for i, one in enumerate(section.tables)
        ],
        "pictures": [],
        "gallery": None,
        "data": {
            "tables": [_table(one) for one in section.tables],
            "gallery": None,
            "name": section.title,
        },
    }


def _place_pictures(report: Report, sections: list[dict[str, Any]]) -> None:
    """Figures and galleries, as good as what else is on the page leaves room for."""
    figures = [one for section in report.sections for one in section.pictures]
    uris = _figures(figures)
    used = sum(map(len, uris)) + sum(map(_size, sections)) + 200_000
    places = iter(uris)
    for section, found in zip(report.sections, sections, strict=True):
        found["pictures"] = [(one, next(places)) for one in section.pictures]
    owners = [
        (section.gallery, found)
        for section, found in zip(report.sections, sections, strict=True)
        if section.gallery is not None
    ]
    room = max(SIZE - 1_000_000 - used, 1_000_000)
    quality, every = pictures.encoded([gallery for gallery, _ in owners], room)
    for (gallery, found), cells in zip(owners, every, strict=True):
        found["gallery"], found["data"]["gallery"] = _gallery(
            gallery, cells, quality, found["id"], found["contents"].title
        )


def _size(section: dict[str, Any]) -> int:
    """About how many bytes a section takes without its pictures."""
    drawn = sum(len(one["svg"]) + len(one["csv"]) for one in section["charts"])
    return 2 * drawn + 2 * len(_json(section["data"])) + 1_000 * len(section["findings"])


def _figures(figures: Sequence[Picture]) -> list[str]:
    for width, quality in ((1400, 85), (1100, 75), (900, 65), (700, 55)):
        uris = [pictures.figure(one.content, width, quality) for one in figures]
        if sum(map(len, uris)) <= _FIGURE_ROOM:
            break
    return uris


def _gallery(
    gallery: Gallery,
    encoded: list[list[list[pictures.Encoded | None]]],
    quality: pictures.Quality,
    name: str,
    run: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """For the template, and for the script."""
    views, data = [], []
    for view, pages in zip(gallery.views, encoded, strict=True):
        rows, records = [], []
        for image, cells, files in zip(gallery.images, view.cells, pages, strict=True):
            shown: list[dict[str, Any] | None] = []
            kept: list[dict[str, Any] | None] = []
            for layer, cell, file in zip(gallery.layers, cells, files, strict=True):
                if cell is None or file is None:
                    shown.append(None)
                    kept.append(None)
                    continue
                of = f" of {', '.join(view.choice)}" if view.choice else ""
                numbers = (
                    f"D {short_number(cell.input_ratio)}, ρ {short_number(cell.embedding_ratio)}"
                )
                alt = f"{image}, recovered from {layer}{of}: {numbers}"
                shown.append(
                    {
                        "uri": file.image,
                        "alt": alt,
                        "d": short_number(cell.input_ratio),
                        "rho": short_number(cell.embedding_ratio),
                    }
                )
                at = list(file.kept)
                kept.append(
                    {
                        **{"image": image, "layer": layer, "choice": list(view.choice)},
                        **{
                            "d": short_number(cell.input_ratio),
                            "rho": short_number(cell.embedding_ratio),
                        },
                        **{"best": cell.best_step, "stopped": cell.stopped},
                        **{"difference": file.difference, "frames": file.frames},
                        **{"size": list(file.side), "step": cell.step.tolist()},
                        **{"rhos": _rounded(cell.rho), "ds": _rounded(cell.d)},
                        "frameStep": cell.frame_step[at].tolist(),
                        "frameRho": [short_number(value) for value in cell.frame_rho[at]],
                        "frameD": [short_number(value) for value in cell.frame_d[at]],
                    }
                )
            rows.append({"name": image, "cells": shown})
            records.append(kept)
        views.append({"choice": view.choice, "rows": rows})
        data.append({"choice": list(view.choice), "cells": records})
    side = gallery.targets.shape[1:3]
    lossy = "losslessly" if quality.quality == 100 else f"as WebP of quality {quality.quality}"
    shrunk = f", at most {quality.side} px wide" if max(side) > quality.side else ""
    template = {
        "id": f"{name}-gallery",
        "layers": gallery.layers,
        "images": gallery.images,
        "targets": [pictures.still(image, quality) for image in gallery.targets],
        "starts": [pictures.still(image, quality) for image in gallery.starts],
        "axes": gallery.axes,
        "views": views,
        "pixelated": max(side) <= 96,
        "note": gallery.note,
        "kept": f"Pictures are kept here in 8 bits, {lossy}{shrunk}; exact ones are in the folder"
        f" {run}.",
    }
    return template, {"views": data, "axes": list(gallery.axes)}


def _chart(chart: Chart, identifier: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "contents": chart,
        "note": f"{chart.note} {_BEYOND if charts.beyond_the_axis(chart) else ''}".strip(),
        "svg": charts.as_svg(chart, identifier),
        "csv": f"data:text/csv;charset=utf-8,{quote(charts.as_csv(chart))}",
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "columns": [column._asdict() for column in table.columns],
        "rows": [[_cell(value) for value in row] for row in table.rows],
    }


def _cell(value: Any) -> str | int | float | None:
    """As JSON has it: six digits are enough to read, and what is not finite is missing."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _rounded(values: Any) -> list[float | None]:
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values.tolist()]


def _json(value: Any) -> Markup:
    """JSON that no text within can end the script element of."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)
