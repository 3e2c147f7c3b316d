"""The descents of every layer: distances against the step and against each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from depthjax.figures.panels import NOISY_COPY, headline, mark_noisy_copy, separate_names, settle
from depthjax.figures.scale import at_the_edge, edge_note, log_scale
from depthjax.figures.style import GREY, SMALL, styled
from depthjax.figures.text import widest
from depthjax.figures.values import (
    Numbers,
    checked_labels,
    drawable,
    median,
    missing_note,
    strokes_note,
)

_LEGEND_MOST = 12
"""Layers in a legend; more get a colour bar."""


def trajectories(
    layer_labels: Sequence[str],
    steps: ArrayLike | Sequence[ArrayLike],
    embedding_ratio: Sequence[ArrayLike],
    input_ratio: Sequence[ArrayLike],
    *,
    title: str | None = None,
) -> Figure:
    """ρ against the step (left), and D against ρ (right): does a better match recover the image?

    Each layer has its colour, from dark (shallow) to light (deep). Thin lines are descents, thick
    lines their medians at every record. In the right panel, too, descents run from left to right.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        steps: step of every record, `[T]`; one array for all layers, or one for each layer.
        embedding_ratio: ρ of every record, for each layer `[T, N]` or `[T, starts, images]`.
        input_ratio: D of every record, likewise; NaN where it was not recorded.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together.
    """
    layers = checked_labels(layer_labels, "layer")
    runs = _descents(layers, steps, embedding_ratio, input_ratio)
    rho = np.concatenate([run.rho.ravel() for run in runs])
    d = np.concatenate([run.d.ravel() for run in runs])
    colours = _depth_colours(len(layers))
    with styled():
        figure, (left, right) = _panels(layers)
        shown = [at_the_edge(run.d, d) for run in runs]
        for run, shown_d, colour in zip(runs, shown, colours, strict=True):
            _lines(left, run.steps, run.rho, colour)
            _lines(right, run.rho, shown_d, colour)
        log_scale(left, "x", *(run.steps for run in runs), margin=1.1)
        log_scale(left, "y", rho, 1.0)
        log_scale(right, "x", rho[np.isfinite(d)], 1.0)
        log_scale(right, "y", *shown)
        # ρ falls, so that descents run from left to right.
        right.invert_xaxis()
        mark = mark_noisy_copy(left)
        _mark_noisy_copy_across(right)
        if not np.isfinite(d).any():
            right.text(0.5, 0.5, "D was not recorded", transform=right.transAxes, ha="center")
        _depth_key(figure, [left, right], layers, colours)
        note = _sample_size([run.rho.shape[1] for run in runs]) + missing_note(rho)
        note += edge_note(*((run.d, shown_d) for run, shown_d in zip(runs, shown, strict=True)))
        headline(figure, left, note, 190.0, title)
        settle(figure)
        separate_names(figure, left, [mark])
        return figure


@dataclass(frozen=True)
class _Descents:
    """The records of one layer: steps `[T]`, ρ and D `[T, N]`; NaN where one cannot be drawn."""

    steps: Numbers
    rho: Numbers
    d: Numbers


def _descents(
    layers: list[str],
    steps: ArrayLike | Sequence[ArrayLike],
    embedding_ratio: Sequence[ArrayLike],
    input_ratio: Sequence[ArrayLike],
) -> list[_Descents]:
    for name, ratios in (("embedding_ratio", embedding_ratio), ("input_ratio", input_ratio)):
        if len(ratios) != len(layers):
            raise ValueError(f"{len(layers)} layer labels, but {name} is for {len(ratios)} layers")
    given = steps if isinstance(steps, Sequence) else np.asarray(steps)
    entries = [np.asarray(entry, np.float64) for entry in given]
    if all(entry.ndim == 0 for entry in entries):
        entries = [np.array(entries, np.float64)] * len(layers)
    if len(entries) != len(layers):
        raise ValueError(f"{len(layers)} layer labels, but steps is for {len(entries)} layers")
    together = zip(layers, entries, embedding_ratio, input_ratio, strict=True)
    return [_layer_descents(*arrays) for arrays in together]


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
        ratios[name] = drawable(array.reshape(len(array), -1))
    if ratios["embedding_ratio"].shape != ratios["input_ratio"].shape:
        raise ValueError(
            f"{layer}: embedding_ratio has shape {np.shape(rho)}, but input_ratio {np.shape(d)}"
        )
    return _Descents(steps, ratios["embedding_ratio"], ratios["input_ratio"])


def _sample_size(counts: list[int]) -> str:
    least, most = min(counts), max(counts)
    some = f"{most}" if least == most else f"{least}–{most}"
    each = "descent" if most == 1 else "descents"
    return f"n = {some} {each} per layer{strokes_note(most)}"


def _depth_colours(layers: int) -> list[str]:
    """Colours from dark to light; the palest tenth of the map would not be seen on white."""
    return [
        to_hex(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0, 0.9, layers))
    ]


def _panels(layers: list[str]) -> tuple[Figure, tuple[Axes, Axes]]:
    size = (500 + widest(layers, SMALL)) / 72, 3.2
    figure = Figure(figsize=size, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set(xlabel="step", ylabel="embedding ratio ρ")
    right.set(xlabel="embedding ratio ρ  (better match →)", ylabel="input ratio D")
    return figure, (left, right)


def _lines(axes: Axes, x: Numbers, y: Numbers, colour: str) -> None:
    """Draws thin lines, their median, and a point at its end; `x` is `[T]` or `[T, N]`."""
    if y.shape[1] > 1:
        axes.plot(x, y, color=colour, alpha=0.4, linewidth=0.5, zorder=2)
    across, up = x if x.ndim == 1 else median(x), median(y)
    axes.plot(across, up, color=colour, linewidth=1.6, zorder=3)
    ends = np.flatnonzero(np.isfinite(across) & np.isfinite(up))[-1:]
    axes.plot(across[ends], up[ends], color=colour, marker="o", markersize=3.5, zorder=4)


def _mark_noisy_copy_across(axes: Axes) -> None:
    """Draws the vertical line of the noisy copy, and its name above the panel."""
    axes.axvline(1.0, **NOISY_COPY)
    where = axes.get_xaxis_transform()
    name = axes.text(1.0, 1.01, "noisy copy", transform=where, ha="center", va="bottom")
    name.set(color=GREY, fontsize=SMALL)


def _depth_key(figure: Figure, panels: list[Axes], layers: list[str], colours: list[str]) -> None:
    """Explains the colours of the layers by a legend, or for many layers by a colour bar."""
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
