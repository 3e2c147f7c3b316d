"""C14: a trained network's ratios over the untrained one's, seed by seed."""

from collections.abc import Collection, Mapping, Sequence
from itertools import product

import numpy as np
from jaxtyping import Float

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.manifold.inputs import GAUSSIAN, is_noise
from depthjax.studies.manifold.measured import NEIGHBOURS, RESIDUAL
from depthjax.studies.networks import ONE_NETWORK, aside_of
from depthjax.studies.rows import Row, seed_table

STATISTICS = {
    NEIGHBOURS: "neighbour distance over held-out, trained / untrained",
    RESIDUAL: "residual over held-out, trained / untrained",
}


def findings(
    rows: Sequence[Row],
    names: Sequence[str],
    untrained: str,
    trained_on: Mapping[str, str],
    single: Collection[str] = (),
) -> list[Finding]:
    """C14: trained over untrained, for every network, kind of input and layer.

    The distance to neighbours counts, at the last layer alone.

    Args:
        rows: of all training sets.
        names: of the layers, shallow to deep.
        untrained: the network that others are compared with.
        trained_on: the training set of each other network. Gaussian noise is no arbitrary input of
            a network that was trained on it.
        single: labels that are one trained network (`depthjax.studies.networks`).
    """
    results = []
    for (column, quantity), (label, spec), kind, name in product(
        STATISTICS.items(), trained_on.items(), kinds(rows), names
    ):
        if is_noise(spec) and kind == GAUSSIAN:
            continue
        trained, other = (
            table(rows, column, network, spec, kind, name) for network in (label, untrained)
        )
        results.append(
            Finding(
                claim="C14",
                part="inputs_come_nearer" if (column, name) == (NEIGHBOURS, names[-1]) else "",
                network=label,
                layer=name,
                note=f"{kind}, {ONE_NETWORK}" if label in single else kind,
                quantity=quantity,
                bound=bound_of("C14", "inputs_come_nearer"),
                measured=Cells.of(trained / other, logarithmic=True),
                aside=aside_of(label),
            )
        )
    return results


def kinds(rows: Sequence[Row]) -> list[str]:
    """The kinds of arbitrary inputs, in the order of the rows."""
    return list(dict.fromkeys(row["input"] for row in rows))


def table(
    rows: Sequence[Row], statistic: str, network: str, spec: str, kind: str, layer: str
) -> Float[np.ndarray, "seeds origins"]:
    """A ratio at one place: the geometric mean over the inputs of each origin."""
    with np.errstate(divide="ignore"):
        return seed_table(
            rows,
            statistic,
            column="origin",
            average=lambda values: np.exp(np.log(values).mean()),
            network=network,
            training_set=spec,
            input=kind,
            layer=layer,
        )


def medians(
    rows: Sequence[Row], names: Sequence[str], statistic: str, network: str, spec: str, kind: str
) -> list[Float[np.ndarray, " seeds"]]:
    """The median over origins of each seed, at each layer."""
    return [np.median(table(rows, statistic, network, spec, kind, name), axis=1) for name in names]
