"""The order in which the cells of a sweep run: which worker gets which cell."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from depthjax.sweeps.cells import Cell


class Queue:
    """The cells that are left, handed out so that one compiled program serves many of them.

    A worker gets cells of one program as long as there are any. Then it gets those of a program
    that no other worker is busy with. Then it helps with the program that has most cells left.

    Args:
        cells: in the order in which they are wanted.
        program: gives the name of a cell's compiled program.
    """

    def __init__(self, cells: Iterable[Cell], program: Callable[[Cell], str]) -> None:
        self._program = program
        self._waiting: dict[str, deque[Cell]] = defaultdict(deque)
        self._program_of_worker: dict[int, str] = {}
        for cell in cells:
            self._waiting[program(cell)].append(cell)

    def take(self, worker: int) -> Cell | None:
        """The next cell of a worker; None if there are none left."""
        waiting = {program: cells for program, cells in self._waiting.items() if cells}
        if not waiting:
            return None
        program = self._program_of_worker.get(worker)
        if program not in waiting:
            busy = {name for other, name in self._program_of_worker.items() if other != worker}
            free = [candidate for candidate in waiting if candidate not in busy]
            program = free[0] if free else max(waiting, key=lambda name: len(waiting[name]))
            self._program_of_worker[worker] = program
        return self._waiting[program].popleft()

    def put_back(self, cell: Cell) -> None:
        """Lets a cell be tried again, after the others of its program."""
        self._waiting[self._program(cell)].append(cell)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
