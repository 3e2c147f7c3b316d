"""Claim C6, from the rows of both readings: where pre-images lie, and where descents end."""

from collections.abc import Sequence

import numpy as np

from depthjax.analysis.preimages import InvertibleControl
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.preimages.measured import control_name
from depthjax.studies.rows import Row, among
from depthjax.tables import markdown_table, median_and_range

_PAPER = ["the paper", "–", "–", "> 40000", "–", "–", "2.84", "0.52", "< 3", "–"]
"""The paper's own numbers, in the columns of `preimage_table`."""


def findings(rows: Sequence[Row]) -> list[Finding]:
    """C6 in each reading, over initialisations, of one photograph; the author's code apart."""
    results = []
    for control in dict.fromkeys(row["control"] for row in rows):
        own = among(rows, control=control)
        table = {
            quantity: np.array([[row[quantity]] for row in own])
            for quantity in ("distance_ratio", "outside", "median_distance", "input_distance")
        }
        farther = table["median_distance"] / table["input_distance"]
        prefix = "code_" if control == control_name("code") else ""
        results += [
            Finding(
                claim="C6",
                part=f"{prefix}{part}",
                network=control,
                quantity=quantity,
                bound=bound_of("C6", part),
                measured=cells,
            )
            for part, quantity, cells in (
                (
                    "as_far_as_predicted",
                    "median distance / σ‖J⁻¹‖_F",
                    Cells.of(table["distance_ratio"], fixed="images"),
                ),
                (
                    "outside_range",
                    "share outside [0, 1]",
                    Cells.of(table["outside"], fixed="exact"),
                ),
                (
                    "farther_than_descent",
                    "median distance / m_i of gradient descent",
                    Cells.of(farther, fixed="images", logarithmic=True),
                ),
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
