"""Whether solutions of one layer differ by more than a noisy copy does from its image."""

from collections.abc import Collection, Sequence

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.networks import ONE_NETWORK, aside_of, fixed_in
from depthjax.studies.rows import Row, seed_table


def findings(
    rows: Sequence[Row],
    names: Sequence[str],
    networks: Sequence[str],
    level: float,
    single: Collection[str] = (),
) -> list[Finding]:
    """The mean D between matched solutions, at the last layer; at others as a contrast.

    Args:
        rows: of all layers and images.
        names: of the layers, shallow to deep.
        networks: their labels.
        level: ρ up to which a solution is matched.
        single: those that are one trained network (`depthjax.studies.networks`).
    """
    results = []
    for label in networks:
        for name in names:
            table = seed_table(rows, "mean_between", network=label, layer=name)
            last = name == names[-1]
            results.append(
                Finding(
                    claim="uniqueness",
                    part="apart" if last else "",
                    network=label,
                    layer=name,
                    note=ONE_NETWORK if label in single else "",
                    quantity=f"D between solutions with ρ ≤ {level:g}",
                    bound=bound_of("uniqueness", "apart"),
                    measured=Cells.of(table, fixed=fixed_in(table, label in single)),
                    aside=aside_of(label) or ("" if last else "contrast"),
                )
            )
    return results
