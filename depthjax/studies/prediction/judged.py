"""Whether theory predicts m_i: the whole curve of linear networks, the end of others.

For linear networks m_i(t) must agree within 1 %. For others, theory must explain some of the
variance over images and weight seeds within each layer, and more than the start's distance alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.analysis.r_squared import r_squared, r_squared_table
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.prediction.measured import MATCHED
from depthjax.studies.rows import Row, seed_table
from depthjax.tables import markdown_table, number

CLAIM = "theory"
EXACT = "relative error of the predicted m_i(t)"


def layers_of(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """Every network and layer in the order of the rows, and whether it is affine."""
    return list(dict.fromkeys((row["network"], row["layer"], row["affine"]) for row in rows))


def ends_of(
    rows: Sequence[Row], network: str, layer: str
) -> tuple[Float[np.ndarray, "seeds images"], Float[np.ndarray, "seeds images"]]:
    """m_i at the end: predicted, and measured."""
    predicted, measured = (
        seed_table(rows, quantity, network=network, layer=layer)
        for quantity in ("predicted", "measured")
    )
    return predicted, measured


def findings(rows: Sequence[Row]) -> list[Finding]:
    """Whether curves of linear networks agree; of others, whether m_i at the end is explained."""
    return [
        Finding(
            claim=CLAIM,
            part=part,
            network=network,
            layer=layer,
            quantity=quantity,
            bound=bound_of(CLAIM, part),
            measured=cells,
        )
        for network, layer, affine in layers_of(rows)
        for part, quantity, cells in (_exact if affine else _explained)(rows, network, layer)
    ]


def _exact(rows: Sequence[Row], network: str, layer: str) -> Iterator[tuple[str, str, Cells]]:
    errors = seed_table(rows, "largest_relative_error", network=network, layer=layer)
    yield "curve_predicted", EXACT, Cells.of(errors, fixed="exact")


def _explained(rows: Sequence[Row], network: str, layer: str) -> Iterator[tuple[str, str, Cells]]:
    predicted, measured = ends_of(rows, network, layer)
    start = seed_table(rows, "start_distance", network=network, layer=layer)
    by_theory = Cells.of(r_squared_table(predicted, measured))
    beyond_start = Cells.of(r_squared_table(predicted, measured, fitted="line", beyond=start))
    yield "predicted", "R² of the predicted m_i, means taken off", by_theory
    yield "beyond_start", "r² of the predicted m_i − r² of ‖a − a_0‖", beyond_start


def layer_table(rows: Sequence[Row]) -> str:
    """Medians, and R² of theory and of the start's distance: a row for each layer."""
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
        tables = {
            quantity: seed_table(rows, quantity, network=network, layer=layer)
            for quantity in quantities
        }
        predicted, measured, start = (
            tables["predicted"],
            tables["measured"],
            tables["start_distance"],
        )
        shares = [
            *(r_squared(predicted, measured, fitted=fit) for fit in ("none", "mean", "line")),
            *(r_squared(start, measured, fitted=fit) for fit in ("mean", "line")),
        ]
        medians = [number(round(float(np.median(values)), 12)) for values in tables.values()]
        cells = [f"{network}, {layer}", str(measured.size), *medians]
        body.append([*cells, *(f"{share:.3f}" for share in shares)])
    return markdown_table(headers, body)


def matched_table(rows: Sequence[Row]) -> str:
    """D at each ρ of `MATCHED`: predicted → measured, medians of the descents that came to it.

    In brackets of how many of all descents, where the prediction or the descent did not get there.
    """
    body = []
    for network, layer, _ in layers_of(rows):
        cells = [f"{network}, {layer}"]
        for level in MATCHED:
            both = np.stack(
                [
                    seed_table(
                        rows, f"{kind}input_ratio_at_{level:g}", network=network, layer=layer
                    ).ravel()
                    for kind in ("predicted_", "")
                ]
            )
            known = both[:, np.isfinite(both).all(0)]
            told, seen = (number(float(np.median(side))) if side.size else "–" for side in known)
            share = f" [{known.shape[1]} of {both.shape[1]}]" * (known.shape[1] < both.shape[1])
            cells.append(f"{told} → {seen}{share}" if known.size else "–")
        body.append(cells)
    return markdown_table(["layer", *(f"D at ρ = {level:g}" for level in MATCHED)], body)
