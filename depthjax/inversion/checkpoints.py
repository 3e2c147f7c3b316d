"""States of descents on disk: an interrupted descent goes on from the last one to the same numbers.

The state is all that the compiled loop takes and returns. So a descent that was written to disk and
read again ends bit for bit as one that never stopped, on the same kind of device and with the same
split of its examples over devices and batches. The split is therefore kept too.

    kept = DescentCheckpoints("runs/mine/unfinished")
    result = invert(layer, variables, target_embedding, init, config, checkpoints=kept)
    ...                       # write the results
    kept.discard()
"""

import json
import os
import shutil
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from depthjax.devices.sharding import Split
from depthjax.files import npz_bytes, read_arrays, write_atomically
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.identity import digest_of
from depthjax.inversion.loop import Records
from depthjax.inversion.state import State


class Kept(NamedTuple):
    """Where a batch of descents stood.

    Fields:
        state: of the loop, on its devices.
        records: the rows so far.
        frames: the iterates kept so far, in 8 bits (`depthjax.inversion.frames`).
        finished: whether there is nothing left to do.
    """

    state: State
    records: Records
    frames: Sequence[UInt8[np.ndarray, "batch height width channels"]]
    finished: bool


class DescentCheckpoints:
    """The states of one inversion, in a folder; nothing is written before `seconds` have passed.

    Each batch has one file, which is whole or not there.

    Args:
        folder: of this inversion alone; each of several processes has its own within.
        seconds: between two checkpoints.
        anew: whether to begin anew, with a warning, where the folder holds what cannot be gone on
            with; otherwise that is an error.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, seconds: float = 60.0, anew: bool = False
    ) -> None:
        several = jax.process_count() > 1
        own = f"process-{jax.process_index()}" if several else ""
        self._folder, self._seconds, self._anew = Path(folder, own), seconds, anew
        self._last = time.monotonic()

    def begin(
        self, config: InversionConfig, arrays: Iterable[Any], split: Split, devices: int
    ) -> Split:
        """Opens the folder for an inversion, and returns the split of its examples to use.

        Args:
            config: of the inversion.
            arrays: everything else that defines it: starts, target embeddings, steps of frames.
            split: the split to use if the inversion begins now.
            devices: how many there are.

        Returns:
            `split`, or the one that the inversion began with if the folder holds states of it.

        Raises:
            ValueError: if the folder is another inversion's, or there are too few devices now;
                with `anew`, neither is an error.
        """
        digest = digest_of(config, arrays)
        self._last = time.monotonic()
        file = self._folder / "descent.json"
        if file.is_file():
            before = json.loads(file.read_text(encoding="utf-8"))
            problem = self._problem(before, digest, devices)
            if not problem:
                return Split(*before["split"])
            if not self._anew:
                raise ValueError(problem)
            warnings.warn(f"descents begin anew: {problem}", stacklevel=2)
            self.discard()
        text = json.dumps({"sha256": digest, "split": split})
        write_atomically(file, f"{text}\n".encode())
        return split

    def _problem(self, before: dict[str, Any], digest: str, devices: int) -> str:
        """Why the states in the folder cannot be gone on with, or nothing."""
        if before["sha256"] != digest:
            return (
                f"{str(self._folder)!r} holds the state of other descents: their start, target,"
                " settings or frames were others, and another kind of device or version of this"
                " package may make other targets; remove it, or use those it was begun with"
            )
        if (used := Split(*before["split"]).devices) > devices:
            return (
                f"{str(self._folder)!r} was begun on {used} devices and here are {devices}; go on"
                " where it was begun, or remove it"
            )
        return ""

    def resume(self, batch: int, like: State) -> Kept | None:
        """The state of a batch, laid out as `like`; None if there is none that can be read.

        Args:
            batch: its number.
            like: where the batch begins.
        """
        file = self._file(batch)
        if not file.is_file():
            return None
        try:
            arrays = read_arrays(file)
            leaves = [
                _as_before(arrays[f"leaf{number}"], old)
                for number, old in enumerate(jax.tree.leaves(like))
            ]
            records = Records(*(arrays[name] for name in Records._fields))
            frames, finished = list(arrays["frames"]), bool(arrays["finished"])
        except (KeyError, ValueError) as error:
            warnings.warn(f"the descent begins anew: {error}", stacklevel=2)
            return None
        state = jax.tree.unflatten(jax.tree.structure(like), leaves)
        placed = jax.tree.map(lambda leaf, old: jax.device_put(leaf, old.sharding), state, like)
        return Kept(placed, records, frames, finished)

    def keep(self, batch: int, kept: Kept, *, at_once: bool = False) -> None:
        """Writes a state, unless less than `seconds` have passed since the last one.

        Args:
            batch: its number.
            kept: where it stands.
            at_once: write it in any case.

        Raises:
            CannotWrite: if there is no room.
        """
        if not at_once and time.monotonic() - self._last < self._seconds:
            return
        leaves = enumerate(jax.tree.leaves(kept.state))
        arrays = {f"leaf{number}": _as_plain(leaf) for number, leaf in leaves}
        arrays |= {**kept.records._asdict(), "finished": np.array(kept.finished)}
        arrays["frames"] = np.array(kept.frames, np.uint8)
        write_atomically(self._file(batch), npz_bytes(arrays))
        self._last = time.monotonic()

    def discard(self) -> None:
        """Removes the folder; call it once the results are written elsewhere."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, batch: int) -> Path:
        return self._folder / f"batch-{batch}.npz"


def _as_plain(leaf: Any) -> np.ndarray:
    """An array of a dtype that NPZ files know; an optimiser may hold keys, or bfloat16."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(jax.device_get(leaf))
    return array.view(np.dtype(f"u{array.itemsize}")) if array.dtype.kind == "V" else array


def _as_before(array: np.ndarray, like: Any) -> Any:
    """The way back.

    Raises:
        ValueError: if it is no such array.
    """
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))
    if like.dtype.kind == "V" and array.itemsize == like.dtype.itemsize:
        array = array.view(like.dtype)
    if (array.shape, array.dtype) != (like.shape, like.dtype):
        raise ValueError(f"an array is {array.dtype} {array.shape}, not {like.dtype} {like.shape}")
    return array
