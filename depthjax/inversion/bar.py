"""Progress bars. Each is a context manager, and is shown in terminals and in notebooks."""

import sys
import warnings
from typing import Any, TypeVar

import numpy as np

from depthjax.inversion.results import Progress

Kind = TypeVar("Kind", bound="Bar")


def bar(**options: Any) -> Any:
    """A bar of tqdm, hidden where stderr is neither a terminal nor a notebook's.

    Args:
        options: as `tqdm.tqdm` takes them.
    """
    from tqdm import TqdmWarning, tqdm  # when one is shown, not when this is imported

    hidden: bool | None = None  # hidden unless it is a terminal
    kind = tqdm
    if "ipykernel" in sys.modules:
        hidden = False
        with warnings.catch_warnings():  # without ipywidgets the bar is one of text
            warnings.simplefilter("ignore", TqdmWarning)
            from tqdm.auto import tqdm as kind
    return kind(disable=hidden, dynamic_ncols=True, **options)


def shows_bars() -> bool:
    """Whether bars are shown: stderr is a terminal, or the output is a notebook's."""
    return "ipykernel" in sys.modules or sys.stderr.isatty()


class Bar:
    """A bar that is closed when its context ends."""

    _bar: Any = None

    def _open(self, **options: Any) -> Any:
        self._bar = bar(**options)
        return self._bar

    def __enter__(self: Kind) -> Kind:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


class DescentBar(Bar):
    """Progress over the steps of one descent."""

    def __init__(self, description: str, steps: int) -> None:
        self._steps = self._open(total=steps, desc=description, unit="step")

    def __call__(self, progress: Progress, embedding_ratio: np.ndarray) -> None:
        """Moves to the step that the descent has reached, and shows the median ρ."""
        self._steps.total = progress.steps
        self._steps.set_postfix_str(f"ρ {np.nanmedian(embedding_ratio):.3g}", refresh=False)
        self._steps.update(progress.step - self._steps.n)
