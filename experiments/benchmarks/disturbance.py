"""What other processes took of the processors while a turn ran. Linux says it; others do not."""

import os
import time
from pathlib import Path

MOST = 0.1
"""Share of the processors up to which a turn counts as undisturbed."""

_BUSY = (0, 1, 2, 5, 6, 7)
"""Of /proc/stat: user, nice, system, interrupts, and what other machines took."""


class Watch:
    """Begins when it is made.

    Args:
        pid: of the process whose turn it is; what it takes itself is no disturbance.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._began = time.perf_counter()
        self._busy, self._own = _busy(), _own(pid)

    def share(self) -> float | None:
        """The share of all processors' time that others took since then; None if nobody knows."""
        seconds = time.perf_counter() - self._began
        busy, own = _busy(), _own(self._pid)
        if busy is None or own is None or self._busy is None or self._own is None:
            return None
        others = (busy - self._busy) - (own - self._own)
        available = max(seconds, 1e-9) * (os.cpu_count() or 1)
        return min(1.0, max(0.0, others / available))


def _busy() -> float | None:
    """Seconds that all processors together were busy since the start of the machine."""
    try:
        numbers = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
        return sum(int(numbers[at]) for at in _BUSY) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _own(pid: int | None) -> float | None:
    """Seconds that a process was busy."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        after_name = text.rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
