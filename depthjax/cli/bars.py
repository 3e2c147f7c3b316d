"""Progress bars of descents, trainings and downloads."""

import numpy as np
from tqdm import tqdm

from depthjax.inversion.results import Progress
from depthjax.training import Progress as TrainingProgress
from depthjax.training.runs import Epoch


class DescentBar:
    """A progress bar over the steps of one descent; silent when not on a terminal."""

    def __init__(self, description: str, steps: int) -> None:
        self._bar = tqdm(
            total=steps, desc=description, unit="step", disable=None, dynamic_ncols=True
        )

    def __call__(self, progress: Progress, embedding_ratio: np.ndarray) -> None:
        """Moves to where the descent stands."""
        self._bar.total = progress.steps
        self._bar.set_postfix_str(f"ρ {np.nanmedian(embedding_ratio):.3g}", refresh=False)
        self._bar.update(progress.step - self._bar.n)

    def __enter__(self) -> "DescentBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class TrainingBar:
    """A progress bar over the steps of a training; silent when not on a terminal."""

    def __init__(self, steps: int) -> None:
        self._bar = tqdm(
            total=steps, desc="training", unit="step", disable=None, dynamic_ncols=True
        )

    def __call__(self, progress: TrainingProgress) -> None:
        """Moves to where the training stands.

        Reading a metric waits for the device, so that is done every 20 steps, and only where
        someone sees them.
        """
        if self._bar.disable:
            return
        self._bar.update(progress.step - self._bar.n)
        if progress.step % 20 == 0:
            loss, accuracy = (float(value) for value in progress.metrics[:2])
            self._bar.set_postfix_str(f"loss {loss:.3g}, {accuracy:.0%} right", refresh=False)

    def epoch(self, row: Epoch) -> None:
        """Prints what an epoch has brought, above the bar."""
        text = f"epoch {row.epoch}: loss {row.train_loss:.3f}, {row.train_accuracy:.1%} right"
        if row.validation_accuracy == row.validation_accuracy:  # not NaN
            text += f"; validation {row.validation_loss:.3f}, {row.validation_accuracy:.1%}"
        self._bar.write(text)

    def __enter__(self) -> "TrainingBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class DownloadBar:
    """A progress bar over the bytes of a download; silent when not on a terminal."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._bar: tqdm | None = None

    def __call__(self, received: int, total: int | None) -> None:
        """Moves to what has arrived."""
        if self._bar is None:
            self._bar = tqdm(
                desc=self._description[:40], total=total, disable=None, unit="B", unit_scale=True
            )
        self._bar.update(received - self._bar.n)

    def __enter__(self) -> "DownloadBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
