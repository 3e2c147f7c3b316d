"""The few numbers of a benchmark that README.md shows."""

from typing import Any

import numpy as np

from depthjax.tables import markdown_table

from .contenders import CONTENDERS
from .quantities import ratios
from .summary import command

_OURS = "loop"
"""The contender that is a descent of depthjax."""


def lowest_and_highest(results: dict[str, Any]) -> str:
    """How a step compares with its peers: lowest, middle and highest median of layers and batches.

    Args:
        results: the contents of a `benchmark.json` that has races.
    """
    races, settings, machine = results["races"], results["settings"], results["machine"]
    rows = []
    for name, (title, peer) in CONTENDERS.items():
        # Images · steps/s in multiples of a peer's; seconds in multiples of the bare gradient's.
        pair = (name, _OURS) if peer else (_OURS, name)
        of_races = [ratios(race, *pair) for race in races]
        medians = sorted(float(np.median(ratio)) for ratio in of_races if ratio.size)
        if name == _OURS or not medians:
            continue
        what = f"{'images · steps/s' if peer else 'seconds'} ÷ {title}"
        rows.append(
            [what, *(f"{end:.2f}×" for end in (medians[0], float(np.median(medians)), medians[-1]))]
        )
    layers = ", ".join(dict.fromkeys(race["layer"] for race in races))
    batches = ", ".join(dict.fromkeys(str(race["batch"]) for race in races))
    return (
        f"{markdown_table(['a step', 'lowest', 'middle', 'highest'], rows)}\n\n"
        f"{settings['model']} at {settings['size']}×{settings['size']}; {layers}; batches of"
        f" {batches}.\nMade by `{command(machine['command'])}` on a {machine['device']}"
        f" ({machine['processor']}, {machine['cores']} cores)."
    )
