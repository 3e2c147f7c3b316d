"""Claim C6, from the rows of both readings: where pre-images lie, and where descents end."""

from collections.abc import Sequence

import numpy as np

from depthjax.analysis.preimages import InvertibleControl
from depthjax.claims.findings import Bound, Finding
from depthjax.statistics import bootstrap, bootstrap_ratio
from depthjax.studies.preimages.measured import control_name
from depthjax.studies.rows import Row, among
from depthjax.tables import markdown_table, median_and_range

_PAPER = ["the paper", "–", "–", "> 40000", "–", "–", "2.84", "0.52", "< 3", "–"]
"""The paper's own numbers, in the columns of `preimage_table`."""


def findings(rows: Sequence[Row]) -> list[Finding]:
    """C6 in each reading, over initialisations; the author's code is a part of its own."""
    results = []
    for control in dict.fromkeys(row["control"] for row in rows):
        own = among(rows, control=control)
        table = {
            quantity: np.array([[row[quantity]] for row in own])
            for quantity in ("distance_ratio", "outside", "median_distance", "input_distance")
        }
        ratio, outside = bootstrap(table["distance_ratio"]), bootstrap(table["outside"])
        farther = bootstrap_ratio(table["median_distance"], table["input_distance"])
        size, descent = "median distance / σ‖J⁻¹‖_F", "median distance / m_i of gradient descent"
        results += [
            Finding(
                claim="C6",
                part="authors_code" if control == control_name("code") else part,
                network=control,
                quantity=quantity,
                bound=bound,
                interval=interval,
            )
            for part, quantity, bound, interval in (
                ("as_far_as_predicted", size, Bound.at_least(0.5), ratio),
                ("as_far_as_predicted", size, Bound.at_most(2), ratio),
                ("outside_range", "share outside [0, 1]", Bound.above(0.99), outside),
                ("farther_than_descent", descent, Bound.above(1), farther),
            )
        ]
    return results


def preimage_table(rows: Sequence[Row]) -> str:
    """The paper's numbers, and ours of each reading: medians and ranges over initialisations."""
    headers = [
        "",
        "inits",
        "κ",
        "distance of pre-images",
        "over σ‖J⁻¹‖_F",
        "outside [0, 1]",
        "m_i of a_g",
        "m_g of a_g",
        "m_i' of a'",
        "C6",
    ]
    columns = (
        "condition_number",
        "median_distance",
        "distance_ratio",
        "outside",
        "input_distance",
        "embedding_distance",
        "reference_input_distance",
    )
    body = [_PAPER]
    for where in dict.fromkeys(row["control"] for row in rows):
        own = among(rows, control=where)
        cells = [median_and_range(np.array([row[column] for row in own])) for column in columns]
        verdict = "supported" if control_of(own).supported else "not supported"
        body.append([where, str(len(own)), *cells, verdict])
    return markdown_table(headers, body)


def control_of(rows: Sequence[Row]) -> InvertibleControl:
    """The control that the rows of one reading were made of."""
    columns = (
        "median_distance",
        "expected_distance",
        "outside",
        "condition_number",
        "residual",
        "recovery_distance",
    )
    return InvertibleControl(
        **{name: np.array([row[name] for row in rows], np.float64) for name in columns}
    )
