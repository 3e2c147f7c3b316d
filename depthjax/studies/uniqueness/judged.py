"""Whether solutions of one layer differ by more than a noisy copy does from its image."""

from collections.abc import Collection, Sequence

from depthjax.claims.findings import Finding
from depthjax.studies.networks import about
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
    return [
        about(
            *(label, "uniqueness", "apart"),
            seed_table(rows, "mean_between", network=label, layer=name),
            single,
            counts=name == names[-1],
            layer=name,
            quantity=f"D between solutions with ρ ≤ {level:g}",
        )
        for label in networks
        for name in names
    ]
