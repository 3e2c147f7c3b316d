"""Whether theory holds: of linear networks the whole curve, of others m_i at the end.

Of linear networks m_i(t) must agree within 1 %. Of others what counts is the share of the variance
over images and weight seeds that is explained within each layer, and what the start's distance
alone would explain.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from depthjax.analysis.r_squared import r_squared, r_squared_interval
from depthjax.statistics import Finding, bootstrap
from depthjax.studies.rows import Row, seed_table
from depthjax.tables import markdown_table, number

CLAIM = "theory"
EXACT = "largest relative error of the predicted m_i(t)"


def layers_of(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """Every network and layer, in order, and whether it is affine."""
    return list(dict.fromkeys((row["network"], row["layer"], row["affine"]) for row in rows))


def ends_of(
    rows: Sequence[Row], network: str, layer: str
) -> tuple[Float[np.ndarray, "seeds images"], Float[np.ndarray, "seeds images"]]:
    """m_i at the end, as predicted and as measured."""
    told, seen = (
        seed_table(rows, quantity, network=network, layer=layer)
        for quantity in ("predicted", "measured")
    )
    return told, seen


def findings(rows: Sequence[Row]) -> list[Finding]:
    """Curves of linear networks agree; of others, m_i at the end is explained within the layer."""
    found = []
    for network, layer, affine in layers_of(rows):
        where = f"{network}, {layer}"
        if affine:
            errors = seed_table(rows, "largest_relative_error", network=network, layer=layer)
            interval = bootstrap(errors, lambda drawn: float(drawn.max()))
            found.append(Finding(CLAIM, where, EXACT, "< 0.01", interval))
            continue
        told, seen = ends_of(rows, network, layer)
        start = seed_table(rows, "start_distance", network=network, layer=layer)
        of_theory = r_squared_interval(told, seen)
        gained = r_squared_interval(told, seen, fitted="line", beyond=start)
        found += [
            Finding(CLAIM, where, "R² of the predicted m_i, means taken off", "> 0", of_theory),
            Finding(CLAIM, where, "r² of the predicted m_i − r² of ‖a − a_0‖", "> 0", gained),
        ]
    return found


def layer_table(rows: Sequence[Row]) -> str:
    """Medians, and every R² of the theory and of the start's distance: a row for each layer."""
    headers = [
        *("layer", "n", "rank", "κ", "‖a − a_0‖", "lost", "slow", "predicted", "measured"),
        *("R² as it stands", "R²", "r²", "R² of start", "r² of start"),
    ]
    quantities = (
        *("rank", "condition_number", "start_distance", "lost", "slow"),
        *("predicted", "measured"),
    )
    body = []
    for network, layer, _ in layers_of(rows):
        get = {
            quantity: seed_table(rows, quantity, network=network, layer=layer)
            for quantity in quantities
        }
        told, seen, start = get["predicted"], get["measured"], get["start_distance"]
        shares = [
            *(r_squared(told, seen, fitted=fit) for fit in ("none", "mean", "line")),
            *(r_squared(start, seen, fitted=fit) for fit in ("mean", "line")),
        ]
        medians = [number(round(float(np.median(values)), 12)) for values in get.values()]
        cells = [f"{network}, {layer}", str(seen.size), *medians]
        body.append([*cells, *(f"{share:.3f}" for share in shares)])
    return markdown_table(headers, body)
