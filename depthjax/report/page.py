"""A report as one HTML file, which any browser opens from disk without a network."""

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

from depthjax.files import write_atomically
from depthjax.folders.unfinished import briefly
from depthjax.report import charts, galleries, pictures, verdicts
from depthjax.report.contents import Chart, Picture, Report, Section, Table
from depthjax.report.folders import collect

SIZE = 10_000_000
"""Largest size of a page in bytes; pictures are made small enough for it."""

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
        output: the file; by default `report.html` in the folder, if there is only one.
        title: of the page (default: the folder's name).

    Returns:
        The path of the page.

    Raises:
        ValueError: if a folder holds nothing to report on or a damaged file, if several folders are
            given without an `output`, or if the page cannot be written.
    """
    several = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    if output is None and len(several) != 1:
        raise ValueError(f"{len(several)} folders make one page; say where it goes with an output")
    path = Path(several[0]) / "report.html" if output is None else Path(output)
    write_atomically(path, render(collect(several, title)).encode())
    return path


def render(report: Report) -> str:
    """The page as HTML; the same report always gives the same text."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["briefly"] = briefly
    sections = [_section(index, section) for index, section in enumerate(report.sections)]
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
    """What the template needs of a section; `_place_pictures` adds the pictures."""
    name = f"s{index}"
    return {
        "id": name,
        "contents": section,
        "findings": verdicts.finding_rows(section.findings),
        "charts": [_chart(chart, f"{name}-c{i}") for i, chart in enumerate(section.charts)],
        "tables": [
            {"id": f"{name}-t{i}", "contents": table, "open": i == 0 and len(table.rows) <= 60}
            for i, table in enumerate(section.tables)
        ],
        "pictures": [],
        "gallery": None,
        "data": {
            "tables": [_table(table) for table in section.tables],
            "gallery": None,
            "name": section.title,
        },
    }


def _place_pictures(report: Report, sections: list[dict[str, Any]]) -> None:
    """Adds figures and galleries to the sections, in the best quality that there is room for."""
    uris = _figures([picture for section in report.sections for picture in section.pictures])
    used = sum(map(len, uris)) + sum(map(_size, sections)) + 200_000
    remaining = iter(uris)
    for content in sections:
        own = content["contents"].pictures
        content["pictures"] = [(picture, next(remaining)) for picture in own]
    owners = [content for content in sections if content["contents"].gallery is not None]
    shown = [content["contents"].gallery for content in owners]
    room = max(SIZE - 1_000_000 - used, 1_000_000)
    quality, encoded = pictures.encode_galleries(shown, room)
    for content, gallery, files in zip(owners, shown, encoded, strict=True):
        content["gallery"], content["data"]["gallery"] = galleries.template_and_data(
            gallery, files, quality, content["id"], content["contents"].title
        )


def _size(section: dict[str, Any]) -> int:
    """About how many bytes a section takes without its pictures."""
    drawn = sum(len(chart["svg"]) + len(chart["csv"]) for chart in section["charts"])
    return 2 * drawn + 2 * len(_json(section["data"])) + 1_000 * len(section["findings"])


def _figures(figures: Sequence[Picture]) -> list[str]:
    """Figures as data URIs, in the first size at which all fit into their room, or the last."""
    for width, quality in ((1400, 85), (1100, 75), (900, 65), (700, 55)):
        uris = [pictures.figure(picture.content, width, quality) for picture in figures]
        if sum(map(len, uris)) <= _FIGURE_ROOM:
            break
    return uris


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
    """A value for JSON: six digits of a number, None where it is not finite."""
    if value is None or isinstance(value, str | int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _json(value: Any) -> Markup:
    """JSON for a script element; no text in it can end that element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)
