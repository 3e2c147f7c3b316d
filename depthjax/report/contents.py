"""What a report page shows, before it is a page: plain values, arrays, and words.

Builders in `folders.py` make these from finished runs; `page.py` makes HTML of them. Neither knows
of the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from depthjax.claims.findings import Finding

Value = str | int | float | None
"""What stands in a table's cell; None and NaN where there is nothing."""


Real = int | float
Numbers = Sequence[Real]
"""Along an axis of a chart."""


class Column(NamedTuple):
    """A column of a table.

    Fields:
        name: as in the file it comes from.
        label: as a reader knows it, such as `D`.
        unit: of its numbers, such as `steps`; empty for words.
        about: what it is, in half a sentence.
    """

    name: str
    label: str
    unit: str = ""
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A table that readers sort and filter.

    Fields:
        title: above it.
        columns: C of them.
        rows: of C values each.
        note: below it.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    note: str = ""


@dataclass(frozen=True)
class Series:
    """A line of a chart; points that are not finite are left out.

    Fields:
        name: in the legend; an empty one has no place there.
        x, y: the points.
        low, high: ends of an interval about every point.
        thin: a single example, drawn behind the others in the colour of `of`.
        of: the name of the series it belongs to, where it is thin.
    """

    name: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    thin: bool = False
    of: str = ""

    def __post_init__(self) -> None:
        for name in ("x", "y", "low", "high"):
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, [float(value) for value in values])


@dataclass(frozen=True)
class Chart:
    """Lines against depth, steps or rank.

    Fields:
        title: above it.
        x_label, y_label: of the axes, with units.
        series: the lines.
        ticks: names of x = 0, 1, …, such as layers; none where x is a number.
        log_x, log_y: scales.
        reversed_x: large numbers to the left.
        marks: named values of y, drawn across.
        note: what was averaged, and over how many.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    ticks: Sequence[str] = ()
    log_x: bool = False
    log_y: bool = False
    reversed_x: bool = False
    marks: Mapping[str, Real] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        marks = {name: float(value) for name, value in self.marks.items()}
        object.__setattr__(self, "marks", marks)

    def record(self) -> dict[str, Any]:
        """As JSON takes it, for a `charts.json`; `chart_from_record` is the way back."""
        lines = [
            {
                **{"name": one.name, "thin": one.thin, "of": one.of},
                **{
                    name: None if values is None else [_known(value) for value in values]
                    for name, values in (
                        *(("x", one.x), ("y", one.y)),
                        *(("low", one.low), ("high", one.high)),
                    )
                },
            }
            for one in self.series
        ]
        names = (
            *("title", "x_label", "y_label", "log_x", "log_y"),
            *("reversed_x", "note"),
        )
        rest = {"ticks": list(self.ticks), "marks": dict(self.marks), "series": lines}
        return {name: getattr(self, name) for name in names} | rest


def chart_from_record(record: Mapping[str, Any]) -> Chart:
    """The chart that `Chart.record` described.

    Raises:
        ValueError: for something else.
    """
    try:
        lines = [
            Series(
                one["name"],
                _numbers(one["x"]) or [],
                _numbers(one["y"]) or [],
                _numbers(one["low"]),
                _numbers(one["high"]),
                one["thin"],
                one["of"],
            )
            for one in record["series"]
        ]
        return Chart(**{**record, "series": lines, "ticks": tuple(record["ticks"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"this describes no chart: {error}") from error


def _numbers(values: Sequence[float | None] | None) -> list[float] | None:
    if values is None:
        return None
    return [float("nan") if value is None else float(value) for value in values]


def _known(value: Real) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class Recovered:
    """One picture of a gallery: what came back from a layer, and how.

    Fields:
        image: `[H, W, C]`, float or 8-bit.
        input_ratio, embedding_ratio: its D and ρ.
        best_step: where the descent found it.
        stopped: why the descent ended.
        step, rho, d: the trajectory, `[T]`.
        frames: iterates on the way `[F, H, W, C]`, with `frame_step`, `frame_rho`, `frame_d` `[F]`.
    """

    image: Shaped[np.ndarray, "h w c"]
    input_ratio: float
    embedding_ratio: float
    best_step: int
    stopped: str
    step: Shaped[np.ndarray, " t"]
    rho: Float[np.ndarray, " t"]
    d: Float[np.ndarray, " t"]
    frames: UInt8[np.ndarray, "f h w c"]
    frame_step: Shaped[np.ndarray, " f"]
    frame_rho: Float[np.ndarray, " f"]
    frame_d: Float[np.ndarray, " f"]


@dataclass(frozen=True)
class View:
    """What a gallery shows of one network: `cells[image][layer]`, None where a layer is missing.

    `choice` has an option of every axis of the gallery.
    """

    choice: Sequence[str]
    cells: Sequence[Sequence[Recovered | None]]


@dataclass(frozen=True)
class Gallery:
    """Rows are images, columns are layers; readers choose an option of each axis.

    Fields:
        images, layers: names.
        targets: `[B, H, W, C]`.
        starts: `[B, H, W, C]`, of the first view.
        axes: what can be chosen, by name: `{"network": ["untrained", "photos"]}`; may be empty.
        views: one for each choice that there is.
        note: below it.
    """

    images: Sequence[str]
    layers: Sequence[str]
    targets: Shaped[np.ndarray, "b h w c"]
    starts: Shaped[np.ndarray, "b h w c"]
    axes: Mapping[str, Sequence[str]]
    views: Sequence[View]
    note: str = ""


class Picture(NamedTuple):
    """A figure from a folder.

    Fields:
        name: its file's, without the suffix.
        content: a PNG.
        alt: what it shows, in words.
    """

    name: str
    content: bytes
    alt: str


@dataclass(frozen=True)
class Section:
    """What one folder has to say.

    Fields:
        title: the folder's name.
        kind: what was done, in a few words.
        command: repeats it.
        facts: about it, as pairs of a name and a value.
        config: all of its settings, as JSON.
        findings: what it says of the paper's claims.
        gallery, charts, tables, pictures: what there is to see.
    """

    title: str
    kind: str
    command: str
    facts: Sequence[tuple[str, str]]
    config: str
    findings: Sequence[Finding] = ()
    gallery: Gallery | None = None
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Report:
    """A page.

    Fields:
        title: of it.
        sections: one for each folder.
        whole: every claim of the paper is listed, also those of which no section says anything.
    """

    title: str
    sections: Sequence[Section]
    whole: bool = False
