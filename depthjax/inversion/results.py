"""What an inversion returns, and how the results of its parts become one."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from depthjax.devices.processes import gather
from depthjax.devices.sharding import Split
from depthjax.inversion.frames import Frames


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Trajectory:
    """What was recorded on the way. T records; `…` is `batch` or `restarts batch`.

    The last record is that of the last step, unless every example stopped before it.

    Fields:
        step: `[T]`, the number of updates made before the record.
        objective: `[T, …]`.
        embedding_distance: m_g, `[T, …]`.
        input_distance: m_i, `[T, …]`; NaN where `compare_to` was not given.
    """

    step: Int[np.ndarray, " records"]
    objective: Float[np.ndarray, "records *batch"]
    embedding_distance: Float[np.ndarray, "records *batch"]
    input_distance: Float[np.ndarray, "records *batch"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Inversion:
    """What `invert` returns; every array begins like `init` (`[B, …]` or `[restarts, B, …]`).

    Fields:
        images: the iterate with the smallest objective; where `stop_distance` was reached, the
            one that reached it; with `transform`, whose objectives are random, the last finite one.
        final_images: the last iterate.
        objective: the objective of `images`.
        best_step: the step at which `images` was reached.
        status: of `depthjax.inversion.state`: `RUNNING` (all steps made), `PLATEAU`, `NON_FINITE`
            or `REACHED` (`stop_distance`).
        stopped_step: updates made.
        trajectory: see `Trajectory`.
        split: how images × restarts were shared out over batches and devices.
        frames: iterates on the way, as one sees them; None unless they were asked for.
    """

    images: Array
    final_images: Array
    objective: Array
    best_step: Array
    status: Array
    stopped_step: Array
    trajectory: Trajectory
    split: Split = dataclasses.field(metadata={"static": True})
    frames: Frames | None = None

    @property
    def per_example(self) -> dict[str, Array]:
        """The arrays that begin with the axis of examples, by name."""
        others = ("trajectory", "split", "frames")
        names = [field.name for field in dataclasses.fields(self) if field.name not in others]
        return {name: getattr(self, name) for name in names}

    def map(
        self,
        examples: Callable[..., Any],
        records: Callable[..., Any],
        *others: "Inversion",
        steps: Callable[..., Any] = lambda step, *_: step,
    ) -> "Inversion":
        """Changes every array, each by the function for its kind.

        Args:
            examples: for arrays `[B, …]`.
            records: for arrays `[T, B, …]` of the trajectory, and `[F, B, …]` of the frames.
            others: results with the same fields, whose arrays the functions get as well.
            steps: for the numbers of steps, `[T]` and `[F]`; by default those of `self` stay.
        """
        parts = (self, *others)
        names = self.per_example
        changed = {name: examples(*(getattr(part, name) for part in parts)) for name in names}
        changed["trajectory"] = _map_timed(records, steps, *(part.trajectory for part in parts))
        frames = [part.frames for part in parts if part.frames is not None]
        if frames:
            changed["frames"] = _map_timed(records, steps, *frames)
        return dataclasses.replace(self, **changed)


_Timed = TypeVar("_Timed", Trajectory, Frames)


def _map_timed(
    records: Callable[..., Any], steps: Callable[..., Any], first: _Timed, *others: Any
) -> _Timed:
    """`Inversion.map` for a trajectory or frames: `step`, and arrays with a row for each step."""
    names = [field.name for field in dataclasses.fields(first)]
    columns = {name: [getattr(part, name) for part in (first, *others)] for name in names}
    step = steps(*columns.pop("step"))
    return type(first)(step=step, **{name: records(*column) for name, column in columns.items()})


def reshape_examples(inversion: Inversion, leading: tuple[int, ...]) -> Inversion:
    """Makes the axis of examples the axes `leading`: `[batch]` or `[restarts, batch]`."""
    return inversion.map(
        lambda array: array.reshape(*leading, *array.shape[1:]),
        lambda rows: rows.reshape(len(rows), *leading, *rows.shape[2:]),
    )


def join_batches(parts: Sequence[Inversion], groups: Sequence[np.ndarray]) -> Inversion:
    """The results of several batches as one, with each example once and in order.

    Args:
        parts: of each batch.
        groups: which examples each batch holds; the last may begin again with the first.
    """
    held, once = np.unique(np.concatenate(groups), return_index=True)
    if len(parts) == 1 and len(held) == len(groups[0]):
        return parts[0]

    def records(*rows: np.ndarray) -> np.ndarray:
        longest = max(map(len, rows))
        return np.concatenate([_extended(array, longest) for array in rows], axis=1)[:, once]

    return parts[0].map(
        lambda *arrays: jnp.concatenate(arrays)[once],
        records,
        *parts[1:],
        # Batches that stop early record the first of these steps.
        steps=lambda *steps: max(steps, key=lambda step: (len(step), step[-1])),
    )


def gather_processes(mine: Inversion, count: int) -> Inversion:
    """The results of all processes as one; every process gets it.

    Args:
        mine: of this process: those of its share of the examples (`processes.my_share`).
        count: of all examples.
    """
    processes = jax.process_count()
    if processes == 1:
        return mine

    def of_each(value: np.ndarray) -> np.ndarray:
        return gather(value[None], processes)

    def records(rows: np.ndarray) -> np.ndarray:
        longest = int(of_each(np.array(len(rows))).max())
        return gather(_extended(rows, longest), count, axis=1)

    def steps(mine: np.ndarray) -> np.ndarray:
        lengths, last = of_each(np.array(len(mine))), of_each(mine[-1])
        # As above: the longest, and of equally long ones the one that ends last.
        longest = max(range(processes), key=lambda process: (lengths[process], last[process]))
        return of_each(_extended(mine, int(lengths.max())))[longest]

    return mine.map(lambda array: jnp.asarray(gather(array, count)), records, steps=steps)


def _extended(rows: np.ndarray, length: int) -> np.ndarray:
    """With the last row again up to `length`: an example that has stopped stays where it was."""
    return np.pad(rows, ((0, length - len(rows)), *[(0, 0)] * (rows.ndim - 1)), mode="edge")


@dataclass(frozen=True)
class Progress:
    """Where a descent stands, as told to `on_progress` about twice a second.

    Fields:
        step, steps: updates made, and to be made, of all batches.
        embedding_distance: m_g of the last record, one number for each image × restart; NaN for
            those whose batch has not begun, and those of other processes.
    """

    step: int
    steps: int
    embedding_distance: Float[np.ndarray, " n"]
