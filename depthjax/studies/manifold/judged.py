"""C14: a trained network's distances over the untrained one's, seed by seed."""

from collections.abc import Collection, Mapping, Sequence
from itertools import product

import numpy as np
from jaxtyping import Float

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.manifold.inputs import GAUSSIAN, HELD_OUT, is_noise
from depthjax.studies.manifold.measured import EMBEDDED, NEIGHBOURS, PRINCIPAL, RECOVERED
from depthjax.studies.networks import ONE_NETWORK, aside_of
from depthjax.studies.rows import Row, among, seed_table

STATISTICS = {
    NEIGHBOURS: "distance to training examples, trained / untrained",
    PRINCIPAL: "distance to their principal components, trained / untrained",
}


def findings(
    rows: Sequence[Row],
    names: Sequence[str],
    untrained: str,
    trained_on: Mapping[str, str],
    single: Collection[str] = (),
) -> list[Finding]:
    """C14: trained over untrained, for every network, kind of input and layer.

    What counts is where recovered images lie, by the distance to neighbours. Distances of
    embeddings stand beside, and those of held-out examples, which are no arbitrary inputs.

    Args:
        rows: of all training sets.
        names: of the layers, shallow to deep.
        untrained: the network that others are compared with.
        trained_on: the training set of each other network. Gaussian noise is no arbitrary input of
            a network that was trained on it.
        single: labels that are one trained network (`depthjax.studies.networks`).
    """
    results = []
    for seen, (column, quantity), (label, spec), kind, name in product(
        (RECOVERED, EMBEDDED), STATISTICS.items(), trained_on.items(), kinds(rows), names
    ):
        if is_noise(spec) and kind == GAUSSIAN:
            continue
        own = among(rows, seen=seen, layer=name, input=kind)
        trained, other = (table(own, column, network, spec) for network in (label, untrained))
        if not trained.size or not other.size:
            continue  # held-out examples are not recovered, nor is anything but the last layer
        judged = (seen, column) == (RECOVERED, NEIGHBOURS)
        results.append(
            Finding(
                claim="C14",
                part="recovered_come_nearer" if judged else "",
                network=label,
                layer=name,
                note=f"{kind}, {ONE_NETWORK}" if label in single else kind,
                quantity=f"{seen}: {quantity}",
                bound=bound_of("C14", "recovered_come_nearer"),
                measured=Cells.of(trained / other, logarithmic=True),
                aside=aside_of(label) or ("contrast" if kind == HELD_OUT else ""),
            )
        )
    return results


def kinds(rows: Sequence[Row]) -> list[str]:
    """The kinds of arbitrary inputs, in the order of the rows."""
    return list(dict.fromkeys(row["input"] for row in rows))


def table(
    rows: Sequence[Row], statistic: str, network: str, spec: str
) -> Float[np.ndarray, "seeds origins"]:
    """A distance at one place: the geometric mean over the inputs of each origin."""
    with np.errstate(divide="ignore"):
        return seed_table(
            rows,
            statistic,
            column="origin",
            average=lambda values: np.exp(np.log(values).mean()),
            network=network,
            training_set=spec,
        )


def medians(
    rows: Sequence[Row], names: Sequence[str], statistic: str, network: str, spec: str, kind: str
) -> list[Float[np.ndarray, " seeds"]]:
    """Of embeddings, the median over origins of each seed, at each layer."""
    own = among(rows, seen=EMBEDDED, input=kind)
    return [
        np.median(table(among(own, layer=name), statistic, network, spec), axis=1) for name in names
    ]
