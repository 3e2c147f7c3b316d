"""How a script is ended from without: as by Ctrl-C, so that it leaves what can be gone on with."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from depthjax.folders import lock

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


def ignore_signals() -> None:
    """From now on the script is on its way out: a second Ctrl-C must not cut that short."""
    for name in ("SIGINT", *_SIGNALS):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def leave(status: int) -> NoReturn:
    """Ends this process, which was interrupted, and its children.

    Python's own way takes down what XLA's threads still compute with, which ends in a segmentation
    fault now and then. Files are whole or absent already, since errors close what is open.

    Args:
        status: what the process exits with.
    """
    lock.release_all()
    for child in _children():
        child.terminate()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it, or it is closed
            stream.flush()
    os._exit(status)


def _children() -> list:
    """Processes that Python's own modules have started; `subprocess`'s end with their callers."""
    if "multiprocessing" not in sys.modules:
        return []
    import multiprocessing

    return multiprocessing.active_children()


def _raise(number: int, _: FrameType | None) -> None:
    raise Ended(number)
