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
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import UInt8

from depthjax.checkpoint import Checkpoint, Checkpoints
from depthjax.devices.sharding import Split
from depthjax.files import CannotWrite, npz_bytes, write_atomically
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


class _OwnCheckpoints:
    """`Checkpoints` of one process among several: Orbax writes for all of them together only."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "last.npz"

    def save(self, step: int, state: Any, meta: dict[str, Any]) -> None:
        leaves = {f"leaf{n}": np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(state))}
        about = np.array(json.dumps([step, meta]))
        write_atomically(self._file, npz_bytes({"meta": about, **leaves}))

    def restore(self, like: Any) -> Checkpoint | None:
        if not self._file.is_file():
            return None
        try:
            with np.load(self._file, allow_pickle=False) as arrays:
                step, meta = json.loads(str(arrays["meta"]))
                leaves = [arrays[f"leaf{n}"] for n in range(len(jax.tree.leaves(like)))]
        except Exception as error:  # numpy, zipfile and json each raise kinds of their own
            raise ValueError(
                f"no checkpoint in {str(self._file)!r} can be used: {error}"
            ) from error
        return Checkpoint(step, jax.tree.unflatten(jax.tree.structure(like), leaves), meta)

    def close(self) -> None:
        """All is on disk already."""


class DescentCheckpoints:
    """The states of one inversion, in a folder; nothing is written before `seconds` have passed.

    `invert` uses it as a context manager: however the inversion ends, by Ctrl-C too, nothing is
    written in the background afterwards, so that the same process can go on from the folder.

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
        self._open: tuple[int, Checkpoints | _OwnCheckpoints] | None = None
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
            before = json.loads(file.read_text())
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

    def resume(
        self, batch: int, config: InversionConfig, like: State, frames: int = 0
    ) -> Kept | None:
        """The newest state of a batch that can be read, laid out as `like`; None if none can.

        Args:
            batch: its number.
            config: of the inversion.
            like: where the batch begins.
            frames: how many are due on the way.
        """
        if not self._of(batch).is_dir():
            return None
        try:
            checkpoint = self._checkpoints(batch).restore((like, *_room(config, like, frames)))
        except CannotWrite:  # the state is whole; there is no room to go on
            raise
        except ValueError as error:
            warnings.warn(f"the descent begins anew: {error}", stacklevel=2)
            self._close()
            shutil.rmtree(self._of(batch), ignore_errors=True)
            return None
        if checkpoint is None:
            return None
        state, rows, pictures = checkpoint.state
        placed = jax.tree.map(lambda leaf, old: jax.device_put(leaf, old.sharding), state, like)
        records = Records(*(row[: checkpoint.meta["count"]] for row in rows))
        seen = [] if pictures is None else list(pictures[: checkpoint.meta["frames"]])
        return Kept(placed, records, seen, checkpoint.meta["finished"])

    def keep(
        self,
        batch: int,
        config: InversionConfig,
        kept: Kept,
        frames: int = 0,
        *,
        at_once: bool = False,
    ) -> None:
        """Writes a state, unless less than `seconds` have passed since the last one.

        Args:
            batch: its number.
            config: of the inversion.
            kept: where it stands.
            frames: how many are due on the way.
            at_once: write it in any case.
        """
        if not at_once and time.monotonic() - self._last < self._seconds:
            return
        (rows, pictures), count = _room(config, kept.state, frames), len(kept.records.step)
        for room, row in zip(rows, kept.records, strict=True):
            room[:count] = row
        if pictures is not None:
            pictures[: len(kept.frames)] = kept.frames
        step = int(np.max(jax.device_get(kept.state.step)))
        meta = {"count": count, "frames": len(kept.frames), "finished": kept.finished}
        self._checkpoints(batch).save(step, (kept.state, rows, pictures), meta)
        self._last = time.monotonic()

    def discard(self) -> None:
        """Removes the folder; call it once the results are written elsewhere."""
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Returns once all that was kept is on disk."""
        self._close()

    def __enter__(self) -> "DescentCheckpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(*([] if kind is None else [CannotWrite])):  # the first error tells more
            self.close()

    def _of(self, batch: int) -> Path:
        return self._folder / f"batch-{batch}"

    def _checkpoints(self, batch: int) -> Checkpoints | _OwnCheckpoints:
        if self._open is None or self._open[0] != batch:
            self._close()
            several = jax.process_count() > 1
            kind = _OwnCheckpoints if several else Checkpoints
            self._open = batch, kind(self._of(batch))
        return self._open[1]

    def _close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


def _room(
    config: InversionConfig, state: State, frames: int
) -> tuple[Records, UInt8[np.ndarray, "frames batch height width channels"] | None]:
    """Room for all rows and frames of a descent, since Orbax asks for shapes beforehand.

    It takes no arrays without elements, so there is no room for frames where none are due.
    """
    shape = config.steps // config.record_every + 2, len(state.images)
    empty = [np.full(shape, np.nan, state.images.dtype) for _ in range(3)]
    pictures = np.zeros((frames, *state.images.shape), np.uint8) if frames else None
    return Records(np.zeros(shape[0], np.int32), *empty), pictures
