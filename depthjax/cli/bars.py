"""Progress bars. Each is a context manager, and is shown in terminals and in notebooks."""

import sys
import warnings
from typing import Any, TypeVar

import numpy as np
from tqdm import TqdmWarning, tqdm

from depthjax.claims.reproduction import Reproduction
from depthjax.claims.step import DONE, MISSING, Outcome, Step
from depthjax.inversion.results import Progress
from depthjax.training import Progress as TrainingProgress
from depthjax.training.runs import Epoch

Bar = TypeVar("Bar", bound="_Bar")


def bar(**options: Any) -> tqdm:
    """A bar of tqdm, hidden where stderr is neither a terminal nor a notebook's.

    Args:
        options: as `tqdm.tqdm` takes them.
    """
    hidden: bool | None = None  # hidden unless it is a terminal
    kind = tqdm
    if "ipykernel" in sys.modules:
        hidden = False
        with warnings.catch_warnings():  # without ipywidgets the bar is one of text
            warnings.simplefilter("ignore", TqdmWarning)
            from tqdm.auto import tqdm as kind
    return kind(disable=hidden, dynamic_ncols=True, **options)


class _Bar:
    """A bar that is closed when its context ends."""

    _bar: tqdm | None = None

    def _open(self, **options: Any) -> tqdm:
        self._bar = bar(**options)
        return self._bar

    def __enter__(self: Bar) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


class DescentBar(_Bar):
    """Progress over the steps of one descent."""

    def __init__(self, description: str, steps: int) -> None:
        self._steps = self._open(total=steps, desc=description, unit="step")

    def __call__(self, progress: Progress, embedding_ratio: np.ndarray) -> None:
        """Moves to the step that the descent has reached, and shows the median ρ."""
        self._steps.total = progress.steps
        self._steps.set_postfix_str(f"ρ {np.nanmedian(embedding_ratio):.3g}", refresh=False)
        self._steps.update(progress.step - self._steps.n)


class TrainingBar(_Bar):
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


class DownloadBar(_Bar):
    """Progress over the bytes of a download; there is no bar until the first bytes have come."""

    def __init__(self, description: str) -> None:
        self._description = description[:40]

    def __call__(self, received: int, total: int | None) -> None:
        """Moves to the number of bytes that have come."""
        bar = self._bar
        if bar is None:
            bar = self._open(desc=self._description, total=total, unit="B", unit_scale=True)
        bar.update(received - bar.n)


class PlanBar(_Bar):
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
