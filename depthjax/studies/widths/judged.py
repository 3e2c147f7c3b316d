"""C4, C5, C7, C8, C19 and C20: where descents end, how long they take, and the width that recovers.

An image counts as recovered where D = m_i / m_i' ≤ 1. The paper's m_i ≤ 0.1 is for 2523 inputs; at
other sizes `m_i √(2523/n)` is compared, which is the same for each input.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.analysis import linear_mlp
from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.statistics import depth_slopes
from depthjax.studies.rows import Row, among, seed_table
from depthjax.studies.widths.measured import CG, CURVATURE, MISSED, PAPER, width_name
from depthjax.studies.widths.setting import (
    CLAIMS,
    FIRST_WIDTH,
    SECOND_WIDTHS,
    SMOOTH_UNITS,
    SMOOTH_WIDTHS,
    WIDE,
    WIDER_LATE,
    WidthSettings,
)
from depthjax.tables import markdown_table, median_and_range

PAPER_INPUTS = 2523
STEPS = "steps to D = 1"
BY_DISTANCE = "D ≤ 1"
"""The criterion of C7 that the image has come near; the other is that enough units are active."""

MATCHED = 1e-4
"""The m_g / ‖O(a)‖ up to which an embedding counts as matched; most descents end below 1e-6."""


def findings(
    setting: WidthSettings, rows: Sequence[Row], inputs: int, relu_inputs: int
) -> list[Finding]:
    """What the rows say of the claims asked for.

    Args:
        setting: what was asked for.
        rows: of one weight seed or more.
        inputs, relu_inputs: n of the linear networks, and of the layers of ReLUs.
    """
    judges = {
        "C4": partial(_null_space, inputs),
        "C5": partial(_depth, setting),
        "C7": partial(_relu, setting, relu_inputs),
        "C8": partial(_late_width, setting),
        "C19": partial(_second_relu, relu_inputs),
        "C20": partial(_smooth, relu_inputs),
    }
    asked = [claim for claim in CLAIMS if claim in setting.claims]
    return [finding for claim in asked for finding in judges[claim](rows)]


def descents_of(rows: Sequence[Row]) -> list[Row]:
    """The places of C4: networks, depths and optimisers, in the order in which they were run."""
    columns = ("claim", "network", "layers", "optimizer")
    keys = [tuple(row[name] for name in columns) for row in among(rows, claim="C4")]
    places = [dict(zip(columns, key, strict=True)) for key in dict.fromkeys(keys)]
    return [place for place in places if place["optimizer"]]


def recorded_steps(rows: Sequence[Row], place: Row) -> list[int]:
    """The steps at which a place was recorded, in rising order."""
    return sorted({row["steps"] for row in among(rows, **place, quantity="m_i")})


def _null_space(count: int, rows: Sequence[Row]) -> Iterator[Finding]:
    """C4: the last m_i, over the part that no descent can bring back, or in the paper's units."""
    for place in descents_of(rows):
        steps = recorded_steps(rows, place)[-1]
        end = seed_table(rows, "value", **place, quantity="m_i", steps=steps)
        label = place["network"]
        if label == WIDE:
            values = end * (PAPER_INPUTS / count) ** 0.5
            quantity = "final m_i" + ("" if count == PAPER_INPUTS else " √(2523/n)")
            part = {CG: "wide_recovered", PAPER: "papers_descent_wide"}[place["optimizer"]]
        else:
            values = end / seed_table(rows, "value", **place, quantity="floor")
            quantity = "final m_i / ‖P_N(a − a_0)‖"
            part = {CG: "narrow_stays_lost", PAPER: "papers_descent_narrow"}[place["optimizer"]]
        yield Finding(
            claim="C4",
            part=part,
            network=label,
            note=f"{_layers(place['layers'])}, {place['optimizer']} ({steps} steps)",
            quantity=quantity,
            bound=bound_of("C4", part),
            measured=Cells.of(values, fixed="exact"),
        )


def _depth(setting: WidthSettings, rows: Sequence[Row]) -> Iterator[Finding]:
    """C5: steps against depth, and D after the paper's numbers of steps."""
    steps = steps_by_depth(setting, rows)
    yield Finding(
        claim="C5",
        part="slower_with_depth",
        network=WIDE,
        note=CURVATURE,
        quantity="slope of log steps to D = 1, per layer",
        bound=bound_of("C5", "slower_with_depth"),
        measured=Cells.of(depth_slopes(np.log(steps))),
    )
    yield Finding(
        claim="C5",
        part="all_recover",
        network=WIDE,
        note=CURVATURE,
        quantity=f"share that reaches D = 1 at every depth in {setting.most_steps:.0e} steps",
        bound=bound_of("C5", "all_recover"),
        measured=Cells.of(np.isfinite(steps).all(0).astype(float), fixed="exact"),
    )
    few, many = setting.paper_steps[0], setting.paper_steps[-1]
    ends = _by_depth(setting, rows, quantity="D", steps=few)
    yield Finding(
        claim="C5",
        network=WIDE,
        note=PAPER,
        quantity=f"slope of log D at {few} steps, per layer",
        bound=Bound.above(0),
        measured=Cells.of(depth_slopes(np.log(ends))),
    )
    if many > few:
        for depth, end in enumerate(_by_depth(setting, rows, quantity="D", steps=many), 1):
            yield Finding(
                claim="C5",
                network=WIDE,
                note=f"{_layers(depth)}, {PAPER}",
                quantity=f"D after {many} steps",
                bound=Bound.at_most(1),
                measured=Cells.of(end),
            )


def steps_by_depth(
    setting: WidthSettings, rows: Sequence[Row]
) -> Float[np.ndarray, "layers seeds images"]:
    """C5: steps to D = 1 of networks of 1, 2, … layers; inf where they are too many."""
    return _by_depth(setting, rows, quantity=STEPS)


def _by_depth(
    setting: WidthSettings, rows: Sequence[Row], **place: Any
) -> Float[np.ndarray, "layers seeds images"]:
    depths = range(1, setting.depth + 1)
    return np.stack([seed_table(rows, "value", claim="C5", layers=d, **place) for d in depths])


def _relu(setting: WidthSettings, count: int, rows: Sequence[Row]) -> Iterator[Finding]:
    """C7: the width from which images are recovered, by both criteria; their distance counts."""
    for criterion, needed in needed_widths(setting, rows).items():
        yield Finding(
            claim="C7",
            part="twice_the_width" if criterion == BY_DISTANCE else "",
            network="one ReLU layer",
            note=f"{count} inputs",
            quantity="width / n from which an image is recovered",
            detail=criterion,
            bound=bound_of("C7", "twice_the_width"),
            measured=Cells.of(needed),
        )


def needed_widths(
    setting: WidthSettings, rows: Sequence[Row]
) -> dict[str, Float[np.ndarray, "seeds images"]]:
    """C7: for each criterion the width over n from which on an image is recovered."""
    return {
        criterion: _needed(rows, "C7", "relu", setting.relu_widths, quantity)
        for criterion, quantity in {BY_DISTANCE: "D", "rank n": "active units / n"}.items()
    }


def second_widths(rows: Sequence[Row]) -> Float[np.ndarray, "seeds images"]:
    """C19: the width over n of the second layer of ReLUs from which an image is recovered."""
    return _needed(rows, "C19", "relu", SECOND_WIDTHS)


def smooth_widths(rows: Sequence[Row], activation: str) -> Float[np.ndarray, "seeds images"]:
    """C20: the width over n of a layer of smooth units from which an image is recovered."""
    return _needed(rows, "C20", activation, SMOOTH_WIDTHS)


def _needed(
    rows: Sequence[Row], claim: str, activation: str, widths: Sequence[float], quantity: str = "D"
) -> Float[np.ndarray, "seeds images"]:
    """The smallest of these widths from which on D, or n over the active units, is at most 1."""
    cells = np.stack(
        [
            seed_table(
                rows, "value", claim=claim, network=width_name(w, activation), quantity=quantity
            )
            for w in widths
        ],
        -1,
    )
    # n active units or more: n / active at most 1.
    ratios = cells if quantity == "D" else 1 / cells
    at = np.array(widths, np.float64)
    return np.apply_along_axis(partial(linear_mlp.width_needed, at), -1, ratios)


def _second_relu(count: int, rows: Sequence[Row]) -> Iterator[Finding]:
    """C19: the second layer's width over the first's."""
    yield Finding(
        claim="C19",
        part="doubles_again",
        network="two ReLU layers",
        note=f"{count} inputs, the first {FIRST_WIDTH:g} n",
        quantity="width of the second over that of the first from which an image is recovered",
        detail=BY_DISTANCE,
        bound=bound_of("C19", "doubles_again"),
        measured=Cells.of(second_widths(rows) / FIRST_WIDTH),
    )


def _smooth(count: int, rows: Sequence[Row]) -> Iterator[Finding]:
    """C20: the same number as in C7, of units that have an inverse."""
    for activation in SMOOTH_UNITS:
        part = f"{activation}_twice_the_width"
        yield Finding(
            claim="C20",
            part=part,
            network=f"one {activation} layer",
            note=f"{count} inputs",
            quantity="width / n from which an image is recovered",
            detail=BY_DISTANCE,
            bound=bound_of("C20", part),
            measured=Cells.of(smooth_widths(rows, activation)),
        )


def recovered_shares(
    widths: Sequence[float], needed: Float[np.ndarray, "seeds images"]
) -> list[float]:
    """The share of images that are recovered at each of the widths tried."""
    return [float((needed <= width).mean()) for width in widths]


def _late_width(setting: WidthSettings, rows: Sequence[Row]) -> Iterator[Finding]:
    """C8: the network that widens over the one that does not, seed by seed, image by image.

    The number of steps counts.
    """
    for optimizer, quantity in ((CURVATURE, STEPS), (PAPER, "D")):
        wider, base = (
            seed_table(
                *(rows, "value"), claim="C8", network=label, optimizer=optimizer, quantity=quantity
            )
            for label in (WIDER_LATE, WIDE)
        )
        after = f" at {setting.paper_steps[0]} steps" if quantity == "D" else ""
        yield Finding(
            claim="C8",
            part="fewer_steps" if quantity == STEPS else "",
            note=optimizer,
            quantity=f"{quantity}{after}, {WIDER_LATE} / {WIDE}",
            bound=bound_of("C8", "fewer_steps"),
            measured=Cells.of(wider / base, logarithmic=True),
        )


def _layers(depth: int) -> str:
    return "1 layer" if depth == 1 else f"{depth} layers"


def unmatched_text(rows: Sequence[Row]) -> str:
    """How many descents through units were stuck before they matched their embedding; "" if none.

    Their D counts all the same, so that a width at which one is stuck seems not to suffice.
    """
    missed = [row for row in rows if row["quantity"] == MISSED]
    counts = {
        claim: [row["value"] > MATCHED for row in among(missed, claim=claim)]
        for claim in dict.fromkeys(row["claim"] for row in missed)
    }
    told = [f"{sum(each)} of {len(each)} of {claim}" for claim, each in counts.items() if any(each)]
    return (
        f"Descents that did not match their embedding ({MISSED} > {MATCHED:g}), whose D counts as"
        f" any other: {', '.join(told)}."
        if told
        else ""
    )


def condition_table(rows: Sequence[Row]) -> str:
    """κ of every network, over seeds; nothing where there is none."""
    conditions: dict[tuple[str, int], dict[int, float]] = {}
    for row in among(rows, quantity="κ"):
        conditions.setdefault((row["network"], row["layers"]), {})[row["seed"]] = row["value"]
    if not conditions:
        return ""
    headers = ["network", "layers", "κ = σ₁ / σ_r (above 1e7 its order alone)"]
    cells = [
        [label, str(depth), median_and_range(np.array(list(values.values())))]
        for (label, depth), values in conditions.items()
    ]
    return markdown_table(headers, cells)
