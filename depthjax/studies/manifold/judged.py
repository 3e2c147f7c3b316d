"""C14: a trained network's ratios over the untrained one's, seed by seed."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.statistics import Finding, bootstrap_ratio
from depthjax.studies.manifold.inputs import GAUSSIAN, is_noise
from depthjax.studies.manifold.measured import NEIGHBOURS, RESIDUAL
from depthjax.studies.rows import Row, seed_table

STATISTICS = {
    NEIGHBOURS: "neighbour distance over held-out, trained / untrained",
    RESIDUAL: "residual over held-out, trained / untrained",
}


def findings(
    rows: Sequence[Row], names: Sequence[str], untrained: str, trained_on: Mapping[str, str]
) -> list[Finding]:
    """Trained over untrained, for every network, kind of input and layer.

    Args:
        rows: of all training sets.
        names: of the layers, shallow to deep.
        untrained: the network that others are compared with.
        trained_on: the training set of each other network; Gaussian noise is not arbitrary to
            those that were trained on it.
    """
    return [
        Finding(
            "C14",
            f"{label}, {name}, {kind}",
            words,
            "< 1",
            bootstrap_ratio(
                *(table(rows, statistic, one, spec, kind, name) for one in (label, untrained))
            ),
        )
        for statistic, words in STATISTICS.items()
        for label, spec in trained_on.items()
        for kind in kinds(rows)
        if not (is_noise(spec) and kind == GAUSSIAN)
        for name in names
    ]


def kinds(rows: Sequence[Row]) -> list[str]:
    """Of arbitrary inputs."""
    return list(dict.fromkeys(row["input"] for row in rows))


def table(
    rows: Sequence[Row], statistic: str, network: str, spec: str, kind: str, layer: str
) -> Float[np.ndarray, "seeds origins"]:
    """A ratio at one place, geometric means over what has one origin."""
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
    """Over origins, at each layer."""
    return [np.median(table(rows, statistic, network, spec, kind, name), axis=1) for name in names]
