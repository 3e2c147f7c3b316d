"""Tidy rows as tables that fit into a page, and as charts against depth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from depthjax.figures.text import TOO_FEW, counted
from depthjax.folders import results
from depthjax.report.columns import LOGARITHMIC, axis_label, column
from depthjax.report.contents import Chart, Column, Series, Table
from depthjax.statistics import LEAST, finite_median, interval_of

MOST_ROWS = 1_000
_MOST_CHARTS = 12
_EXAMPLES = ("image", "origin", "number", "restart", "seed", "output_channel", "draw")
"""Columns that number the examples of one thing."""
_NUMBERED = ("depth", "label", "target_label", "direction", "sign", *_EXAMPLES)
"""Columns of whole numbers that are names of things, whose mean says nothing."""
_LINES = ("network", "control")
"""Columns whose values are each a line of a chart."""
_LONGEST_TITLE = 40

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
    panels = _panels(rows)
    keys = [name for name in rows[0] if name in (*_LINES, "layer", *panels)]
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


def _panels(rows: Rows) -> list[str]:
    """The columns of words that tell apart what was measured at one layer with one example.

    A column with one value for each layer or example, such as why a descent stopped or which
    operation is the narrowest, describes these and tells nothing apart.
    """
    panels: list[str] = []
    for name in rows[0]:
        words = all(isinstance(row[name], str) for row in rows)
        if not words or name in (*_LINES, "layer", *_EXAMPLES):
            continue
        place = [key for key in (*_LINES, "layer", *_EXAMPLES, *panels) if key in rows[0]]
        pairs = {(tuple(row[key] for key in place), row[name]) for row in rows}
        if len(pairs) > len({where for where, _ in pairs}):
            panels.append(name)
    return panels


def depth_charts(
    rows: Rows,
    wanted: Sequence[tuple[str, Mapping[str, str], str]] = (),
    *,
    seeds: str = "weight seed",
) -> list[Chart]:
    """Means against depth with intervals over seeds × images: a line for each network.

    Args:
        rows: with `layer` and `depth`, and mostly with `network`, `seed` and `image`.
        wanted: the charts: the quantity, the values that its rows have in common, and the title.
            By default there is a chart of every quantity for each combination of the other words
            that was measured at all layers, 12 at most.
        seeds: what a seed is of, in words.
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
    panels = _panels(rows)
    numbers = [
        name
        for name in rows[0]
        if name not in _NUMBERED and all(isinstance(row[name], int | float) for row in rows)
    ]
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in panels), []).append(row)
    depths = {row["depth"] for row in rows}
    # What was measured at some layers alone, such as recovered images, is no line against depth.
    places = [place for place, there in groups.items() if {row["depth"] for row in there} == depths]
    differing = [index for index in range(len(panels)) if len({at[index] for at in places}) > 1]
    wanted = []
    for quantity in numbers:
        for place in places:
            if not any(_finite(row[quantity]) for row in groups[place]):
                continue
            title = _title([column(quantity).label, *(place[index] for index in differing)])
            wanted.append((quantity, dict(zip(panels, place, strict=True)), title))
    return wanted[:_MOST_CHARTS]


def _title(parts: Sequence[str]) -> str:
    """A quantity and where it was measured, with commas between; too long words lose their ends.

    The first becomes a capital letter if it begins a word: ρ and m_i are no words.
    """
    quantity, *places = parts
    quantity = _cut(quantity, _LONGEST_TITLE)
    while places and len(", ".join([quantity, *places])) > _LONGEST_TITLE:
        longest = max(places, key=len)
        if len(longest) < 3:
            break
        places[places.index(longest)] = _cut(longest, len(longest) - 1)
    title = _cut(", ".join([quantity, *places]), _LONGEST_TITLE)
    begins_a_word = title[:1].isascii() and title[1:2].isalpha()
    return title[:1].upper() + title[1:] if begins_a_word else title


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].removesuffix("…") + "…"


def _depth_chart(rows: Rows, quantity: str, title: str, of_seeds: str) -> Chart:
    layers = _layer_names(rows)
    networks = list(dict.fromkeys(map(_line, rows)))
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
    some_seeds, some_examples = counted(seeds, of_seeds), counted(examples, "example")
    note = f"{mean} over {some_seeds} × {some_examples}"
    if any(np.isfinite([*(one.low or ()), *(one.high or ())]).any() for one in series):
        sample = f"{some_seeds} × {some_examples}"
        if min(seeds, examples) < LEAST:
            these = (some_examples, some_seeds) if examples > seeds else (some_seeds, some_examples)
            sample = " of these ".join(these)
        note = f"{mean}, 95\u00a0% intervals over {sample}"
    elif max(seeds, examples) < LEAST:
        note += f"; {TOO_FEW}"
    return Chart(
        title,
        "layer",
        axis_label(quantity),
        series,
        ticks=list(layers.values()),
        log_y=logarithmic,
        marks={"noisy copy": 1.0} if quantity == "embedding_ratio" else {},
        note=f"{note}.",
    )


def _layer_names(rows: Rows) -> dict[int, str]:
    """The layer at each depth; the depth itself where networks have different ones there."""
    names: dict[int, set[str]] = {}
    for row in rows:
        names.setdefault(int(row["depth"]), set()).add(str(row["layer"]))
    return {
        depth: here.pop() if len(here) == 1 else f"depth {depth}"
        for depth, here in sorted(names.items())
    }


def _line(row: Mapping[str, Any]) -> str:
    """Which line of a chart a row belongs to."""
    return str(next((row[name] for name in _LINES if name in row), ""))


def _rows_at(rows: Rows, network: str, depth: int) -> Rows:
    return [row for row in rows if int(row["depth"]) == depth and _line(row) == network]


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
