"""Reads every data set in shuffled batches on the device, and goes on at an exact position."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Int

from depthjax.data.dataset import Dataset
from depthjax.data.randomness import permutation

Item = TypeVar("Item")
Result = TypeVar("Result")


class Position(NamedTuple):
    """A position in a stream of batches; `position._asdict()` can be saved as JSON.

    Fields:
        epoch: of the next batch.
        batch: its number within the epoch.
        order: what the order of examples depends on, in words. Reading does not go on in another.
    """

    epoch: int
    batch: int
    order: str


class Batch(NamedTuple):
    """Images and labels on the device, and the position after them.

    Fields:
        images: uint8 0..255 `[b, h, w, c]`, or float32 where the data set has floats.
        labels: int32 `[b]`; -1 where the data set keeps a label secret.
        position: of the next batch.
    """

    images: Array
    labels: Array
    position: Position


def batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int = 0,
    position: Position | None = None,
    epochs: int | None = None,
    shuffle: bool = True,
    drop_remainder: bool = True,
    process_index: int | None = None,
    process_count: int | None = None,
    sharding: Any = None,
    ahead: int = 2,
) -> Iterator[Batch]:
    """The batches of a data set, epoch after epoch, read and put on the device ahead of time.

    The examples of a batch depend only on the seed, the epoch and the number of the batch. They do
    not depend on where reading began, nor on the number of processes; each process reads its part
    of every batch.

    Args:
        dataset: from `open_dataset`.
        batch_size: examples in a batch, over all processes.
        seed: of the order.
        position: where to go on: the `position` of the last batch that was used.
        epochs: how many, counted from the first epoch of all; None for no end.
        shuffle: whether each epoch has an order of its own. If not, the order is that of the set.
        drop_remainder: whether to leave out the last examples if they do not fill a batch.
        process_index, process_count: which part to read; by default those of `jax`.
        sharding: a `jax.sharding.Sharding` for the batches; with several processes each batch is
            then one global array.
        ahead: how many batches are read before they are asked for.

    Raises:
        ValueError: if a batch is larger than the set, if the processes cannot share it evenly, and
            if the position belongs to another order.
    """
    index = jax.process_index() if process_index is None else process_index
    processes = jax.process_count() if process_count is None else process_count
    order = (
        f"{len(dataset)} examples in {f'the order of seed {seed}' if shuffle else 'fixed order'},"
        f" {batch_size} a batch"
    )
    _check(dataset, batch_size, drop_remainder, index, processes)
    start = Position(0, 0, order) if position is None else position
    if start.order != order:
        raise ValueError(
            f"the position was saved for {start.order!r}, but this is {order!r}; use the same data"
            " set, seed and batch size, or start from the beginning"
        )
    last = len(dataset) if drop_remainder else len(dataset) + batch_size - 1
    per_epoch = last // batch_size

    def schedule() -> Iterator[tuple[Int[np.ndarray, " b"], Position]]:
        epoch, first = start.epoch, start.batch
        while epochs is None or epoch < epochs:
            indices = (
                permutation(seed, "epoch", epoch, count=len(dataset))
                if shuffle
                else np.arange(len(dataset))
            )
            for number in range(first, per_epoch):
                following = (epoch, number + 1) if number + 1 < per_epoch else (epoch + 1, 0)
                chosen = indices[number * batch_size : (number + 1) * batch_size]
                yield chosen[index::processes], Position(*following, order)
            epoch, first = epoch + 1, 0

    def read(item: tuple[Int[np.ndarray, " b"], Position]) -> Batch:
        images, labels = dataset.read(item[0])
        return Batch(_on_device(images, sharding), _on_device(labels, sharding), item[1])

    return _read_ahead(read, schedule(), ahead)


def _check(
    dataset: Dataset, batch_size: int, drop_remainder: bool, index: int, processes: int
) -> None:
    if batch_size < 1 or not len(dataset) or (drop_remainder and batch_size > len(dataset)):
        raise ValueError(
            f"{dataset.name!r} ({dataset.split}) has {len(dataset)} examples, which gives no batch"
            f" of {batch_size}; take a smaller batch_size, from 1 on, or drop_remainder=False"
        )
    if not 0 <= index < processes:
        raise ValueError(f"process_index {index} is not among {processes} processes from 0 on")
    if batch_size % processes:
        raise ValueError(
            f"a batch of {batch_size} cannot be shared evenly by {processes} processes; take a"
            " multiple"
        )


def _on_device(array: np.ndarray | Array, sharding: Any) -> Array:
    if sharding is None or isinstance(array, jax.Array):
        return jax.device_put(array, sharding)
    return jax.make_array_from_process_local_data(sharding, array)


def _read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """`map(read, items)`; a thread in the background makes some results ahead."""
    pending: deque = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    try:
        for item in items:
            pending.append(pool.submit(read, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
