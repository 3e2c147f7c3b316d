"""C9, what convolutions and poolings lose, and C16, conditioning against depth."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.analysis.singular_values import DENSE_FLOOR, LEVELS, SpectralCurve, level_at_rank
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.statistics import depth_slopes, interval_of
from depthjax.studies.jacobian.measured import Piece
from depthjax.studies.networks import ONE_NETWORK, aside_of, fixed_in
from depthjax.studies.rows import Row, among, seed_table
from depthjax.tables import markdown_table


def finished_rows(pieces: Sequence[Piece]) -> list[Row]:
    """All rows, with both ends of σ / σ₁ of the one rank that C16 compares all layers at.

    Random probes give a bracket for each count of singular values. Its upper end is lowered to the
    number of directions that can pass at all, which accounting knows. The lower end of σ / σ₁ is 0
    where too few products were made to tell it from 0.

    Args:
        pieces: of all networks, seeds and layers; their rows are changed in place.
    """
    rows = [row for piece in pieces for row in piece.rows]
    rank = half_rank(rows)
    for piece in pieces:
        for row, points in zip(piece.rows, piece.curves, strict=False):
            curve = SpectralCurve(*map(np.asarray, points))
            low, high = level_at_rank(curve, rank)
            if row["method"] == "dense":  # below it rounding hides the value
                low, high = max(low, DENSE_FLOOR), max(high, DENSE_FLOOR)
            for power in range(1, len(LEVELS) + 1):
                column = f"above_1e-{power}_high"
                row[column] = min(row[column], float(row["rank_bound"]))
            row["half_rank_low"] = low
            row["half_rank_high"] = max(high, float(curve.levels.min()))
    return rows


def half_rank(rows: Sequence[Row]) -> int:
    """Half of the smallest rank bound of all layers, networks and images."""
    return max(1, min(row["rank_bound"] for row in rows) // 2)


def known(rows: Sequence[Row], column: str) -> bool:
    """Whether a column has numbers."""
    return any(row.get(column) is not None for row in rows)


def findings(
    rows: Sequence[Row],
    names: Sequence[str],
    networks: Sequence[str],
    single: Collection[str] = (),
) -> list[Finding]:
    """C9 on convolutions and pooling, C16 on conditioning against depth.

    Args:
        rows: from `finished_rows`.
        names: of the layers, shallow to deep.
        networks: their labels.
        single: those that are one trained network (`depthjax.studies.networks`).
    """
    results = []
    for label in networks:
        results += [
            *_of_first_convolutions(rows, names, label),
            *_of_pooling(rows, names[-1], label),
        ]
        slopes = conditioning_slopes(rows, names, label)
        if slopes is not None:
            results.append(
                Finding(
                    claim="C16",
                    part="contract_with_depth",
                    network=label,
                    note=ONE_NETWORK if label in single else "",
                    quantity=f"slope of log(σ₁ / σ of rank {half_rank(rows)}) per layer",
                    bound=bound_of("C16", "contract_with_depth"),
                    measured=Cells.of(slopes, fixed=fixed_in(slopes, label in single)),
                    aside=aside_of(label),
                )
            )
    return results


def _of_first_convolutions(rows: Sequence[Row], names: Sequence[str], label: str) -> list[Finding]:
    """C9: σ_n / σ₁; 0 where there are fewer outputs than inputs."""
    if not known(rows, "least_of_all"):
        return []

    def smallest(row: Row) -> float:
        if row["outputs"] < row["inputs"]:
            return 0.0
        return float(row["least_of_all"]) / float(row["sigma_1"])

    return [
        Finding(
            claim="C9",
            part="conv1_injective",
            network=label,
            layer=name,
            quantity="σ_min / σ₁ over all n inputs",
            bound=bound_of("C9", "conv1_injective"),
            measured=Cells.of(seed_table(rows, smallest, network=label, layer=name), fixed="exact"),
            aside=aside_of(label),
        )
        for name in names
        if name.startswith("conv1")
    ]


def _of_pooling(rows: Sequence[Row], deepest: str, label: str) -> list[Finding]:
    """C9: the units before the first max pooling, and those that it reads."""
    if not known(rows, "winners"):
        return []

    def counts(column: str) -> Float[np.ndarray, "seeds images"]:
        return seed_table(rows, column, network=label, layer=deepest)

    before, after = "active units / n before pooling", "distinct active winners / n after pooling"
    shares = (
        ("enough_before_pooling", "active_before_pooling", before),
        ("too_little_after_pooling", "winners", after),
    )
    return [
        Finding(
            claim="C9",
            part=part,
            network=label,
            quantity=quantity,
            bound=bound_of("C9", part),
            measured=Cells.of(counts(column) / counts("inputs"), fixed="exact"),
            aside=aside_of(label),
        )
        for part, column, quantity in shares
    ]


def conditioning_slopes(
    rows: Sequence[Row], names: Sequence[str], network: str
) -> Float[np.ndarray, "seeds images"] | None:
    """The least slope of log(σ₁ / σ at the half rank) on depth that the brackets allow.

    Layers of the deeper half have the upper ends of σ / σ₁, the others the lower ends. NaN where
    such a lower end is 0; None where there is nothing to fit.
    """
    if len(names) < 2 or not known(rows, "half_rank_high"):
        return None
    middle = (len(names) - 1) / 2
    levels = [
        seed_table(rows, f"half_rank_{end}", network=network, layer=name)
        for depth, name in enumerate(names)
        for end in ["low" if depth < middle else "high"]
    ]
    with np.errstate(divide="ignore"):
        return depth_slopes(-np.log(np.stack(levels)))


def above(row: Row, power: int) -> float:
    """How many singular values lie above 10^-power σ₁: the middle of the bracket; NaN if none."""
    low, high = (row.get(f"above_1e-{power}_{end}", np.nan) for end in ("low", "high"))
    return float(low + high) / 2


_AXES: dict[str, Callable[[Row], float]] = {
    "σ₁": lambda row: row.get("sigma_1", np.nan),
    "stable rank": lambda row: row.get("stable_rank", np.nan),
    "participation\nratio": lambda row: row.get("participation_ratio", np.nan),
    "directions that\ncan pass / n": lambda row: row["rank_bound"] / row["inputs"],
    "σ > 10⁻³ σ₁,\nshare of n": lambda row: above(row, 3) / row["inputs"],
    "κ on the row space\n(at least)": lambda row: row.get("condition_low", np.nan),
}


def intervals(
    rows: Sequence[Row], names: Sequence[str], networks: Sequence[str]
) -> dict[str, Float[np.ndarray, "n l 3"]]:
    """Estimate and interval of each quantity that is known, by the name on its axis."""
    panels = {
        axis: np.array(
            [
                [
                    interval_of(seed_table(rows, value, network=label, layer=name))[:3]
                    for name in names
                ]
                for label in networks
            ],
            np.float64,
        )
        for axis, value in _AXES.items()
    }
    return {axis: cells for axis, cells in panels.items() if np.isfinite(cells[..., 0]).any()}


def summary_table(rows: Sequence[Row], names: Sequence[str], networks: Sequence[str]) -> str:
    """Medians over seeds and images: a row for each network and layer."""
    header = ["network", "layer", "outputs", "can pass", "σ₁", "stable rank", "particip."]
    header += [f"> 1e-{power}" for power in (1, 2, 3, 6)] + ["κ ≥"]
    lines = []
    for label in networks:
        for name in names:
            here = among(rows, network=label, layer=name)
            cells = [label, name, f"{here[0]['outputs']:,}"]
            cells.append(f"{_median(here, 'rank_bound'):,.0f}")
            if "sigma_1" in here[0]:
                for column in ("sigma_1", "stable_rank", "participation_ratio"):
                    cells.append(f"{_median(here, column):.4g}")
                cells += [_bracket(here, power) for power in (1, 2, 3, 6)]
                cells.append(f"{_median(here, 'condition_low'):.2g}")
            lines.append(cells + [""] * (len(header) - len(cells)))
    return markdown_table(header, lines)


def _median(rows: Sequence[Row], column: str) -> float:
    return float(np.median([row[column] for row in rows]))


def _bracket(rows: Sequence[Row], power: int) -> str:
    """`1,234` or `1,200–1,310`: medians of both ends."""
    low, high = (f"{_median(rows, f'above_1e-{power}_{end}'):,.0f}" for end in ("low", "high"))
    return low if low == high else f"{low}–{high}"
