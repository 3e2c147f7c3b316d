"""What a page shows, before it is HTML: plain values, arrays and words.

`folders.py` reads them from finished runs, and `page.py` writes them as HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from depthjax.claims.findings import Finding

Value = str | int | float | None
"""The content of a table's cell; None or NaN where there is none."""

Real = int | float
Numbers = Sequence[Real]
"""Coordinates along an axis of a chart."""


class Column(NamedTuple):
    """A column of a table.

    Fields:
        name: as in the file it comes from.
        label: what readers see, such as `D`.
        unit: of its numbers, such as `steps`; empty for words.
        about: what it is, in a few words.
    """

    name: str
    label: str
    unit: str = ""
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A table that readers can sort and filter.

    Fields:
        title: above the table.
        columns: its C columns.
        rows: C values each.
        note: below the table.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    note: str = ""


@dataclass(frozen=True)
class Series:
    """A line of a chart; points that are not finite are not drawn.

    Fields:
        name: in the legend.
        x, y: the points.
        low, high: ends of an interval at every point.
        thin: whether this is a single example, drawn behind the others and not in the legend.
        of: if thin, the name of the series that it is an example of and has the colour of.
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
        title: above the chart.
        x_label, y_label: of the axes, with units.
        series: the lines.
        ticks: names of x = 0, 1, …, such as layers; empty where x is a number.
        log_x, log_y: whether an axis is logarithmic.
        reversed_x: whether large numbers are at the left.
        marks: named values of y; each is a line drawn across.
        note: what was averaged, and over how many examples.
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


@dataclass(frozen=True)
class Recovered:
    """One picture of a gallery: what was recovered from a layer, and how.

    Fields:
        image: `[H, W, C]`, float or 8-bit.
        input_ratio, luminance_r2, embedding_ratio: its D, r² and ρ.
        best_step: the step at which the objective was smallest.
        stopped: why the descent ended.
        step, rho, d: the trajectory, `[T]` each.
        frames: iterates on the way, `[F, H, W, C]`.
        frame_step, frame_rho, frame_d: their steps, ρ and D, `[F]` each.
    """

    image: Shaped[np.ndarray, "h w c"]
    input_ratio: float
    luminance_r2: float
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
    """What a gallery shows after one choice, such as of one network.

    Fields:
        choice: one option of every axis of the gallery.
        cells: `[image][layer]`; None where a layer is missing.
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
        axes: what readers can choose, by name: `{"network": ["untrained", "photos"]}`; may be
            empty.
        views: one for each choice that exists.
        note: below the gallery.
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
        name: of its file, without the suffix.
        content: the PNG.
        alt: what it shows, in words.
    """

    name: str
    content: bytes
    alt: str


@dataclass(frozen=True)
class Section:
    """What a page shows of one folder.

    Fields:
        title: the folder's name.
        kind: what was done, in a few words.
        command: the command line that repeats it.
        facts: pairs of a name and a value.
        config: all settings, as JSON.
        findings: what was found about the paper's claims.
        gallery, charts, tables, pictures: what there is to see.
        missing: what the run has not made yet; empty if it is finished.
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
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    """A page.

    Fields:
        title: of the page.
        sections: one for each folder.
        whole: whether every claim of the paper is listed, also those without any finding.
    """

    title: str
    sections: Sequence[Section]
    whole: bool = False
