"""Descents that go on where those of a finished run ended."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from depthjax.errors import one_of
from depthjax.folders.inversions import load_run

_SAME = ("model", "model_fields", "weights_file", "normalization", "images", "size", "fit")
"""What two runs must have in common for the images of one to be starts of the other."""


class Continued(NamedTuple):
    """A run that is gone on with.

    Fields:
        starts: where its descents began, `[R, B, H, W, C]`.
        ends: their last images, by layer, `[R, B, H, W, C]` each.
    """

    starts: Float[np.ndarray, "restarts batch height width channels"]
    ends: dict[str, Float[np.ndarray, "restarts batch height width channels"]]


def continued_run(
    folder: str | os.PathLike[str], definition: Mapping[str, Any], layers: Sequence[str]
) -> Continued:
    """The images that a finished run ended with, as starts of another run of the same layers.

    Args:
        folder: of the run.
        definition: of the other run, in JSON's terms.
        layers: that are to be inverted.

    Raises:
        ValueError: if there is no run, if it is of another network, of other images or of another
            number of restarts, or if it has not inverted one of the layers.
    """
    run = load_run(folder)
    for name in _SAME:
        theirs, ours = run.config.get(name), definition[name]
        if theirs != ours:
            raise ValueError(
                f"cannot go on from {str(folder)!r}: its {name} is {theirs!r}, not {ours!r}"
            )
    restarts = definition["inversion"]["restarts"]
    if len(run.starts) != restarts:
        raise ValueError(
            f"cannot go on from {str(folder)!r}: it has {len(run.starts)} restarts, not {restarts}"
        )
    for layer in layers:
        one_of(f"layer of {str(folder)!r}", layer, run.layers)
    return Continued(run.starts, {layer: run.layers[layer]["final_images"] for layer in layers})
