"""Draws D of every control against depth, with the predictions."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from depthjax import figures
from depthjax.figures.controls import Control
from depthjax.studies.controls.judged import ROUNDING, by_depth, start_ratio
from depthjax.studies.controls.networks import DEPTH, WORDS
from depthjax.studies.rows import Row


def draw(rows: Sequence[Row], title: str) -> Iterator[tuple[str, Figure]]:
    """The figure of all controls in the rows, with its name; nothing without rows."""
    if not rows:
        return
    controls = {
        WORDS[name]: Control(by_depth(rows, name, "D"), by_depth(rows, name, "predicted_D"))
        for name in dict.fromkeys(row["control"] for row in rows)
    }
    labels = [str(depth) for depth in range(1, DEPTH + 1)]
    start = start_ratio(rows)
    yield (
        "controls",
        figures.controls_against_depth(labels, controls, start, floor=ROUNDING, title=title),
    )
