"""What each control must show, at every depth, for all seeds and images."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.controls.networks import DEFAULT, DEPTH, NARROW, WORDS
from depthjax.studies.rows import Row, seed_table
from depthjax.tables import markdown_table, median_and_range, number

ROUNDING = 1e-5
"""The D that rounding to float32 leaves: below it, no prediction holds."""


def _places(rows: Sequence[Row]) -> list[Row]:
    """Every control and layer, in the order of the rows."""
    pairs = dict.fromkeys((row["control"], row["layer"]) for row in rows)
    return [{"control": name, "layer": layer} for name, layer in pairs]


def findings(rows: Sequence[Row]) -> list[Finding]:
    """Whether each control recovers the image, or ends where theory says, at every depth.

    The bounds must hold for every seed and image.
    """
    results = []
    for place in _places(rows):
        name = place["control"]
        distance, lost = (
            seed_table(rows, quantity, **place) for quantity in ("input_distance", "lost")
        )
        if name == NARROW and lost.min() > ROUNDING:
            part, quantity = "as_predicted", "relative error of ‖P_N(a − a_0)‖ for m_i"
            values = np.abs(distance / lost - 1)
        elif name == DEFAULT:
            part, quantity = "as_predicted", "relative error of the predicted m_i"
            values = np.abs(distance / seed_table(rows, "predicted", **place) - 1)
        else:
            part, quantity = "recovered", "D"
            values = seed_table(rows, "D", **place)
        results.append(
            Finding(
                claim="controls",
                part=part,
                network=name,
                layer=place["layer"],
                quantity=quantity,
                bound=bound_of("controls", part),
                measured=Cells.of(values, fixed="exact"),
            )
        )
    return [*results, *_elasticities(rows)]


def _elasticities(rows: Sequence[Row]) -> list[Finding]:
    """C3: what its statistic is where nothing is lost but some of it is slow to come.

    The deepest layer of the ill-conditioned control counts; what it fails to show is no
    contradiction.
    """
    results = []
    for place in _places(rows):
        values = seed_table(rows, "elasticity", **place)
        condition = np.median(seed_table(rows, "condition_number", **place))
        deepest = bool((seed_table(rows, "depth", **place) == DEPTH).all())
        counts = place["control"] == DEFAULT and deepest
        results.append(
            Finding(
                claim="C3",
                part="invertible_control_follows" if counts else "",
                network=WORDS[place["control"]],
                layer=place["layer"],
                note=f"κ {number(condition)}",
                quantity="elasticity d log D / d log ρ",
                bound=bound_of("C3", "invertible_control_follows"),
                measured=Cells.of(values),
                aside="" if counts else "contrast",
                search=counts,
            )
        )
    return results


def control_table(rows: Sequence[Row]) -> str:
    """Medians and ranges over seeds and images: a row for each control and layer."""
    headers = ["control, layer", "n", "rank", "κ", "D", "predicted D", "m_i", "lost", "m_i/lost"]
    headers.append("elasticity")
    quantities = ("rank", "condition_number", "D", "predicted_D", "input_distance", "lost")
    body = []
    for place in _places(rows):
        tables = {quantity: seed_table(rows, quantity, **place) for quantity in quantities}
        real = tables["lost"].min() > ROUNDING
        ratio = tables["input_distance"] / tables["lost"] if real else np.full(1, np.nan)
        columns = *tables.values(), ratio, seed_table(rows, "elasticity", **place)
        cells = [median_and_range(np.round(values, 12)) for values in columns]
        body.append([f"{place['control']}, {place['layer']}", str(tables["D"].size), *cells])
    return markdown_table(headers, body)


def by_depth(
    rows: Sequence[Row], control: str, quantity: str
) -> Float[np.ndarray, "layers descents"]:
    """One quantity of one control at every depth, for all seeds and images."""
    return np.stack(
        [
            seed_table(rows, quantity, control=control, depth=depth).ravel()
            for depth in range(1, DEPTH + 1)
        ]
    )


def start_ratio(rows: Sequence[Row]) -> float:
    """The median D of the starts."""
    return float(np.median([row["start_D"] for row in rows]))
