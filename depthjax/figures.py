"""Figures of what was recovered, how near it is, and how the descents went.

Every function takes plain arrays and labels and returns a `matplotlib.figure.Figure`; nothing is
shown, no global setting changes, and only `save_figure` writes. Layers are given shallow to deep.

D and ρ are those of `depthjax.metrics`: D = m_i / m_i' says how far the image is from the target
(0: recovered), ρ = m_g / m_r how far its embedding is, both in units of a lightly noised copy.
"""

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter
from numpy.typing import ArrayLike

from depthjax.files import write_atomically

__all__ = [
    "distance_against_depth",
    "gallery",
    "ratio_matrix",
    "save_figure",
    "trajectories",
]

Numbers = npt.NDArray[np.float64]

# Okabe and Ito's colours, told apart with any colour vision.
_BLUE, _ORANGE, _GREEN, _PURPLE, _SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
_DARK, _GREY, _PALE = "#222222", "#6E6E6E", "#D0D0D0"
_BASELINE_COLOURS = (_ORANGE, _GREEN, _PURPLE, "#E69F00", _SKY)

_BASELINE_NAMES = {"start": "start D₀", "flat": "mean colour", "blur": "blurred target"}
"""How the keys of `depthjax.metrics.baselines` are written; any other key stands as it is."""

_FONT = "DejaVu Sans"
_BODY, _SMALL = 7.5, 6.5
"""Font sizes in points; nothing is smaller than the second."""
_LINE = 1.22
"""Distance of two lines of text, in font sizes."""

_LEGEND_MOST = 12
"""Layers in a legend; more get a colour bar."""
_WRITTEN_MOST = 14
"""Columns of a matrix whose values are written."""

_STYLE: dict[str, Any] = {
    "axes.edgecolor": _DARK,
    "axes.labelsize": _BODY,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": _SMALL,
    "figure.dpi": 150,
    "font.family": _FONT,
    "font.size": _BODY,
    # One picture as large as the page would take far longer to write.
    "image.composite_image": False,
    "legend.fontsize": _SMALL,
    "legend.frameon": False,
    "legend.title_fontsize": _BODY,
    "lines.solid_capstyle": "round",
    "text.color": _DARK,
    # A dollar sign in a file's name is a dollar sign.
    "text.parse_math": False,
    "xtick.labelsize": _SMALL,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": _SMALL,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}


# ------------------------------------------------------------------------------- the four figures


def gallery(
    image_labels: Sequence[str],
    targets: ArrayLike,
    starts: ArrayLike,
    layer_labels: Sequence[str],
    recovered: ArrayLike,
    input_ratio: ArrayLike,
    embedding_ratio: ArrayLike,
    *,
    title: str | None = None,
) -> Figure:
    """The targets, the starts, and what came back from every layer, each with its D and ρ.

    One row for each image, one column for each layer; many layers continue in further blocks of
    rows. Pixels are shown clipped to [0, 1]; those that are not finite are magenta.

    Args:
        image_labels: names of the B images.
        targets: `[B, H, W, 3]`, floats.
        starts: where the descents began, shaped like `targets`.
        layer_labels: names of the L layers, shallow to deep.
        recovered: `[L, B, H, W, 3]`.
        input_ratio: D, `[L, B]`.
        embedding_ratio: ρ, `[L, B]`.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together, or images are not float RGB.
    """
    images, layers = _labels(image_labels, "image"), _labels(layer_labels, "layer")
    columns = _gallery_columns(images, layers, targets, starts, recovered)
    d = _shaped("input_ratio", input_ratio, layers, images)
    rho = _shaped("embedding_ratio", embedding_ratio, layers, images)
    note = (
        "D: distance of the images, ρ: of their embeddings (1: as far as a lightly noised copy). "
        "D ≈ 18\u00a0×\u00a0RMSE, 0:\u00a0recovered."
    )
    if not np.isfinite(columns).all():
        note += " Magenta: not finite."
    with _style():
        sheet = _Sheet(images, layers, columns.shape[2:4], d, rho, title, note)
        return sheet.draw(_displayable(columns))


def distance_against_depth(
    layer_labels: Sequence[str],
    input_ratio: ArrayLike,
    embedding_ratio: ArrayLike,
    baselines: Mapping[str, ArrayLike],
    *,
    title: str | None = None,
) -> Figure:
    """D (above) and ρ (below) of every image and start against depth, with D of the baselines.

    Log scales; exact zeros get a place of their own at the bottom. What is not finite is not
    drawn, and the figure says how many values that are.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        input_ratio: D, `[L]`, `[L, images]` or `[L, starts, images]`.
        embedding_ratio: ρ, shaped like `input_ratio`.
        baselines: D by name, as from `depthjax.metrics.baselines`; any shape. The line is the
            median, the band reaches from the least to the greatest.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together.
    """
    layers = _labels(layer_labels, "layer")
    d, rho = np.asarray(input_ratio, np.float64), np.asarray(embedding_ratio, np.float64)
    for name, values in (("input_ratio", d), ("embedding_ratio", rho)):
        if values.ndim == 0 or len(values) != len(layers):
            raise ValueError(f"{len(layers)} layer labels, but {name} has shape {values.shape}")
    if d.shape != rho.shape:
        raise ValueError(f"input_ratio has shape {d.shape}, but embedding_ratio {rho.shape}")
    if not d.size:
        raise ValueError(
            f"input_ratio and embedding_ratio hold no values: their shape is {d.shape}"
        )
    given = {name: np.asarray(values, np.float64).ravel() for name, values in baselines.items()}
    note = _sample_size(d.shape[1:]) + _strokes(d.size // len(layers)) + _missing(d, rho)
    with _style():
        figure, (above, below), width = _depth_panels(layers)
        _depth_lines(above, _drawable(d.reshape(len(layers), -1)))
        _depth_lines(below, _drawable(rho.reshape(len(layers), -1)))
        # Limits before the marks: bands would widen them.
        _scale(d, [1.0, *np.concatenate([*given.values(), np.empty(0)])]).apply(above, "y")
        _scale(rho, [1.0]).apply(below, "y")
        marks = [_mark(above, 1.0, "noisy copy", _GREY, dashed=True)]
        marks += _baseline_marks(above, given)
        other = _mark(below, 1.0, "noisy copy", _GREY, dashed=True)
        above.set_ylabel("input ratio D\n(0: image recovered)")
        below.set_ylabel("embedding ratio ρ")
        below.set_xlabel("layer, shallow to deep")
        _headline(figure, above, note, title, width)
        _settle(figure)
        _part(figure, above, marks)
        _part(figure, below, [other])
        return figure


def trajectories(
    layer_labels: Sequence[str],
    steps: ArrayLike | Sequence[ArrayLike],
    embedding_ratio: Sequence[ArrayLike],
    input_ratio: Sequence[ArrayLike],
    *,
    title: str | None = None,
) -> Figure:
    """ρ against the step (left), and D against ρ (right): does a better match bring it back?

    Each layer has its colour, from dark (shallow) to light (deep). Thin lines are descents, thick
    ones their median at every record. In the right panel descents run to the right.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        steps: step of every record, `[T]` for all layers, or one such for each layer.
        embedding_ratio: ρ of every record, for each layer `[T, N]` (or `[T, starts, images]`).
        input_ratio: D of every record, likewise; NaN where it was not recorded.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together.
    """
    layers = _labels(layer_labels, "layer")
    runs = _descents(layers, steps, embedding_ratio, input_ratio)
    rho = np.concatenate([run.rho.ravel() for run in runs])
    d = np.concatenate([run.d.ravel() for run in runs])
    both = np.concatenate([np.where(np.isfinite(run.d), run.rho, np.nan).ravel() for run in runs])
    steps_seen = np.concatenate([run.steps for run in runs])
    counts = [run.rho.shape[1] for run in runs]
    some = f"{min(counts)}–{max(counts)}" if len(set(counts)) > 1 else f"{counts[0]}"
    each = "descent" if some == "1" else "descents"
    note = f"n = {some} {each} per layer{_strokes(max(counts))}{_missing(rho)}"
    colours = _depth_colours(len(layers))
    with _style():
        figure, (left, right) = _trajectory_panels(layers)
        for run, colour in zip(runs, colours, strict=True):
            _descent_lines(left, run.steps, run.rho, colour)
            _descent_lines(right, run.rho, run.d, colour)
        _scale(steps_seen, (), margin=1.1).apply(left, "x")
        _scale(rho, [1.0]).apply(left, "y")
        _scale(both, [1.0]).apply(right, "x")
        _scale(d, ()).apply(right, "y")
        mark = _mark(left, 1.0, "noisy copy", _GREY, dashed=True)
        _mark_across(right, 1.0, "noisy copy")
        if not np.isfinite(d).any():
            right.text(0.5, 0.5, "D was not recorded", transform=right.transAxes, ha="center")
        _depth_key(figure, [left, right], layers, colours)
        _headline(figure, left, note, title, 190.0)
        _settle(figure)
        _part(figure, left, [mark])
        return figure


def ratio_matrix(
    layer_labels_rows: Sequence[str],
    layer_labels_columns: Sequence[str],
    ratio: ArrayLike,
    *,
    title: str | None = None,
) -> Figure:
    """Median ρ of the images recovered from one layer, measured at another, as a heat map.

    The colours are logarithmic around ρ = 1, the noisy copy: blue is nearer, red is farther, grey
    was not measured. Up to 14 columns, the values are written in the cells.

    Args:
        layer_labels_rows: names of the L layers inverted, shallow to deep.
        layer_labels_columns: names of the M layers measured at, shallow to deep.
        ratio: `[L, M]`.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together.
    """
    rows = _labels(layer_labels_rows, "row")
    columns = _labels(layer_labels_columns, "column")
    values = _drawable(_shaped("ratio", ratio, rows, columns), infinite=True)
    with _style():
        return _matrix(rows, columns, values, title)


def save_figure(path_without_suffix: str | os.PathLike[str], figure: Figure) -> tuple[Path, Path]:
    """Writes the figure as PNG (150 dpi) and PDF; the same figure makes the same bytes.

    Each file appears whole or not at all, and neither does if one cannot be drawn.

    Args:
        path_without_suffix: ".png" and ".pdf" are added to it, whatever it ends in.
        figure: what to write.

    Returns:
        The paths of the PNG and of the PDF.

    Raises:
        ValueError: if the folder does not exist or cannot be written to.
    """
    stem = Path(path_without_suffix)
    if not stem.parent.is_dir():
        raise ValueError(f"cannot write {stem}: there is no folder {stem.parent}; create it first")
    undated: dict[str, Any] = {"CreationDate": None, "Creator": None, "Producer": None}
    with _style({"pdf.fonttype": 42}):
        contents = {".png": _rendered(figure, "png", 150, {"Software": None})}
        # The resolution is that of the pictures in it; lines and text have none.
        with _own_pixels(figure, 300):
            contents[".pdf"] = _rendered(figure, "pdf", 300, undated)
    png, pdf = (stem.with_name(stem.name + suffix) for suffix in contents)
    for path, content in zip((png, pdf), contents.values(), strict=True):
        write_atomically(path, content)
    return png, pdf


# ---------------------------------------------------------------------------- what was handed over


def _labels(labels: Sequence[str], kind: str) -> list[str]:
    if not len(labels):
        raise ValueError(f"a figure needs at least one {kind}, but there are no {kind} labels")
    return [_shortened(_clean(label)) for label in labels]


def _shaped(name: str, values: ArrayLike, rows: list[str], columns: list[str]) -> Numbers:
    array = np.asarray(values, np.float64)
    if array.shape != (len(rows), len(columns)):
        raise ValueError(
            f"{len(rows)} and {len(columns)} labels, but {name} has shape {array.shape}"
        )
    return array


def _gallery_columns(
    images: list[str],
    layers: list[str],
    targets: ArrayLike,
    starts: ArrayLike,
    recovered: ArrayLike,
) -> npt.NDArray[np.float32]:
    """`[2 + L, B, H, W, 3]`: every picture of the gallery, column by column."""
    target = np.asarray(targets)
    if target.ndim != 4 or target.shape[-1] != 3 or 0 in target.shape:
        raise ValueError(f"targets must be [images, height, width, 3], got shape {target.shape}")
    if len(target) != len(images):
        raise ValueError(f"{len(images)} image labels, but targets has shape {target.shape}")
    expected = {"targets": target.shape, "starts": target.shape}
    expected["recovered"] = (len(layers), *target.shape)
    found = {"targets": target, "starts": np.asarray(starts), "recovered": np.asarray(recovered)}
    for name, array in found.items():
        if array.shape != expected[name]:
            raise ValueError(f"{name} must have shape {expected[name]}, got {array.shape}")
        if array.dtype.kind in "iub":
            raise ValueError(f"{name} must be floats in [0, 1], got {array.dtype}; divide by 255")
    pair = np.stack([target, found["starts"]]).astype(np.float32)
    return np.concatenate([pair, found["recovered"].astype(np.float32)])


@dataclass(frozen=True)
class _Descents:
    """One layer's records: `steps` `[T]`, `rho` and `d` `[T, N]`, NaN where not drawable."""

    steps: Numbers
    rho: Numbers
    d: Numbers


def _descents(
    layers: list[str],
    steps: ArrayLike | Sequence[ArrayLike],
    embedding_ratio: Sequence[ArrayLike],
    input_ratio: Sequence[ArrayLike],
) -> list[_Descents]:
    for name, given in (("embedding_ratio", embedding_ratio), ("input_ratio", input_ratio)):
        if len(given) != len(layers):
            raise ValueError(f"{len(layers)} layer labels, but {name} is for {len(given)} layers")
    each = steps if isinstance(steps, Sequence) else np.asarray(steps)
    entries = [np.asarray(entry, np.float64) for entry in each]
    if all(entry.ndim == 0 for entry in entries):
        entries = [np.array(entries, np.float64)] * len(layers)
    if len(entries) != len(layers):
        raise ValueError(f"{len(layers)} layer labels, but steps is for {len(entries)} layers")
    together = zip(layers, entries, embedding_ratio, input_ratio, strict=True)
    return [_layer_descents(*one) for one in together]


def _layer_descents(layer: str, steps: Numbers, rho: ArrayLike, d: ArrayLike) -> _Descents:
    ratios = {}
    for name, values in (("embedding_ratio", rho), ("input_ratio", d)):
        array = np.asarray(values, np.float64)
        if steps.ndim != 1 or array.ndim == 0 or len(array) != len(steps):
            raise ValueError(
                f"{layer}: steps has shape {steps.shape}, but {name} has shape {array.shape}"
            )
        if not array.size:
            raise ValueError(f"{layer}: {name} holds no values: its shape is {array.shape}")
        ratios[name] = _drawable(array.reshape(len(array), -1))
    if ratios["embedding_ratio"].shape != ratios["input_ratio"].shape:
        raise ValueError(
            f"{layer}: embedding_ratio has shape {np.shape(rho)}, but input_ratio {np.shape(d)}"
        )
    return _Descents(steps, ratios["embedding_ratio"], ratios["input_ratio"])


def _drawable(values: Numbers, *, infinite: bool = False) -> Numbers:
    """NaN for whatever has no place on a log scale with zero."""
    placed = (values >= 0) & (infinite | np.isfinite(values))
    return np.where(placed, values, np.nan)


def _displayable(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Clipped to [0, 1]; magenta, which photographs hardly contain, where not finite."""
    lost = ~np.isfinite(pictures).all(-1, keepdims=True)
    return np.where(lost, np.array([1, 0, 1], np.float32), np.clip(np.nan_to_num(pictures), 0, 1))


def _median(values: Numbers) -> Numbers:
    """The median of each row's drawable values, NaN where there are none."""
    finite = [row[np.isfinite(row)] for row in values]
    return np.array([np.median(row) if row.size else np.nan for row in finite])


def _sample_size(shape: tuple[int, ...]) -> str:
    images = shape[-1] if shape else 1
    starts = int(np.prod(shape[:-1]))
    return f"n = {_count(images, 'image')} × {_count(starts, 'start')}"


def _strokes(lines: int) -> str:
    return "   thin: each, thick: median" if lines > 1 else ""


def _missing(*arrays: Numbers) -> str:
    lost = sum(int(np.count_nonzero(np.isnan(_drawable(array)))) for array in arrays)
    if not lost:
        return ""
    words = f"{lost} of {sum(array.size for array in arrays)} values not finite, not drawn"
    return "   " + words.replace(" ", "\u00a0")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# ----------------------------------------------------------------------------------------- text


def _number(value: float) -> str:
    """At most three significant digits, in few characters: 0.52, 12.3, 1.5e-6."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e4:
        return f"{rounded:.10g}"
    mantissa, exponent = f"{rounded:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _clean(text: str) -> str:
    """One line, and a box for each character that the font lacks (matplotlib would warn)."""
    font = get_font(findfont(FontProperties(family=_FONT)))
    line = " ".join(str(text).split())
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in line)


def _shortened(text: str, most: int = 40) -> str:
    """Names are told apart by how they begin and end."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


@lru_cache(maxsize=4096)
def _width(text: str, size: float) -> float:
    """In points; a little more than it takes, for renderers round."""
    font = FontProperties(family=_FONT, size=size)
    return 1.03 * text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


def _widest(texts: Iterable[str], size: float) -> float:
    return max((_width(line, size) for text in texts for line in text.split("\n")), default=0.0)


def _wrapped(text: str, width: float, size: float, after: str = " ") -> str:
    """Lines at most `width` points wide, broken after `after`, or if need be anywhere."""
    lines = [""]
    for piece in _pieces(text, after):
        if lines[-1] and _width((lines[-1] + piece).rstrip(), size) > width:
            lines.append("")
        for letter in piece:
            if lines[-1] and letter != " " and _width(lines[-1] + letter, size) > width:
                lines.append("")
            lines[-1] += letter
    return "\n".join(line.strip() for line in lines)


def _pieces(text: str, after: str) -> list[str]:
    pieces = [""]
    for letter in text:
        # A run of separators belongs to the piece before it.
        if pieces[-1] and pieces[-1][-1] in after and letter not in after:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _name_lines(name: str, width: float, size: float) -> str:
    return _wrapped(name, width, size, after=" ._-/:")


def _height(texts: Iterable[str], size: float) -> float:
    """Of the tallest, in points."""
    return max(text.count("\n") + 1 if text else 0 for text in texts) * size * _LINE


# --------------------------------------------------------------------------------- drawing: common


def _style(more: Mapping[str, Any] | None = None) -> AbstractContextManager[None]:
    """Our settings on matplotlib's own defaults, whatever the user has set, for the time being."""
    return matplotlib.style.context(["default", {**_STYLE, **(more or {})}])


@dataclass(frozen=True)
class _Scale:
    """A log axis with limits and ticks; linear below `threshold`, so that zero has a place."""

    low: float
    high: float
    ticks: list[float]
    minor: list[float]
    threshold: float | None

    def apply(self, axes: Axes, which: Literal["x", "y"]) -> None:
        name, options = "log", {}
        if self.threshold is not None:
            name, options = "symlog", {"linthresh": self.threshold, "linscale": 0.5}
        if which == "x":
            axes.set_xscale(name, **options)
            axes.set_xlim(self.low, self.high)
        else:
            axes.set_yscale(name, **options)
            axes.set_ylim(self.low, self.high)
        axis = axes.xaxis if which == "x" else axes.yaxis
        axis.set_major_locator(FixedLocator(self.ticks))
        axis.set_minor_locator(FixedLocator(self.minor))
        axis.set_major_formatter(FuncFormatter(_tick))
        axis.set_minor_formatter(NullFormatter())


def _tick(value: float, position: int | None = None) -> str:
    return _number(value)


def _scale(values: Numbers, include: Iterable[float], margin: float = 1.4) -> _Scale:
    """Shows all `values` that can be drawn, and `include`, over a decade or more."""
    shown = _drawable(np.concatenate([np.ravel(values), np.fromiter(include, np.float64)]))
    shown = shown[np.isfinite(shown)]
    positive = shown[shown > 0]
    low, high = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
    if high < 10 * low:
        middle = np.sqrt(low) * np.sqrt(high)
        low, high = middle / np.sqrt(10), middle * np.sqrt(10)
    # Over many decades a factor is nothing: a thirtieth of the length then.
    margin = max(margin, (high / low) ** (1 / 30))
    low, high = float(low / margin), float(high * margin)
    ticks, minor = _log_ticks(low, high), _unlabelled_ticks(low, high)
    if (shown > 0).all():
        return _Scale(low, high, ticks, minor, None)
    # Zero lies a step below the least positive value, with some room for half a marker.
    return _Scale(-0.25 * low, high, [0.0, *ticks], minor, low)


def _log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    first = int(np.ceil(np.log10(low) - 1e-9))
    last = int(np.floor(np.log10(high) + 1e-9))
    exponents = range(first, last + 1)
    if len(exponents) >= 3:
        every = -(-len(exponents) // most)
        return [10.0**exponent for exponent in exponents if exponent % every == 0]
    ticks = [
        digit * 10.0**exponent for exponent in range(first - 1, last + 1) for digit in (1, 2, 5)
    ]
    return [tick for tick in ticks if low / 1.000001 <= tick <= high * 1.000001]


def _unlabelled_ticks(low: float, high: float) -> list[float]:
    """Every decade, and what lies between if there are few."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    digits = range(1, 10) if last - first <= 5 else (1,)
    ticks = [digit * 10.0**exponent for exponent in range(first, last) for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _depth_colours(layers: int) -> list[str]:
    """Dark to light; the last tenth of the map is too pale on white."""
    return [
        to_hex(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0, 0.9, layers))
    ]


def _mark(axes: Axes, value: float, label: str, colour: str, *, dashed: bool = False) -> Annotation:
    """A horizontal line with its name right of the panel."""
    pattern = (0, (4, 2)) if dashed else "-"
    axes.axhline(value, color=colour, linewidth=0.8, linestyle=pattern, zorder=1)
    return axes.annotate(
        label,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(1.03, 0.5),
        textcoords="axes fraction",
        color=colour,
        fontsize=_SMALL,
        va="center",
        annotation_clip=False,
        arrowprops={
            "arrowstyle": "-", "color": colour, "linewidth": 0.5,
            "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5),
        },
    )  # fmt: skip


def _part(figure: Figure, axes: Axes, marks: Sequence[Annotation]) -> None:
    """Names beside their lines, but moved so that none covers another."""
    pixels = axes.transData.transform([(0.5, mark.xy[1]) for mark in marks])
    wanted = axes.transAxes.inverted().transform(pixels)[:, 1]
    line = _SMALL * _LINE * figure.dpi / 72
    gap = line / axes.get_window_extent().height
    for mark, place in zip(marks, _spread(wanted, gap), strict=True):
        mark.xyann = (mark.xyann[0], place)


def _spread(wanted: Numbers, gap: float) -> Numbers:
    """Places at least `gap` apart and below 1, in the order of `wanted` and near to it."""
    order = np.argsort(wanted, kind="stable")
    places = wanted[order]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    limit = 1.0
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - gap
    found = np.empty_like(places)
    found[order] = places
    return found


def _headline(figure: Figure, axes: Axes, note: str, title: str | None, width: float) -> None:
    axes.set_title(_wrapped(note, width, _SMALL), loc="left", color=_GREY)
    if title is not None:
        room = figure.get_figwidth() * 72 - 16
        text = _wrapped(_clean(title), room, _BODY + 1)
        figure.suptitle(text, x=8 / 72 / figure.get_figwidth(), ha="left", fontsize=_BODY + 1)


def _settle(figure: Figure) -> Figure:
    """Lays the figure out once and for all, so that drawing it again gives the same."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
    figure.set_layout_engine("none")
    return figure


# -------------------------------------------------------------------------------- drawing: gallery

_EDGE, _GAP = 8.0, 5.0
"""Margin of a sheet and space between its pictures, in points."""


@dataclass(frozen=True)
class _Sheet:
    """The gallery's layout, in points from the top left corner.

    Everything is drawn in one set of axes: hundreds of small ones would take many seconds.
    """

    images: list[str]
    layers: list[str]
    picture: tuple[int, int]
    d: Numbers
    rho: Numbers
    title: str | None
    note: str

    @property
    def blocks(self) -> list[range]:
        """The layers of each block of rows, as evenly as can be."""
        most = 12 if len(self.images) <= 4 else 16
        count = -(-len(self.layers) // most)
        each = -(-len(self.layers) // count)
        starts = range(0, len(self.layers), each)
        return [range(start, min(start + each, len(self.layers))) for start in starts]

    @property
    def cell(self) -> float:
        """Width of a column."""
        return float(np.clip(470 / (2 + len(self.blocks[0])), 56, 110))

    @property
    def picture_size(self) -> tuple[float, float]:
        height, width = self.picture
        scale = self.cell / max(width, height / 1.5)
        # A stripe still has some pixels on paper.
        return max(width * scale, 4.0), max(height * scale, 4.0)

    @property
    def names(self) -> list[str]:
        return [_name_lines(name, 66.0, _BODY) for name in self.images]

    @property
    def heading_size(self) -> float:
        return _BODY if self.cell > 70 else _SMALL

    @property
    def headings(self) -> list[str]:
        return [_name_lines(name, self.cell, self.heading_size) for name in self.layers]

    @property
    def captions(self) -> list[list[str]]:
        """`[L][B]`; in one line if all fit, else in two."""
        pairs = [
            [(f"D {_number(d)}", f"ρ {_number(rho)}") for d, rho in zip(*rows, strict=True)]
            for rows in zip(self.d, self.rho, strict=True)
        ]
        widest = _widest(("  ".join(pair) for row in pairs for pair in row), _SMALL)
        join = "  " if widest <= self.cell + _GAP - 2 else "\n"
        return [[join.join(pair) for pair in row] for row in pairs]

    def draw(self, columns: npt.NDArray[np.float32]) -> Figure:
        """`columns` is `[2 + L, B, H, W, 3]`: targets, starts, and the layers'."""
        captions, headings = self.captions, self.headings
        name_width = _widest(self.names, _BODY)
        left = _EDGE + name_width + _GAP
        width = left + (2 + len(self.blocks[0])) * (self.cell + _GAP) - _GAP + _EDGE
        title = _wrapped(_clean(self.title or ""), width - 2 * _EDGE, _BODY + 1)
        note = _wrapped(self.note, width - 2 * _EDGE, _SMALL)
        top = _EDGE + (_height([title], _BODY + 1) + 4 if title else 0)
        heading = _height(headings, self.heading_size) + 2
        row = self.picture_size[1] + _height(captions[0], _SMALL) + 8
        row = max(row, _height(self.names, _BODY) + 4)
        block = heading + len(self.images) * row + 6
        height = top + len(self.blocks) * block + _height([note], _SMALL) + _EDGE

        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.text(_EDGE, _EDGE, title, fontsize=_BODY + 1, va="top")
        for layers in self.blocks:
            shown = {0: "target", 1: "start"} | {2 + layer: headings[layer] for layer in layers}
            for place, (column, name) in enumerate(shown.items()):
                x = left + place * (self.cell + _GAP)
                foot = top + heading - 2 - self.heading_size / 4
                self._text(axes, x, foot, name, "baseline", self.heading_size)
                for image, picture in enumerate(columns[column]):
                    y = top + heading + image * row
                    self._picture(axes, x, y, picture)
                    if column >= 2:
                        below = y + self.picture_size[1] + 1.5
                        self._text(axes, x, below, captions[column - 2][image], "top", _SMALL)
            self._row_names(axes, left - _GAP, top + heading, row)
            top += block
        axes.text(_EDGE, top, note, fontsize=_SMALL, va="top", color=_GREY, linespacing=1.1)
        axes.set(xlim=(0, width), ylim=(height, 0))
        return figure

    def _picture(self, axes: Axes, x: float, y: float, picture: npt.NDArray[np.float32]) -> None:
        width, height = self.picture_size
        x += (self.cell - width) / 2
        axes.imshow(picture, extent=(x, x + width, y + height, y), aspect="auto")
        # A white picture would have no edge on paper.
        frame = Rectangle((x, y), width, height, fill=False, edgecolor=_GREY, linewidth=0.3)
        axes.add_patch(frame)

    def _text(self, axes: Axes, x: float, y: float, text: str, va: str, size: float) -> None:
        axes.text(x + self.cell / 2, y, text, fontsize=size, ha="center", va=va, linespacing=1.1)

    def _row_names(self, axes: Axes, x: float, y: float, row: float) -> None:
        for image, name in enumerate(self.names):
            middle = max(self.picture_size[1], _height([name], _BODY)) / 2
            middle += y + image * row
            axes.text(x, middle, name, fontsize=_BODY, ha="right", va="center", linespacing=1.1)


# ----------------------------------------------------------------------- drawing: against the depth


def _depth_panels(layers: list[str]) -> tuple[Figure, tuple[Axes, Axes], float]:
    """Two panels above each other with the layers along x, and the width of each in points."""
    width = float(np.clip(24 * len(layers), 270, 720))
    step = width / len(layers)
    widest = _widest(layers, _SMALL)
    every = max(1, int(np.ceil(_SMALL * _LINE / step)))
    if widest + 6 <= step:
        turn, below = 0, _SMALL
    elif step > 18:
        turn, below = 45, 0.71 * widest
    else:
        turn, below = 90, widest
    figure = Figure(figsize=((width + 130) / 72, (320 + below) / 72))
    figure.set_layout_engine("constrained")
    above, under = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    under.set_xticks(
        range(0, len(layers), every),
        layers[::every],
        rotation=turn,
        ha="right" if turn == 45 else "center",
        rotation_mode="anchor" if turn == 45 else "default",
        parse_math=False,
    )
    for axes in (above, under):
        axes.grid(axis="x", color=_PALE, linewidth=0.4)
        axes.set_axisbelow(True)
    under.set_xlim(-0.6, len(layers) - 0.4)
    return figure, (above, under), width


def _depth_lines(axes: Axes, values: Numbers) -> None:
    """`values` is `[L, N]`: a thin line each, and their median."""
    depth = np.arange(len(values))
    if values.shape[1] > 1:
        alpha = float(np.clip(4 / values.shape[1], 0.15, 0.6))
        axes.plot(
            depth, values, color=_BLUE, alpha=alpha, linewidth=0.7, marker="o", markersize=1.6
        )
    axes.plot(depth, _median(values), color=_BLUE, linewidth=1.8, marker="o", markersize=3.6)


def _baseline_marks(axes: Axes, baselines: Mapping[str, Numbers]) -> list[Annotation]:
    marks = []
    for index, (key, values) in enumerate(baselines.items()):
        known = _drawable(values)
        known = known[np.isfinite(known)]
        if not known.size:
            continue
        colour = _BASELINE_COLOURS[index % len(_BASELINE_COLOURS)]
        middle = float(np.median(known))
        name = _BASELINE_NAMES.get(key, _shortened(_clean(key), 24))
        axes.axhspan(known.min(), known.max(), color=colour, alpha=0.13, linewidth=0)
        marks.append(_mark(axes, middle, f"{name}  {_number(middle)}", colour))
    return marks


# -------------------------------------------------------------------------- drawing: trajectories


def _trajectory_panels(layers: list[str]) -> tuple[Figure, tuple[Axes, Axes]]:
    figure = Figure(figsize=((500 + _widest(layers, _SMALL)) / 72, 3.2))
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2)
    left.set(xlabel="step", ylabel="embedding ratio ρ")
    right.set(xlabel="embedding ratio ρ  (better match →)", ylabel="input ratio D")
    return figure, (left, right)


def _mark_across(axes: Axes, value: float, label: str) -> None:
    """A vertical line with its name above the panel."""
    axes.axvline(value, color=_GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    where = axes.get_xaxis_transform()
    axes.text(
        value, 1.01, label, transform=where, ha="center", va="bottom", color=_GREY, fontsize=_SMALL
    )
    # Descents run from left to right, as they do over the steps.
    axes.invert_xaxis()


def _descent_lines(axes: Axes, x: Numbers, y: Numbers, colour: str) -> None:
    """`x` is `[T]` or `[T, N]`, `y` `[T, N]`: thin lines, their median, and a dot at its end."""
    if y.shape[1] > 1:
        axes.plot(x, y, color=colour, alpha=0.4, linewidth=0.5, zorder=2)
    across, up = x if x.ndim == 1 else _median(x), _median(y)
    axes.plot(across, up, color=colour, linewidth=1.6, zorder=3)
    ends = np.flatnonzero(np.isfinite(across) & np.isfinite(up))[-1:]
    axes.plot(across[ends], up[ends], color=colour, marker="o", markersize=3.5, zorder=4)


def _depth_key(figure: Figure, panels: list[Axes], layers: list[str], colours: list[str]) -> None:
    """Which colour is which layer: a legend, or for many layers a colour bar."""
    if len(layers) <= _LEGEND_MOST:
        lines = [Line2D([], [], color=colour, linewidth=1.8) for colour in colours]
        figure.legend(lines, layers, loc="outside right center", title="layer", handlelength=1.2)
        return
    edges = np.arange(len(layers) + 1) - 0.5
    scale = ScalarMappable(BoundaryNorm(edges, len(layers)), ListedColormap(colours))
    bar = figure.colorbar(scale, ax=panels, fraction=0.04, pad=0.02, aspect=28)
    every = -(-(len(layers) - 1) // _LEGEND_MOST)
    shown = list(range(0, len(layers), every))
    bar.set_ticks(shown, labels=[layers[index] for index in shown], parse_math=False)
    bar.minorticks_off()
    bar.set_label("layer, shallow to deep")
    bar.ax.invert_yaxis()


# ------------------------------------------------------------------------------- drawing: matrix


def _matrix(rows: list[str], columns: list[str], values: Numbers, title: str | None) -> Figure:
    """Laid out in points, for the cells to have the size that their numbers need."""
    written = len(columns) <= _WRITTEN_MOST
    numbers = [[_number(value) for value in row] for row in values]
    cell = float(np.clip(480 / len(columns), 9, 13))
    if written:
        cell = max(28.0, _widest((text for row in numbers for text in row), _SMALL) + 6)
    # The axis titles and the colour bar need some room beside a single cell.
    wide = max(cell, 100 / len(columns))
    high = max(min(cell, 480 / len(rows)), 13.0, 110 / len(rows))
    upright = _widest(columns, _SMALL) + 4 > wide
    below = _widest(columns, _SMALL) if upright else _SMALL
    left = _EDGE + 2 * _BODY + _widest(rows, _SMALL) + 6
    width = left + wide * len(columns) + 105
    text = _wrapped(_clean(title or ""), width - 2 * _EDGE, _BODY + 1)
    note = _wrapped(_matrix_note(rows, columns, values), width - 2 * _EDGE, _SMALL)
    top = _EDGE + _height([text], _BODY + 1) + _height([note], _SMALL) + 6
    height = top + high * len(rows) + below + 2 * _BODY + 4 + _EDGE

    figure = Figure(figsize=(width / 72, height / 72))
    axes = _axes_at(figure, left, top, wide * len(columns), high * len(rows))
    mesh, extend, span = _heat(axes, values)
    if written:
        _cell_numbers(axes, mesh, numbers)
    _outline_same(axes, rows, columns)
    axes.set_xticks(range(len(columns)), columns, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)
    axes.tick_params(length=0)
    axes.set(xlabel="measured at", ylabel="image recovered from")
    tall = min(high * len(rows), 240.0)
    beside = _axes_at(figure, left + wide * len(columns) + 14, top, 9.0, tall)
    _ratio_bar(figure, mesh, beside, extend, span)
    figure.text(_EDGE / width, 1 - _EDGE / height, text, va="top", fontsize=_BODY + 1)
    at = 1 - (top - 5) / height
    figure.text(_EDGE / width, at, note, va="bottom", fontsize=_SMALL, color=_GREY)
    # Ticks are made when first drawn; they have to be made in this style.
    figure.draw_without_rendering()
    return figure


def _axes_at(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place given in points from the top left corner."""
    across, along = figure.get_size_inches() * 72
    return figure.add_axes((x / across, 1 - (y + height) / along, width / across, height / along))


def _matrix_note(rows: list[str], columns: list[str], values: Numbers) -> str:
    parts = []
    if set(rows) & set(columns):
        parts.append("Outlined: measured where the image was recovered from.")
    if np.isnan(values).any():
        parts.append("Grey: no value.")
    return " ".join(parts)


def _heat(axes: Axes, values: Numbers) -> tuple[QuadMesh, str, float]:
    """The cells, which ends of the colour scale do not hold all values, and its upper end."""
    known = values[np.isfinite(values) & (values > 0)]
    reach = np.abs(np.log10(known)).max() if known.size else 1.0
    # Three decades each way: beyond, one would not tell the others apart.
    span = float(10 ** np.clip(reach, np.log10(2), 3))
    beyond = (bool((values < 1 / span).any()), bool((values > span).any()))
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[beyond]
    mesh = axes.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5,
        np.arange(values.shape[0] + 1) - 0.5,
        np.ma.masked_invalid(np.clip(values, 1 / span, span)),
        norm=LogNorm(1 / span, span),
        cmap=matplotlib.colormaps["RdBu_r"].with_extremes(bad=_PALE),
        edgecolors="white",
        linewidth=0.5,
    )
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    return mesh, extend, span


def _cell_numbers(axes: Axes, mesh: QuadMesh, numbers: list[list[str]]) -> None:
    mesh.update_scalarmappable()
    colours = np.asarray(mesh.get_facecolor()).reshape(len(numbers), len(numbers[0]), 4)
    for row, texts in enumerate(numbers):
        for column, text in enumerate(texts):
            # The weights of red, green and blue in what the eye takes for bright.
            bright = colours[row, column, :3] @ (0.299, 0.587, 0.114)
            colour = "white" if bright < 0.5 else _DARK
            axes.text(column, row, text, ha="center", va="center", fontsize=_SMALL, color=colour)


def _outline_same(axes: Axes, rows: list[str], columns: list[str]) -> None:
    for row, name in enumerate(rows):
        for column, other in enumerate(columns):
            if name == other:
                corner = (column - 0.5, row - 0.5)
                axes.add_patch(
                    Rectangle(corner, 1, 1, fill=False, edgecolor=_DARK, linewidth=1, clip_on=False)
                )


def _ratio_bar(figure: Figure, mesh: QuadMesh, beside: Axes, extend: str, span: float) -> None:
    bar = figure.colorbar(mesh, cax=beside, extend=extend)
    ticks = _log_ticks(1 / span, span)
    bar.set_ticks(ticks, labels=["1 noisy copy" if tick == 1 else _number(tick) for tick in ticks])
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label("median embedding ratio ρ")


# ------------------------------------------------------------------------------------------ files


def _rendered(figure: Figure, kind: str, dpi: int, metadata: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=dpi, metadata=metadata)
    return content.getvalue()


@contextmanager
def _own_pixels(figure: Figure, dpi: int) -> Iterator[None]:
    """Pictures coarser than the paper go into the PDF as they are: exact, small and fast."""
    pictures = [found for found in figure.findobj(AxesImage) if isinstance(found, AxesImage)]
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
