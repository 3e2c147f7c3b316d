"""Tidy rows as tables that fit into a page, and as charts against depth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from depthjax.folders import results
from depthjax.report.columns import LOGARITHMIC, axis_label, column
from depthjax.report.contents import Chart, Column, Series, Table
from depthjax.statistics import LEAST, finite_median, interval_of

MOST_ROWS = 1_000
_MOST_CHARTS = 12
_EXAMPLES = ("image", "origin", "number", "restart", "seed", "output_channel", "draw")
"""Columns that number the examples of one thing. Any other column of words tells things apart."""
_NUMBERED = ("depth", *_EXAMPLES)

Rows = Sequence[Mapping[str, Any]]


def read_csv(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, whose cells are numbers or words: truth values and gaps are words."""

    def shown(value: Any) -> Any:
        return "" if value is None else str(value) if isinstance(value, bool) else value

    return [{name: shown(value) for name, value in row.items()} for row in results.read_csv(path)]


def table(title: str, rows: Rows, note: str = "", *, where: str = "results.csv") -> Table:
    """The rows as a table; of more than `MOST_ROWS`, the medians of each group of examples.

    Args:
        title: above the table.
        rows: all with the same columns.
        note: below the table.
        where: the file that has all rows.
    """
    if len(rows) > MOST_ROWS:
        count = len(rows)
        rows = _grouped(rows)
        note = f"Medians over examples; all {count} rows are in {where}. {note}".strip()
    columns: list[Column] = [column(name) for name in rows[0]]
    return Table(title, columns, [list(row.values()) for row in rows], note)


def _grouped(rows: Rows) -> Rows:
    """The medians of rows that differ only by example, with their number `n`."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    keys = [name for name in rows[0] if _tells_apart(rows, name)]
    for row in rows:
        groups.setdefault(tuple(row[name] for name in keys), []).append(row)
    numbers = [
        name
        for name in rows[0]
        if name not in keys
        and name not in _NUMBERED
        and all(isinstance(row[name], int | float) for row in rows)
    ]
    medians = [
        dict(zip(keys, key, strict=True))
        | {"n": len(group)}
        | {name: finite_median([row[name] for row in group]) for name in numbers}
        for key, group in groups.items()
    ]
    return medians[:MOST_ROWS]


def _tells_apart(rows: Rows, name: str) -> bool:
    return name not in _EXAMPLES and all(isinstance(row[name], str) for row in rows)


def depth_charts(
    rows: Rows,
    wanted: Sequence[tuple[str, Mapping[str, str], str]] = (),
    *,
    seeds: str = "weight seeds",
) -> list[Chart]:
    """Means against depth with intervals over seeds × images: a line for each network.

    Args:
        rows: with `layer` and `depth`, and mostly with `network`, `seed` and `image`.
        wanted: the charts: the quantity, the values that its rows have in common, and the title.
            By default there is a chart of every quantity for each combination of the other words
            in a row, 12 at most.
        seeds: what the seeds are of, in words.
    """
    if not wanted:
        wanted = _every_chart(rows)
    charts = []
    for quantity, where, title in wanted:
        chosen = [row for row in rows if all(row[name] == value for name, value in where.items())]
        if chosen and quantity in chosen[0] and any(_finite(row[quantity]) for row in chosen):
            charts.append(_depth_chart(chosen, quantity, title, seeds))
    return charts


def _every_chart(rows: Rows) -> Sequence[tuple[str, Mapping[str, str], str]]:
    first = rows[0]
    lines = {"network", "layer"}
    panels = [name for name in first if _tells_apart(rows, name) and name not in lines]
    numbers = [
        name
        for name in first
        if name not in (*_NUMBERED, *panels, *lines)
        and all(isinstance(row[name], int | float) for row in rows)
    ]
    places = list(dict.fromkeys(tuple(row[name] for name in panels) for row in rows))
    wanted = []
    for quantity in numbers:
        for place in places:
            title = ", ".join([column(quantity).label, *place])
            common = dict(zip(panels, place, strict=True))
            wanted.append((quantity, common, title[:1].upper() + title[1:]))
    return wanted[:_MOST_CHARTS]


def _depth_chart(rows: Rows, quantity: str, title: str, of_seeds: str) -> Chart:
    layers = dict(sorted({int(row["depth"]): str(row["layer"]) for row in rows}.items()))
    networks = list(dict.fromkeys(str(row.get("network", "")) for row in rows))
    logarithmic = quantity in LOGARITHMIC
    depths = list(map(float, range(len(layers))))
    series, sizes = [], set()
    for network in networks:
        intervals = []
        for depth in layers:
            values = _by_seed(_rows_at(rows, network, depth), quantity, logarithmic)
            sizes.add(values.shape)
            known = np.isfinite(values).any()
            interval = interval_of(values)[:3] if known else (np.nan,) * 3
            intervals.append(np.exp(interval) if logarithmic else np.array(interval))
        estimate, low, high = np.array(intervals).T.tolist()
        series.append(Series(network or "all", depths, estimate, low, high))
    seeds, examples = max(sizes)
    mean = "Geometric means" if logarithmic else "Means"
    sample = f"{seeds} {of_seeds} × {examples} examples"
    if min(seeds, examples) < LEAST <= max(seeds, examples):
        sample = f"{examples} examples of these {seeds} {of_seeds}"
        if seeds > examples:
            sample = f"{seeds} {of_seeds}, of these {examples} examples"
    return Chart(
        title,
        "layer",
        axis_label(quantity),
        series,
        ticks=list(layers.values()),
        log_y=logarithmic,
        marks={"noisy copy": 1.0} if quantity == "embedding_ratio" else {},
        note=f"{mean}, 95\u00a0% intervals over {sample}.",
    )


def _rows_at(rows: Rows, network: str, depth: int) -> Rows:
    return [
        row for row in rows if int(row["depth"]) == depth and str(row.get("network", "")) == network
    ]


def _by_seed(rows: Rows, quantity: str, logarithmic: bool) -> np.ndarray:
    """The values `[seeds, examples]`, or their logarithms; NaN where there is none.

    The mean is taken of several rows of one example, such as the patches of one photograph.
    """
    name = next((name for name in ("image", "origin") if rows and name in rows[0]), None)
    seeds = list(dict.fromkeys(row.get("seed") for row in rows))
    examples = list(dict.fromkeys(row[name] if name else 0 for row in rows))
    groups: dict[tuple[Any, Any], list[float]] = {}
    for row in rows:
        value = row[quantity]
        if not _finite(value) or (logarithmic and value <= 0):
            continue
        key = row.get("seed"), row[name] if name else 0
        groups.setdefault(key, []).append(float(np.log(value)) if logarithmic else float(value))
    return np.array(
        [
            [
                np.mean(groups[seed, example]) if (seed, example) in groups else np.nan
                for example in examples
            ]
            for seed in seeds
        ]
    )


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))
