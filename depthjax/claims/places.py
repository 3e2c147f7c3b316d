"""All places where a part of a claim is measured, as one finding: their mean.

More layers thus make a number surer, and no verdict rarer: places share their seeds and images, so
votes of places would be neither independent nor equally hard to win.

Of several runs the numbers are those of different networks, so that cells are averaged within a
run alone. Errors of runs may be dependent: all share their photographs, and networks with the same
first layer share its weights of a seed. They are averaged as if they were wholly dependent.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.statistics import Interval, Table


def together(findings: Sequence[Finding]) -> Finding:
    """One finding of several places: the mean over them, seed by seed and image by image.

    A place of which some cells are unknown shifts no other cell: its own mean is taken off before
    cells are averaged, and the mean of all places put back. Of exact numbers every one counts.
    Places with other seeds or images, and places of other runs, have the mean of their standard
    errors, which is too large if anything.

    Args:
        findings: of one part, one or more, each with its cells.
    """
    first, *others = findings
    if not others:
        return first
    known = np.sum([_known(finding) for finding in findings], axis=0)

    def common(name: str) -> str:
        values = {getattr(finding, name) for finding in findings}
        return values.pop() if len(values) == 1 else ""

    there = sum(bool(np.isfinite(_cells(finding).table).any()) for finding in findings)
    count = f"{len(findings)}" if there == len(findings) else f"{there} of {len(findings)}"
    note = ", ".join(filter(None, [common("note"), f"mean of {count} places"]))
    if first.fixed == "exact":
        note = f"{len(findings)} places"
    return replace(
        first,
        network=common("network"),
        layer=common("layer"),
        note=note,
        quantity=common("quantity") or first.quantity.partition(",")[0],
        detail=common("detail"),
        known=None if known[0] == known[1] else (int(known[0]), int(known[1])),
        measured=_mean_over_runs(findings),
        fixed_without_cells=first.fixed if len({one.fixed for one in findings}) == 1 else "",
        run=common("run"),
        search=any(finding.search for finding in findings),
    )


def networks_apart(findings: Sequence[Finding]) -> dict[tuple[str, str], Finding]:
    """The numbers of networks that contradict each other, so that the mean over them tells of none.

    Networks do if two of them have intervals without a value in common. Exact numbers have none.

    Args:
        findings: of one part, each with its cells.

    Returns:
        By run and network the mean over its places; nothing if no two contradict each other.
    """
    own: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        own.setdefault((finding.run, finding.network), []).append(finding)
    means = {network: together(places) for network, places in own.items()}
    intervals = [mean.interval for mean in means.values() if mean.fixed != "exact"]
    highest = max((one.low for one in intervals if one.low == one.low), default=0.0)
    lowest = min((one.high for one in intervals if one.high == one.high), default=0.0)
    return means if highest > lowest else {}


def _cells(finding: Finding) -> Cells:
    assert isinstance(finding.measured, Cells), "a finding without cells cannot be averaged"
    return finding.measured


def _known(finding: Finding) -> tuple[int, int]:
    if finding.known is not None:
        return finding.known
    table = _cells(finding).table
    return int(np.isfinite(table).sum()), table.size


def _mean_over_runs(findings: Sequence[Finding]) -> Cells | Interval:
    runs: dict[str, list[Cells]] = {}
    for finding in findings:
        runs.setdefault("" if finding.fixed == "exact" else finding.run, []).append(_cells(finding))
    means = [_mean_of(places) for places in runs.values()]
    if len(means) == 1:
        return means[0]
    intervals = [mean.interval if isinstance(mean, Cells) else mean for mean in means]
    return _mean_interval(intervals, list(map(len, runs.values())))


def _mean_of(places: Sequence[Cells]) -> Cells | Interval:
    tables = [place.table for place in places]
    first = places[0]
    alike = {(place.fixed, place.logarithmic) for place in places} == {
        (first.fixed, first.logarithmic)
    }
    if alike and first.fixed == "exact":
        values = tuple(value for place in places for row in place.values for value in row)
        return Cells((values,), "exact", first.logarithmic)
    if alike and len({table.shape for table in tables}) == 1:
        mean = type(first).of(_mean_table(np.stack(tables)), fixed=first.fixed)
        return replace(mean, logarithmic=first.logarithmic)
    return _mean_interval([place.interval for place in places], [1] * len(places))


def _mean_table(tables: np.ndarray) -> Table:
    """The mean over places `[places, seeds, images]`, whose own means do not count by cell."""
    known = np.isfinite(tables)
    there = known.any((1, 2))
    if not there.any():
        return tables[0]
    tables, known = tables[there], known[there]
    of_places = np.nanmean(tables, axis=(1, 2), keepdims=True)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviations = np.where(known, tables - of_places, 0.0).sum(0) / count
    return np.where(count > 0, of_places.mean() + deviations, np.nan)


def _mean_interval(found: Sequence[Interval], weights: Sequence[int]) -> Interval:
    """Of numbers with other seeds or images; their errors are taken to be wholly dependent.

    So it rests on no more seeds and images than the number with the fewest.

    Args:
        found: the numbers.
        weights: how many places each is of.
    """
    reached = [one for one in found if np.isfinite(one.estimate)] or found
    seeds, images = (min(getattr(one, name) for one in reached) for name in ("seeds", "images"))
    missing = sum(one.missing for one in found)
    scale = {one.logarithmic for one in found}
    if len(scale) > 1:
        raise ValueError("places with geometric and arithmetic means make no part together")
    logarithmic = scale.pop()
    estimates = np.array([one.estimate for one in found])
    estimates = np.log(estimates) if logarithmic else estimates
    known = np.isfinite(estimates)  # a number that nothing was reached of shifts no other
    estimate = np.nan
    if known.any():
        estimate = float(np.average(estimates[known], weights=np.asarray(weights)[known]))
    error = float(np.average([one.error for one in found], weights=weights))
    freedom = float(np.min([one.freedom for one in found]))
    return Interval.of(estimate, error, freedom, (seeds, images, missing), logarithmic=logarithmic)
