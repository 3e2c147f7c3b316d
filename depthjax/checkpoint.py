"""Checkpoints of a training, by Orbax: written in the background, and whole or not at all."""

import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from depthjax.errors import in_one_line, one_of
from depthjax.files import CannotWrite, check_writable

KINDS = ("last", "best")
KEPT = {"last": 2, "best": 1}
"""Number of checkpoints that stay; two of the last ones, since the newest may be damaged."""


class Checkpoint(NamedTuple):
    """A state and the JSON that was saved with it.

    Fields:
        step: its number.
        state: arrays, on the host.
        meta: position in the data, learning curve, and so on.
    """

    step: int
    state: Any
    meta: dict[str, Any]


class Checkpoints:
    """The checkpoints in a folder: the last ones, and the best. Use it as a context manager.

    What was saved is on disk after `wait` or at the end of the context. Every method raises
    `CannotWrite`, in one line, if a checkpoint cannot be written, now or in the background.

    Args:
        folder: made if it does not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self._folder = Path(folder).absolute()  # Orbax takes no other
        check_writable(self._folder)
        _report_errors_once()
        with self._writing():
            self._managers = {
                kind: ocp.CheckpointManager(
                    self._folder / kind,
                    options=ocp.CheckpointManagerOptions(
                        max_to_keep=KEPT[kind], cleanup_tmp_directories=True
                    ),
                )
                for kind in KINDS
            }

    def save(self, step: int, state: Any, meta: Mapping[str, Any], *, kind: str = "last") -> None:
        """Begins to write a checkpoint; the memory of the state may be reused at once.

        Args:
            step: its number; a checkpoint of that number that exists already stays as it is.
            state: any pytree of arrays, the same in all processes.
            meta: must survive JSON.
            kind: `last` or `best`.

        Raises:
            ValueError: if this process may no longer write the folder.
        """
        manager = self._managers[one_of("kind of checkpoint", kind, KINDS)]
        check_writable(self._folder)
        if step in manager.all_steps():
            return
        # A copy: on the CPU NumPy would look at memory that the next step writes to.
        arrays = jax.tree.map(lambda leaf: np.array(leaf, copy=True), _as_dicts(state))
        args = self._ocp.args
        content = args.Composite(state=args.StandardSave(arrays), meta=args.JsonSave(dict(meta)))
        with self._writing():
            manager.save(step, args=content)

    def restore(self, like: Any, *, kind: str = "last") -> Checkpoint | None:
        """The newest checkpoint that can be read; None if there is none.

        A checkpoint that cannot be read, because the machine went down while it was written or the
        disk lost it, is removed, and the one before is taken.

        Args:
            like: a state of the same structure, shapes and dtypes (`jax.eval_shape` of it does).
            kind: `last` or `best`.

        Raises:
            ValueError: if checkpoints are there and none of them fits.
        """
        manager = self._managers[one_of("kind of checkpoint", kind, KINDS)]
        args = self._ocp.args
        abstract = jax.tree.map(
            lambda leaf: np.empty(leaf.shape, leaf.dtype), jax.eval_shape(lambda: _as_dicts(like))
        )
        problems = []
        for step in sorted(manager.all_steps(), reverse=True):
            try:
                stored = manager.restore(
                    step,
                    args=args.Composite(
                        state=args.StandardRestore(abstract), meta=args.JsonRestore()
                    ),
                )
                state = _as_before(like, stored["state"])
            except Exception as error:  # Orbax, its storage and JSON each raise kinds of their own
                problems.append((step, in_one_line(error, most=200)))
                continue
            for damaged, _ in problems:
                shutil.rmtree(self._folder / kind / str(damaged), ignore_errors=True)
            if problems:
                manager.reload()
            return Checkpoint(step, state, stored["meta"])
        if problems:
            listed = "; ".join(f"{step}: {problem}" for step, problem in problems)
            raise ValueError(
                f"no checkpoint in {str(self._folder / kind)!r} can be used ({listed}); check the"
                " settings, or begin anew with --overwrite"
            )
        return None

    def wait(self) -> None:
        """Returns once all that was saved is on disk."""
        with self._writing():
            for manager in self._managers.values():
                manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and ends the use of the folder."""
        with self._writing():
            for manager in self._managers.values():
                manager.close()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(*([] if kind is None else [CannotWrite])):  # the first error tells more
            self.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns whatever Orbax and its storage raise into one line."""
        try:
            yield
        except Exception as error:
            full = "No space left on device"
            reason = in_one_line(error, most=200)
            raise CannotWrite(
                f"cannot write a checkpoint in {str(self._folder)!r}"
                f" ({full if full in str(error) else reason}); check the folder's permissions and"
                " the free space"
            ) from error


@cache  # once a process
def _report_errors_once() -> None:
    """Keeps the tracebacks of writes in the background from the screen; they are raised, too.

    Orbax logs what it raises. Where one of several writes fails, its event loop is closed, and
    asyncio and the storage report each of the others as an error of its own.
    """

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.levelno < logging.ERROR or "orbax" not in record.pathname

    def was_retrieved(record: logging.LogRecord) -> bool:
        return "never retrieved" not in str(record.msg)

    logging.getLogger("absl").addFilter(is_of_others)
    logging.getLogger("asyncio").addFilter(was_retrieved)
    report = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            report(unraisable)

    sys.unraisablehook = hook


def _as_dicts(state: Any) -> dict[str, Any]:
    """The leaves by number: their containers (named tuples, states of optax) need no record."""
    return {str(number): leaf for number, leaf in enumerate(jax.tree.leaves(state))}


def _as_before(like: Any, stored: Mapping[str, Any]) -> Any:
    """The stored leaves in the structure of `like`; their shapes and dtypes must be the same."""
    wanted = jax.tree.leaves(jax.eval_shape(lambda: like))
    leaves = [np.asarray(stored[str(number)]) for number in range(len(wanted))]
    for number, (leaf, want) in enumerate(zip(leaves, wanted, strict=True)):
        if leaf.shape != want.shape or leaf.dtype != want.dtype:
            raise ValueError(
                f"leaf {number} is {leaf.dtype} {leaf.shape}, not {want.dtype} {want.shape}"
            )
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
