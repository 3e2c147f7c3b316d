"""C9, what convolutions and poolings lose, and C16, conditioning against depth."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.analysis.singular_values import DENSE_FLOOR, LEVELS, SpectralCurve, level_at_rank
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.statistics import estimates, least_slopes
from depthjax.studies.jacobian.measured import Piece
from depthjax.studies.networks import about, aside_of
from depthjax.studies.rows import Row, among, seed_table
from depthjax.tables import markdown_table

_FEWEST = 3
"""Layers that a slope against depth is of: two are one step, such as one pooling."""


def finished_rows(pieces: Sequence[Piece]) -> list[Row]:
    """All rows, with both ends of σ / σ₁ of the ranks that C16 compares layers at.

    `half_rank_…` is of half of each layer's own rank bound: half of the directions that can pass it
    are contracted more. `fixed_rank_…` is of one rank for all layers, `fixed_rank`.

    Random probes give a bracket for each count of singular values. Its upper end is lowered to the
    number of directions that can pass at all, which accounting knows. The lower end of σ / σ₁ is 0
    where too few products were made to tell it from 0.

    Args:
        pieces: of all networks, seeds and layers; their rows are changed in place.
    """
    rows = [row for piece in pieces for row in piece.rows]
    fixed = fixed_rank(rows)
    for piece in pieces:
        for row, points in zip(piece.rows, piece.curves, strict=False):
            dense = row["method"] == "dense"
            levels, few, many = map(np.asarray, points)
            curve = SpectralCurve(levels, few, many, exact=dense)
            own = max(1, row["rank_bound"] // 2)
            for name, rank in (("half_rank", own), ("fixed_rank", fixed)):
                low, high = level_at_rank(curve, rank)
                if dense:  # below it rounding hides the value
                    low, high = max(low, DENSE_FLOOR), max(high, DENSE_FLOOR)
                row |= {f"{name}_low": low, f"{name}_high": max(high, float(curve.levels.min()))}
            for power in range(1, len(LEVELS) + 1):
                column = f"above_1e-{power}_high"
                row[column] = min(row[column], float(row["rank_bound"]))
            if "effective_dimension_high" in row:
                row["effective_dimension_high"] = min(
                    row["effective_dimension_high"], float(row["rank_bound"])
                )
    return rows


def fixed_rank(rows: Sequence[Row]) -> int:
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
        results += _of_conditioning(rows, names, label, single)
    return results


def _of_conditioning(
    rows: Sequence[Row], names: Sequence[str], label: str, single: Collection[str]
) -> list[Finding]:
    """C16 at half of each layer's rank bound; beside it within stages, and at one rank for all.

    Layers with as many outputs are a stage. At one rank for all, that deeper layers have fewer
    dimensions makes a slope by itself.
    """
    if len(names) < _FEWEST:
        return []
    outputs = [among(rows, network=label, layer=name)[0]["outputs"] for name in names]
    asked = (
        ("contract_with_depth", "half_rank", None, "σ at half of the rank bound"),
        ("contract_within_stages", "half_rank", outputs, "σ at half of the rank bound"),
        ("", "fixed_rank", None, f"σ of rank {fixed_rank(rows)}"),
    )
    found = []
    for part, level, groups, quantity in asked:
        slopes = conditioning_slopes(rows, names, label, level, groups)
        if slopes is None:
            continue
        found.append(
            about(
                *(label, "C16", part or "contract_with_depth", slopes, single),
                counts=bool(part),
                note="" if groups is None else "within stages",
                quantity=f"slope of log(σ₁ / {quantity}) per layer",
            )
        )
    return found


def _of_first_convolutions(rows: Sequence[Row], names: Sequence[str], label: str) -> list[Finding]:
    """C9: σ_n / σ₁; 0 where there are fewer outputs than inputs.

    A lower bound on it where products found σ₁, up to the convergence of that.
    """

    def smallest(row: Row) -> float:
        if row["outputs"] < row["inputs"]:
            return 0.0
        return float(row["least_of_all"]) / float(row["sigma_1"])

    def exact(name: str) -> bool:
        here = among(rows, network=label, layer=name)
        return all(row["method"] == "dense" for row in here)

    return [
        Finding(
            claim="C9",
            part="conv1_injective",
            network=label,
            layer=name,
            quantity=f"{'' if exact(name) else 'lower bound on '}σ_min / σ₁ over all n inputs",
            bound=bound_of("C9", "conv1_injective"),
            measured=Cells.of(seed_table(rows, smallest, network=label, layer=name), fixed="exact"),
            aside=aside_of(label),
        )
        for name in names
        if name.startswith("conv1")
        and known(among(rows, network=label, layer=name), "least_of_all")
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
    rows: Sequence[Row],
    names: Sequence[str],
    network: str,
    level: str = "half_rank",
    groups: Sequence[int] | None = None,
) -> Float[np.ndarray, "seeds images"] | None:
    """The least slope of log(σ₁ / σ) on depth that the brackets of σ allow.

    Args:
        rows: from `finished_rows`.
        names: of the layers, shallow to deep.
        network: its label.
        level: `half_rank` or `fixed_rank`.
        groups: the group of each layer, which has an intercept of its own; by default all are one.

    Returns:
        NaN where a lower end that counts is 0; None where there is nothing to fit.
    """
    alone = groups is not None and len(set(groups)) == len(names)
    if len(names) < 2 or alone or not known(rows, f"{level}_high"):
        return None
    ends = [
        [seed_table(rows, f"{level}_{end}", network=network, layer=name) for name in names]
        for end in ("high", "low")
    ]
    with np.errstate(divide="ignore"):
        low, high = -np.log(np.array(ends))
    return least_slopes(low, high, groups=groups)


def middle(row: Row, quantity: str) -> float:
    """The middle of a quantity's bracket; NaN if it was not measured."""
    return float(row.get(f"{quantity}_low", np.nan) + row.get(f"{quantity}_high", np.nan)) / 2


_AXES: dict[str, Callable[[Row], float]] = {
    "σ₁": lambda row: row.get("sigma_1", np.nan),
    "stable rank": lambda row: row.get("stable_rank", np.nan),
    "participation\nratio": lambda row: row.get("participation_ratio", np.nan),
    "directions that\ncan pass / n": lambda row: row["rank_bound"] / row["inputs"],
    "σ > 10⁻³ σ₁,\nshare of n": lambda row: middle(row, "above_1e-3") / row["inputs"],
    "κ on the row space\n(at least)": lambda row: row.get("condition_low", np.nan),
    "bits at the\nnoise of ρ = 1": lambda row: middle(row, "bits"),
    "effective dimension\nat that noise / n": lambda row: (
        middle(row, "effective_dimension") / row["inputs"]
    ),
}


def intervals(
    rows: Sequence[Row], names: Sequence[str], networks: Sequence[str]
) -> dict[str, Float[np.ndarray, "n l 3"]]:
    """Estimate and interval of each quantity that is known, by the name on its axis."""
    panels = {
        axis: estimates(
            [seed_table(rows, value, network=label, layer=name) for name in names]
            for label in networks
        )
        for axis, value in _AXES.items()
    }
    return {axis: cells for axis, cells in panels.items() if np.isfinite(cells[..., 0]).any()}


KEY = (
    "can pass: at most so many directions of the image change the layer at all, counted operation"
    " by\noperation. σ₁: the largest singular value of its Jacobian. Stable rank, particip."
    " (participation ratio):\nhow many singular values count, Σσ² / σ₁² and (Σσ²)² / Σσ⁴."
    " > 1e-3: how many are above 10⁻³ σ₁. κ: σ₁ over\nthe least that is not 0. bits: what the"
    " layer tells of the photograph at the noise of ρ = 1.\neff. dim.: how many directions it tells"
    " something of at that noise."
)
"""What the columns of `summary_table` mean."""


def summary_table(rows: Sequence[Row], names: Sequence[str], networks: Sequence[str]) -> str:
    """Medians over seeds and images: a row for each network and layer."""
    header = ["network", "layer", "outputs", "can pass", "σ₁", "stable rank", "particip."]
    header += [f"> 1e-{power}" for power in (1, 2, 3, 6)] + ["κ ≥", "bits", "eff. dim."]
    lines = []
    for label in networks:
        for name in names:
            here = among(rows, network=label, layer=name)
            cells = [label, name, f"{here[0]['outputs']:,}"]
            cells.append(f"{_median(here, 'rank_bound'):,.0f}")
            if "sigma_1" in here[0]:
                for column in ("sigma_1", "stable_rank", "participation_ratio"):
                    cells.append(f"{_median(here, column):.4g}")
                cells += [_bracket(here, f"above_1e-{power}") for power in (1, 2, 3, 6)]
                cells.append(f"{_median(here, 'condition_low'):.2g}")
            if "bits_low" in here[0]:
                for name in ("bits", "effective_dimension"):
                    error = _median(here, f"{name}_error")
                    cells.append(_bracket(here, name) + f" ± {error:,.0f}" * (error >= 0.5))
            lines.append(cells + [""] * (len(header) - len(cells)))
    return markdown_table(header, lines)


def _median(rows: Sequence[Row], column: str) -> float:
    return float(np.median([row[column] for row in rows]))


def _bracket(rows: Sequence[Row], quantity: str) -> str:
    """`1,234` or `1,200–1,310`: medians of both ends."""
    low, high = (f"{_median(rows, f'{quantity}_{end}'):,.0f}" for end in ("low", "high"))
    return low if low == high else f"{low}–{high}"
