"""One restart of several for each image: the one whose embedding came nearest by the objective."""

from collections.abc import Mapping

import numpy as np

_RECORDED = ("trajectory_objective", "trajectory_embedding_ratio", "trajectory_input_ratio")
_SECOND = (*_RECORDED, "matched_input_ratio", "frames")
"""Arrays `[…, R, B, …]` of a layer, whose first axis is that of records, levels or frames."""

_OF_TARGETS = "target_"
"""Before the names of arrays `[B, …]`, which no restart changes."""


def best_restart(arrays: Mapping[str, np.ndarray], *, last: bool = False) -> dict[str, np.ndarray]:
    """The arrays of a layer with one restart, chosen for each image by the least objective.

    The objective knows nothing of the image, so that the choice is none of what looks best.

    Args:
        arrays: as in `depthjax.Run.layers`, of R restarts.
        last: choose by the objective of the last iterate, and not of the best one.

    Returns:
        The same arrays with R = 1, and `restart`, `[B]`: the one that was chosen.
    """
    objective = arrays["trajectory_objective"][-1] if last else arrays["objective"]
    restarts, count = objective.shape
    chosen = np.where(np.isfinite(objective), objective, np.inf).argmin(0)
    every = np.arange(count)
    taken = dict(arrays)
    for name, values in arrays.items():
        if name in _SECOND:
            taken[name] = values[:, chosen, every][:, None]
        elif values.shape[:2] == (restarts, count) and not name.startswith(_OF_TARGETS):
            taken[name] = values[chosen, every][None]
    return taken | {"restart": chosen}
