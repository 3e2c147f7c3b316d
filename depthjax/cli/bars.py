"""Progress bars of scripts, on those of `depthjax.inversion.bar`."""

import sys

import numpy as np

from depthjax.claims.reproduction import Reproduction
from depthjax.claims.step import DONE, MISSING, Outcome, Step
from depthjax.devices import processes
from depthjax.inversion.bar import Bar, DescentBar, bar, shows_bars
from depthjax.training import Progress as TrainingProgress
from depthjax.training.runs import Epoch

__all__ = [
    "DescentBar",
    "DownloadBar",
    "PlanBar",
    "TrainingBar",
    "bar",
    "say_begun",
    "say_done",
]


def say_begun(what: str) -> None:
    """Says on a terminal what is waited for, such as a compilation, before a bar can show it."""
    if shows_bars() and processes.is_first():
        print(f"{what}…", file=sys.stderr, flush=True)


def say_done(what: str) -> None:
    """Says what has ended where no bar is shown, as in the log of a job."""
    if not shows_bars() and processes.is_first():
        print(what, file=sys.stderr, flush=True)


class TrainingBar(Bar):
    """Progress over the steps of a training."""

    def __init__(self, steps: int) -> None:
        self._steps = self._open(total=steps, desc="training", unit="step")

    def __call__(self, progress: TrainingProgress) -> None:
        """Moves to the step that the training has reached, and shows its metrics.

        Reading a metric waits for the device, so that is done every 20 steps, and only where
        someone sees them.
        """
        if self._steps.disable:
            return
        self._steps.update(progress.step - self._steps.n)
        if progress.step % 20 == 0:
            loss, accuracy = (float(value) for value in progress.metrics[:2])
            self._steps.set_postfix_str(f"loss {loss:.3g}, {accuracy:.0%} right", refresh=False)

    def epoch(self, row: Epoch) -> None:
        """Prints the losses and accuracies of an epoch above the bar."""
        text = f"epoch {row.epoch}: loss {row.train_loss:.3f}, {row.train_accuracy:.1%} right"
        if not np.isnan(row.validation_accuracy):
            text += f"; validation {row.validation_loss:.3f}, {row.validation_accuracy:.1%}"
        self._steps.write(text)


class DownloadBar(Bar):
    """Progress over the bytes of a download; there is no bar until the first bytes have come."""

    def __init__(self, description: str) -> None:
        self._description = description[:40]

    def __call__(self, received: int, total: int | None) -> None:
        """Moves to the number of bytes that have come."""
        bar = self._bar
        if bar is None:
            bar = self._open(desc=self._description, total=total, unit="B", unit_scale=True)
        bar.update(received - bar.n)


class PlanBar(Bar):
    """Progress over the minutes that a reproduction may take; a line for each step that ends."""

    def __init__(self, reproduction: Reproduction) -> None:
        waiting = [s for s in reproduction.plan if reproduction.outcome(s).state != DONE]
        self._waiting = {step.name: 60 * step.minutes for step in waiting}
        self._passed = 0.0
        self._seconds = self._open(
            total=round(sum(self._waiting.values())),
            bar_format="{desc} |{bar}| {elapsed}, about {remaining} left{postfix}",
        )

    def __call__(self, step: Step, seconds: float, outcome: Outcome | None) -> None:
        """Moves to where the plan stands.

        Args:
            step: that runs or has ended.
            seconds: since it began.
            outcome: how it ended; None while it runs.
        """
        planned = self._waiting.get(step.name, 0.0)
        if outcome is not None:
            self._passed += planned
            self._waiting.pop(step.name, None)
            if planned or outcome.state != DONE:
                took = f" in {outcome.seconds:.0f} s" if outcome.state != MISSING else ""
                self._seconds.write(
                    f"{step.name}: {outcome.state}{took} {outcome.message}".rstrip()
                )
        self._seconds.set_description_str(step.name, refresh=False)
        # A step that takes longer than planned keeps the bar just before its end.
        within = 0.0 if outcome is not None else min(seconds, 0.98 * planned)
        self._seconds.update(round(self._passed + within) - self._seconds.n)
