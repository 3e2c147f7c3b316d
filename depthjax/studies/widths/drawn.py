"""Draws a figure for each claim about widths."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.claims.findings import Finding
from depthjax.claims.paper import CLAIMS, bound_of
from depthjax.studies.rows import Row, seed_table
from depthjax.studies.widths.judged import (
    STEPS,
    descents_of,
    needed_widths,
    recorded_steps,
    recovered_shares,
    second_widths,
    smooth_widths,
    steps_by_depth,
)
from depthjax.studies.widths.measured import CURVATURE
from depthjax.studies.widths.setting import (
    FIRST_WIDTH,
    SECOND_WIDTHS,
    SMOOTH_UNITS,
    SMOOTH_WIDTHS,
    WIDE,
    WIDER_LATE,
    WidthSettings,
)


def draw(
    setting: WidthSettings, rows: Sequence[Row], findings: Sequence[Finding], relu_inputs: int
) -> Iterator[tuple[str, Figure]]:
    """The figures of the chosen claims, with their names.

    Args:
        setting: the settings of the study, which choose the claims.
        rows: of one weight seed or more.
        findings: from these rows.
        relu_inputs: number of inputs of the ReLU layers.
    """
    kinds = {"C4": _null_space, "C5": _depth, "C8": _late_width}
    for claim in setting.claims:
        if claim in setting.unit_claims:
            yield f"widths_{claim}", _units(claim, setting, rows, findings, relu_inputs)
        else:
            yield f"widths_{claim}", kinds[claim](setting, rows)


def _null_space(setting: WidthSettings, rows: Sequence[Row]) -> Figure:
    """C4: distances on the way, at the last layer."""
    descents: dict[str, dict[str, Any]] = {}
    floors = {}
    for place in descents_of(rows):
        if place["layers"] != setting.depth:
            continue
        steps = recorded_steps(rows, place)
        near, far = (
            [seed_table(rows, "value", **place, quantity=q, steps=s).ravel() for s in steps]
            for q in ("m_g", "m_i")
        )
        label = place["network"]
        shown = f"{label} ({setting.wide if label == WIDE else setting.narrow})"
        descents.setdefault(shown, {})[place["optimizer"]] = (steps, near, far)
        floors[shown] = seed_table(rows, "value", **place, quantity="floor").ravel()
    runs = next(iter(floors.values())).size
    note = f"medians, n = {runs}, {setting.depth} layers"
    return figures.distances_against_step(descents, floors, note=note)


def _depth(setting: WidthSettings, rows: Sequence[Row]) -> Figure:
    """C5: steps against depth."""
    steps = [counts.ravel() for counts in steps_by_depth(setting, rows)]
    return figures.steps_to_recover(
        [str(depth) for depth in range(1, setting.depth + 1)],
        steps,
        axis=f"layers, all {setting.wide} wide",
        note=f"gradient descent at the {CURVATURE}",
    )


def _late_width(setting: WidthSettings, rows: Sequence[Row]) -> Figure:
    """C8: steps of the same images through both networks."""
    labels = (WIDE, WIDER_LATE)
    steps = [
        seed_table(rows, "value", claim="C8", network=label, quantity=STEPS).ravel()
        for label in labels
    ]
    names = ["-".join(map(str, setting.networks[label])) for label in labels]
    return figures.steps_to_recover(
        names, steps, axis="widths of the layers", note=f"at the {CURVATURE}"
    )


def _units(
    claim: str,
    setting: WidthSettings,
    rows: Sequence[Row],
    findings: Sequence[Finding],
    count: int,
) -> Figure:
    """C7, C19 and C20: the share of runs that recover against the width over inputs."""
    if claim == "C7":
        widths, needed = setting.relu_widths, needed_widths(setting, rows)
        what, scale = "one ReLU layer", 1.0
    elif claim == "C19":
        widths, needed = SECOND_WIDTHS, {"second layer": second_widths(rows)}
        what, scale = f"a ReLU layer behind one of {FIRST_WIDTH:g} n", FIRST_WIDTH
    else:
        widths, needed = SMOOTH_WIDTHS, {name: smooth_widths(rows, name) for name in SMOOTH_UNITS}
        what, scale = "one layer", 1.0
    bound = bound_of(claim, next(iter(CLAIMS[claim].parts)))
    halves = [
        [scale * end for end in finding.interval[:3]]
        for finding in findings
        if finding.claim == claim
    ]
    return figures.recovery_against_width(
        np.array(widths),
        {name: recovered_shares(widths, cells) for name, cells in needed.items()},
        dict(zip(needed, halves, strict=True)),
        expected=(scale * bound.low, scale * bound.high),
        note=f"{what} on {count} inputs, n = {next(iter(needed.values())).size}",
    )
