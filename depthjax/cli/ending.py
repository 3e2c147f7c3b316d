"""How a script is ended from without: as by Ctrl-C, so that it leaves what can be gone on with."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = ("SIGTERM", "SIGHUP")
"""Of a job that is cancelled or preempted, and of a terminal that is closed."""


class Ended(KeyboardInterrupt):
    """A signal has ended the script.

    Fields:
        status: what the process exits with: 128 and the signal's number, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise `Ended`, unless the user's handling is another (nohup)."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # signals are the main thread's
        for number in (getattr(signal, name, None) for name in _SIGNALS):
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> None:
    raise Ended(number)
