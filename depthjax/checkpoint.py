"""Checkpoints of a training, by Orbax: written behind its back, and whole or not at all."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from depthjax.errors import one_of
from depthjax.files import check_writable

KINDS = ("last", "best")
KEPT = {"last": 2, "best": 1}
"""Of the last ones two, since the newest may turn out to be damaged."""


class Checkpoint(NamedTuple):
    """A state and the JSON that was saved with it.

    Fields:
        step: its number.
        state: arrays, on the host.
        meta: position in the data, learning curve, and whatever else.
    """

    step: int
    state: Any
    meta: dict[str, Any]


class Checkpoints:
    """The checkpoints in a folder: the last ones, and the best. Use it as a context manager.

    Args:
        folder: made if need be.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self._folder = Path(folder).absolute()  # Orbax takes no other
        check_writable(self._folder)
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
        """Begins to write a checkpoint; the state may be reused at once.

        Args:
            step: its number; one that is there already stays as it is.
            state: any pytree of arrays, alike in all processes.
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
        manager.save(
            step,
            args=args.Composite(state=args.StandardSave(arrays), meta=args.JsonSave(dict(meta))),
        )

    def restore(self, like: Any, *, kind: str = "last") -> Checkpoint | None:
        """The newest checkpoint that can be read; None if there is none.

        What cannot be read, because the machine went down while it was written or the disk lost
        it, is removed and the one before is taken.

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
                found = manager.restore(
                    step,
                    args=args.Composite(
                        state=args.StandardRestore(abstract), meta=args.JsonRestore()
                    ),
                )
                state = _as_before(like, found["state"])
            except Exception as error:  # Orbax, its storage and JSON each raise kinds of their own
                problems.append((step, " ".join(str(error).split())[:200]))
                continue
            for damaged, _ in problems:
                shutil.rmtree(self._folder / kind / str(damaged), ignore_errors=True)
            if problems:
                manager.reload()
            return Checkpoint(step, state, found["meta"])
        if problems:
            listed = "; ".join(f"{step}: {problem}" for step, problem in problems)
            raise ValueError(
                f"no checkpoint in {str(self._folder / kind)!r} can be used ({listed}); check the"
                " settings, or begin anew with --overwrite"
            )
        return None

    def wait(self) -> None:
        """Returns once all that was saved is on disk."""
        for manager in self._managers.values():
            manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and lets go of the folder."""
        for manager in self._managers.values():
            manager.close()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _as_dicts(state: Any) -> dict[str, Any]:
    """The leaves under numbers: what holds them (named tuples, optax's states) is known anyway."""
    return {str(number): leaf for number, leaf in enumerate(jax.tree.leaves(state))}


def _as_before(like: Any, found: Mapping[str, Any]) -> Any:
    """The leaves in the structure of `like`, with its shapes and dtypes checked."""
    wanted = jax.tree.leaves(jax.eval_shape(lambda: like))
    leaves = [np.asarray(found[str(number)]) for number in range(len(wanted))]
    for number, (leaf, want) in enumerate(zip(leaves, wanted, strict=True)):
        if leaf.shape != want.shape or leaf.dtype != want.dtype:
            raise ValueError(
                f"leaf {number} is {leaf.dtype} {leaf.shape}, not {want.dtype} {want.shape}"
            )
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
