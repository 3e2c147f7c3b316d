"""A null distribution of natural images as a file, with all that says what it belongs to."""

import json
import os
from pathlib import Path

import numpy as np

from depthjax.analysis.metamers import Likeness, Null
from depthjax.files import npz_bytes, read_arrays, write_atomically
from depthjax.folders.environment import environment

_RECORD = "record"


def save_null(path: str | os.PathLike[str], null: Null) -> None:
    """Writes a null distribution as an NPZ file, with its origin and the versions that made it.

    Args:
        path: of the file, `….npz`.
        null: from `depthjax.analysis.metamers.natural_null`.

    Raises:
        ValueError: if it cannot be written.
    """
    origin = environment()
    record = {
        "network": null.network,
        "shape": list(null.shape),
        "images": null.images,
        "pairs": null.pairs,
        "layers": list(null.layers),
        "versions": origin["versions"],
        "git_revision": origin["git_revision"],
    }
    arrays = {str(at): np.stack(found) for at, found in enumerate(null.layers.values())}
    write_atomically(path, npz_bytes({_RECORD: np.array(json.dumps(record)), **arrays}))


def load_null(path: str | os.PathLike[str]) -> Null:
    """Reads a null distribution that `save_null` has written.

    Raises:
        ValueError: if there is no such file, or it is damaged, or is something else.
    """
    if not Path(path).is_file():
        raise ValueError(
            f"no null distribution at {str(path)!r}; experiments/metamers.py writes one into nulls/"
        )
    arrays = read_arrays(Path(path))
    if _RECORD not in arrays:
        raise ValueError(
            f"{str(path)!r} holds no null distribution but {', '.join(arrays) or 'nothing'}; give"
            " a file of nulls/ that experiments/metamers.py has written"
        )
    record = json.loads(str(arrays[_RECORD]))
    layers = {name: Likeness(*arrays[str(at)]) for at, name in enumerate(record["layers"])}
    return Null(record["network"], tuple(record["shape"]), record["images"], layers)
