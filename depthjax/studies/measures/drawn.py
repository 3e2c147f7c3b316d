"""The changed photographs with their numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from depthjax import figures
from depthjax.studies.measures.measured import Photographs

_SHOWN = 2  # photographs; more would only repeat what they show
_SIGNS = {"D": "input_ratio", "r²": "luminance_r2", "edges": "gradient_r2"}


def draw(
    names: Sequence[str],
    targets: Photographs,
    changes: Mapping[str, Photographs],
    rows: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, Any]]:
    """A gallery of the first photographs, with the name of its file.

    Args:
        names: of the photographs.
        targets, changes: as `rows_of` takes them.
        rows: from `rows_of`.
    """
    shown = slice(0, _SHOWN)
    numbers = {
        sign: np.reshape([row[column] for row in rows], (len(changes), len(names)))[:, shown]
        for sign, column in _SIGNS.items()
    }
    pictures = np.stack(list(changes.values()))[:, shown]
    yield (
        "changes",
        figures.gallery(names[shown], targets[shown], None, list(changes), pictures, numbers),
    )
