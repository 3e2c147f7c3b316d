"""Draws both distances of embeddings against depth, a panel for each kind of input."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from depthjax import figures
from depthjax.studies.manifold.judged import kinds, medians
from depthjax.studies.manifold.measured import NEIGHBOURS, PRINCIPAL
from depthjax.studies.rows import Row

_AXES = {NEIGHBOURS: "to neighbours", PRINCIPAL: "to components"}


def draw(
    rows: Sequence[Row], names: Sequence[str], untrained: str, trained_on: Mapping[str, str]
) -> Iterator[tuple[str, Figure]]:
    """The figure of all training sets, with its name; the arguments are those of `findings`."""
    panels: dict[str, dict[str, dict[str, list]]] = {}
    for spec in dict.fromkeys(row["training_set"] for row in rows):
        labels = [untrained, *(label for label, other in trained_on.items() if other == spec)]
        for statistic, axis in _AXES.items():
            panels[f"{axis}\n{spec}"] = {
                kind: {
                    label: medians(rows, names, statistic, label, spec, kind) for label in labels
                }
                for kind in kinds(rows)
            }
    yield "manifold", figures.nearness_against_depth(names, panels)
