"""What a cell is called, and who takes which."""

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

Cell: TypeAlias = Mapping[str, Any]
"""All that a result depends on, as plain JSON: two equal cells have one result."""


def cell_hash(cell: Cell) -> str:
    """The name of a cell: 32 hexadecimal digits of the SHA-256 of its JSON, keys sorted.

    Raises:
        ValueError: for a cell that is not plain JSON.
    """
    try:
        text = json.dumps(cell, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"a cell must be plain JSON ({error}), got {cell!r}") from error
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Queue:
    """Cells still to be run, given out so that one compiled program serves many.

    A worker gets the cells of one program for as long as there are any; then those of a program
    that no other worker is at; then it helps where most is left.

    Args:
        cells: in the order in which they are wanted.
        program: what cells with the same compiled program have in common.
    """

    def __init__(self, cells: Iterable[Cell], program: Callable[[Cell], str]) -> None:
        self._program = program
        self._waiting: dict[str, deque[Cell]] = defaultdict(deque)
        self._at: dict[int, str] = {}
        for cell in cells:
            self._waiting[program(cell)].append(cell)

    def take(self, worker: int) -> Cell | None:
        """The next cell of a worker; None if there are none left."""
        waiting = {program: cells for program, cells in self._waiting.items() if cells}
        if not waiting:
            return None
        program = self._at.get(worker)
        if program not in waiting:
            taken = {at for other, at in self._at.items() if other != worker}
            free = [candidate for candidate in waiting if candidate not in taken]
            program = free[0] if free else max(waiting, key=lambda name: len(waiting[name]))
            self._at[worker] = program
        return self._waiting[program].popleft()

    def put_back(self, cell: Cell) -> None:
        """A cell is to be tried again, after the others of its program."""
        self._waiting[self._program(cell)].append(cell)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
