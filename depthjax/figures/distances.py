"""Distances of recovered images and of their embeddings, layer by layer."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from numpy.typing import ArrayLike

from depthjax.figures.panels import (
    faint_grid,
    headline,
    mark,
    mark_noisy_copy,
    separate_names,
    settle,
)
from depthjax.figures.scale import at_the_edge, edge_note, log_scale
from depthjax.figures.style import BLUE, COLOURS, LINE, SMALL, colours, styled
from depthjax.figures.text import counted, short_name, short_number, widest
from depthjax.figures.values import (
    Numbers,
    checked_labels,
    drawable,
    is_drawable,
    median,
    missing_note,
    strokes_note,
)

_BASELINE_NAMES = {"start": "start D₀", "flat": "mean colour", "blur": "blurred target"}
"""Labels for the keys of `inversion.metrics.baselines`; another key is its own label."""


def distances_against_depth(
    layer_labels: Sequence[str],
    input_ratio: ArrayLike,
    embedding_ratio: ArrayLike,
    baselines: Mapping[str, ArrayLike],
    *,
    luminance_r2: ArrayLike | None = None,
    title: str | None = None,
) -> Figure:
    """D (above), r² and ρ (below) of every image and start, with D of the baselines.

    The axes of D and ρ are logarithmic, over four decades at most: a value below is drawn at the
    edge, and zero has a place of its own there. Values that are not finite are not drawn, and the
    figure says how many there are.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        input_ratio: D, `[L]`, `[L, images]` or `[L, starts, images]`.
        embedding_ratio: ρ, shaped like `input_ratio`.
        baselines: D by name, as from `inversion.metrics.baselines`; any shape. A line marks the
            median, a band the range.
        luminance_r2: r², shaped like `input_ratio`; without it there is no panel of it.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together.
    """
    layers = checked_labels(layer_labels, "layer")
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
    r2 = None if luminance_r2 is None else np.asarray(luminance_r2, np.float64)
    if r2 is not None and r2.shape != d.shape:
        raise ValueError(f"input_ratio has shape {d.shape}, but luminance_r2 {r2.shape}")
    given = {name: np.asarray(values, np.float64).ravel() for name, values in baselines.items()}
    shown_d, shown_rho = at_the_edge(d, 1.0, *given.values()), at_the_edge(rho, 1.0)
    note = _sample_size(d.shape[1:]) + strokes_note(d[0].size) + missing_note(d, rho)
    note += edge_note((d, shown_d), (rho, shown_rho))
    with styled():
        figure, (above, *between, below), width = _panels(layers, 2 if r2 is None else 3)
        _lines(above, shown_d)
        _lines(below, shown_rho)
        for axes in between:
            assert r2 is not None
            _lines(axes, r2)
            axes.set(ylim=(-0.05, 1.05), yticks=(0, 0.25, 0.5, 0.75, 1))
            axes.set_ylabel("r² of luminance\n(1: image recovered)")
        # The limits are set before the bands are drawn, which would widen them.
        log_scale(above, "y", shown_d, 1.0, *given.values())
        log_scale(below, "y", shown_rho, 1.0)
        marks = [mark_noisy_copy(above), *_baseline_marks(above, given)]
        other = mark_noisy_copy(below)
        above.set_ylabel("input ratio D\n(0: image recovered)")
        below.set_ylabel("embedding ratio ρ")
        below.set_xlabel("layer, shallow to deep")
        headline(figure, above, note, width, title)
        settle(figure)
        separate_names(figure, above, marks)
        separate_names(figure, below, [other])
        return figure


def _sample_size(shape: tuple[int, ...]) -> str:
    images = shape[-1] if shape else 1
    starts = int(np.prod(shape[:-1]))
    return f"n = {counted(images, 'image')} × {counted(starts, 'start')}"


def _panels(layers: list[str], count: int) -> tuple[Figure, list[Axes], float]:
    """Panels above each other, with the layers along x; and their width in points."""
    width = float(np.clip(24 * len(layers), 270, 720))
    step = width / len(layers)
    longest = widest(layers, SMALL)
    every = max(1, int(np.ceil(SMALL * LINE / step)))
    if longest + 6 <= step:
        turn, below = 0, SMALL
    elif step > 18:
        turn, below = 45, 0.71 * longest
    else:
        turn, below = 90, longest
    height = 320 + 120 * (count - 2) + below
    figure = Figure(figsize=((width + 130) / 72, height / 72), layout="constrained")
    heights = (3, *[2] * (count - 1))
    panels = list(figure.subplots(count, 1, sharex=True, height_ratios=heights))
    under = panels[-1]
    under.set_xticks(
        range(0, len(layers), every),
        layers[::every],
        rotation=turn,
        ha="right" if turn == 45 else "center",
        rotation_mode="anchor" if turn == 45 else "default",
        parse_math=False,
    )
    for axes in panels:
        faint_grid(axes, "x")
    under.set_xlim(-0.6, len(layers) - 0.4)
    return figure, panels, width


def _lines(axes: Axes, values: Numbers) -> None:
    """Draws a thin line for each descent, and their median; `values` is `[L, ...]`."""
    lines = drawable(values.reshape(len(values), -1))
    depth, count = np.arange(len(lines)), lines.shape[1]
    if count > 1:
        alpha = float(np.clip(4 / count, 0.15, 0.6))
        axes.plot(depth, lines, color=BLUE, alpha=alpha, linewidth=0.7, marker="o", markersize=1.6)
    axes.plot(depth, median(lines), color=BLUE, linewidth=1.8, marker="o", markersize=3.6)


def _baseline_marks(axes: Axes, baselines: Mapping[str, Numbers]) -> list[Annotation]:
    marks = []
    cycle = colours(len(baselines), COLOURS[1:])  # the first colour is that of the images
    for (key, values), colour in zip(baselines.items(), cycle, strict=True):
        known = values[is_drawable(values)]
        if not known.size:
            continue
        middle = float(np.median(known))
        name = _BASELINE_NAMES.get(key) or short_name(key, 24)
        axes.axhspan(known.min(), known.max(), color=colour, alpha=0.13, linewidth=0)
        marks.append(mark(axes, middle, f"{name}  {short_number(middle)}", colour))
    return marks
