"""Numbers that no finding has: computed from the rows that runs have kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from depthjax.claims.runs import StoredRun
from depthjax.folders.results import read_rows
from depthjax.statistics import Interval, interval_of
from depthjax.studies.rows import Row, among, seed_table
from depthjax.tables import number

Value = str | Callable[[Row], Any]
"""A column, or a function that computes a number from a row."""
Computed = Callable[[Sequence[StoredRun]], Interval | str]
"""A number with its interval, or words with numbers, from runs."""


@dataclass(frozen=True)
class Counted:
    """A number, or words with numbers, from kept rows.

    Fields:
        of: computes it from the runs.
        runs: their names; of `compare_*_224` all that begin and end so.
    """

    of: Computed
    runs: tuple[str, ...]

    def among(self, runs: Sequence[StoredRun]) -> list[StoredRun]:
        """Its runs in the order of their names; fewer than it names if some were not kept."""
        return [run for run in runs if any(Path(run.name).match(name) for name in self.runs)]


def mean(value: Value, *, logarithmic: bool = False, **place: Any) -> Computed:
    """The mean over seeds and images of the rows of one run at a place."""
    return lambda runs: interval_of(
        seed_table(_rows(runs[0].folder), value, **place), logarithmic=logarithmic
    )


def difference(value: str, network: str, other: str, **place: Any) -> Computed:
    """The mean difference of two networks of one run; a network with one seed counts for all."""

    def of(runs: Sequence[StoredRun]) -> Interval:
        first, second = (
            seed_table(_rows(runs[0].folder), value, network=name, **place)
            for name in (network, other)
        )
        return interval_of(first - second)

    return of


def ratio_of_runs(value: str, **place: Any) -> Computed:
    """The geometric mean of the first of two runs over the second, descent by descent."""

    def of(runs: Sequence[StoredRun]) -> Interval:
        first, second = (seed_table(_rows(run.folder), value, **place) for run in runs)
        return interval_of(first / second, logarithmic=True)

    return of


def each(value: Value, **place: Any) -> Computed:
    """The numbers of all rows of one run at a place, listed."""
    return lambda runs: ", ".join(map(number, _numbers(runs, value, **place)))


def least_to_most(value: Value, **place: Any) -> Computed:
    """The least and the largest number of the rows of one run at a place: `0.1 to 0.5`."""
    return lambda runs: _range(_numbers(runs, value, **place))


def means_by(column: str, value: str, *, listed: bool = False, **place: Any) -> Computed:
    """The geometric mean for each entry of a column: `0.4 (photographs), 0.9 (noise)`.

    Args:
        column: whose entries are told apart.
        value: the column of the numbers.
        listed: whether all are told, or the least and the largest alone.
        place: columns and their values; all other rows are ignored.
    """

    def of(runs: Sequence[StoredRun]) -> str:
        numbers: dict[str, list[float]] = {}
        for row in among(_rows(runs[0].folder), **place):
            numbers.setdefault(row[column], []).append(row[value])
        means = {name: float(np.exp(np.log(own).mean())) for name, own in numbers.items()}
        told = (f"{number(one)} ({name})" for name, one in means.items())
        return ", ".join(told) if listed else _range(list(means.values()))

    return of


def met(holds: Callable[[Row], bool], **place: Any) -> Computed:
    """Of how many rows of runs at a place something holds: `3 of 5`."""

    def of(runs: Sequence[StoredRun]) -> str:
        held = _numbers(runs, holds, **place)
        return f"{int(sum(held))} of {len(held)}"

    return of


def at_last_layers(networks: Sequence[str], rho: float) -> Computed:
    """How many converging descents from the last layers of comparisons came to ρ: `0 of 70`."""

    def of(runs: Sequence[StoredRun]) -> str:
        nearest = [
            row["best_embedding_ratio"]
            for run in runs
            for row in among(_rows(run.folder), condition="converging")
            if row["layer"] == run.config["layers"][-1] and row["network"] in networks
        ]
        return f"{sum(one <= rho for one in nearest)} of {len(nearest)}"

    return of


def means_by_place(value: str, condition: str, networks: Sequence[str]) -> Computed:
    """The least and the largest of the geometric means of networks at each layer of comparisons."""

    def of(runs: Sequence[StoredRun]) -> str:
        places = _places(runs, condition, networks)
        return _range([float(np.exp(np.log(_column(rows, value)).mean())) for rows in places])

    return of


def largest_late_mean(value: str, networks: Sequence[str], deepest: float) -> Computed:
    """The largest mean of converging descents from a layer of at most a relative resolution."""

    def of(runs: Sequence[StoredRun]) -> str:
        places = _places(runs, "converging", networks)
        late = [rows for rows in places if rows[0]["relative_resolution"] <= deepest]
        columns = [_column(rows, value) for rows in late]
        return number(max(np.nanmean(one) for one in columns if np.isfinite(one).any()))

    return of


def at_the_largest_rate(condition: str, networks: Sequence[str]) -> Computed:
    """At how many networks' layers of comparisons every descent took the largest rate."""

    def of(runs: Sequence[StoredRun]) -> str:
        held = []
        for run in runs:
            places = list(_places([run], condition, networks))
            largest = max(row["learning_rate"] for rows in places for row in rows)
            held += [all(row["learning_rate"] == largest for row in rows) for rows in places]
        return f"{sum(held)} of {len(held)}"

    return of


def tried_widths(claim: str, *, enough: bool) -> Computed:
    """The width over n that was tried last before an image is recovered, or first from where it is.

    Between these two `depthjax.analysis.linear_mlp.width_needed` interpolates.

    Args:
        claim: the rows' claim, with D at widths that are called `1.5 n`.
        enough: whether the larger of the two is told.
    """

    def of(runs: Sequence[StoredRun]) -> Interval:
        rows = among(_rows(runs[0].folder), claim=claim, quantity="D")
        names = {row["network"]: float(row["network"].removesuffix(" n")) for row in rows}
        names = dict(sorted(names.items(), key=lambda named: named[1]))
        missed = np.stack([seed_table(rows, "value", network=name) > 1 for name in names], -1)
        first = np.where(missed.any(-1), len(names) - np.argmax(missed[..., ::-1], -1), 0)
        widths = np.array([*names.values(), np.nan])  # none was wide enough
        return interval_of(widths[first if enough else np.maximum(first - 1, 0)])

    return of


def asked(name: str) -> Computed:
    """What runs were asked for, which all must have in common."""

    def of(runs: Sequence[StoredRun]) -> str:
        (value,) = {run.config[name] for run in runs}
        return number(value)

    return of


def _places(
    runs: Sequence[StoredRun], condition: str, networks: Sequence[str]
) -> Iterator[list[Row]]:
    for run in runs:
        rows = among(_rows(run.folder), condition=condition)
        for network in networks:
            for layer in run.config["layers"]:
                yield among(rows, network=network, layer=layer)


@cache
def _rows(folder: Path) -> tuple[Row, ...]:
    return tuple(read_rows(folder))


def _column(rows: Sequence[Row], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows], float)


def _numbers(runs: Sequence[StoredRun], value: Value, **place: Any) -> list[float]:
    of = value if callable(value) else lambda row: row[value]
    return [float(of(row)) for run in runs for row in among(_rows(run.folder), **place)]


def _range(values: Sequence[float]) -> str:
    return f"{number(min(values))} to {number(max(values))}"
