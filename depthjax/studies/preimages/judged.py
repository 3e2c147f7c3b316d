"""Claims C6 and C21: where exact pre-images lie, and where descents on the same networks end."""

from collections.abc import Sequence

import numpy as np

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import CLAIMS, bound_of
from depthjax.studies.preimages.measured import control_name
from depthjax.studies.preimages.trained import DATA
from depthjax.studies.rows import Row, among
from depthjax.tables import markdown_table, median_and_range

_JUDGED_AS = {
    control_name("text"): ("C6", ""),
    control_name("code"): ("C6", "code_"),
    **{control_name("text", data): ("C21", f"{data}_") for data in DATA},
}
"""By the control: the claim that it is judged for, and how names of its parts begin."""

_PAPER = ["the paper", "–", "–", "> 40000", "–", "–", "2.84", "0.52", "< 3"]
"""The paper's own numbers, in the columns of `preimage_table`."""


def findings(rows: Sequence[Row]) -> list[Finding]:
    """C6 in each reading, and C21 after training; over initialisations, of one photograph."""
    results = []
    for control in dict.fromkeys(row["control"] for row in rows):
        own = among(rows, control=control)
        far, outside, away, recovered = (
            np.array([[row[quantity]] for row in own])
            for quantity in ("distance_ratio", "outside", "median_distance", "input_distance")
        )
        measured = {
            "as_far_as_predicted": (
                "median distance / σ‖J⁻¹‖_F",
                Cells.of(far, fixed="images"),
            ),
            "outside_range": ("share outside [0, 1]", Cells.of(outside, fixed="exact")),
            "farther_than_descent": (
                "median distance / m_i of gradient descent",
                Cells.of(away / recovered, fixed="images", logarithmic=True),
            ),
        }
        if control not in _JUDGED_AS:  # the author's code, trained: shown in the table
            continue
        claim, prefix = _JUDGED_AS[control]
        results += [
            Finding(
                claim=claim,
                part=f"{prefix}{part}",
                network=control,
                quantity=quantity,
                bound=bound_of(claim, f"{prefix}{part}"),
                measured=cells,
            )
            for part, (quantity, cells) in measured.items()
            if f"{prefix}{part}" in CLAIMS[claim].parts
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
        body.append([where, str(len(own)), *cells])
    return markdown_table(headers, body)
