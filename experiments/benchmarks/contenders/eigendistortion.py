"""`plenoptic.Eigendistortion` at the same layer: what its two ways to eigenvalues share."""

import contextlib
import io
import time
import warnings
from abc import ABC, abstractmethod
from typing import Any

import plenoptic
import torch

from ..job import Job
from . import PAIRS_A_STEP
from .torch_network import TorchProblem, wait


class Eigendistortions(TorchProblem, ABC):
    """NCHW and frozen weights, which plenoptic asks for; the forward pass is made once."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, channels_last=False, frozen=True, fused=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on sizes and ranges
            self._found = plenoptic.Eigendistortion(self.images, self.layer)

    def steps(self, count: int) -> float:
        """Seconds for so many steps; of the fewest that it can make, if those are more."""
        wait()
        began = time.perf_counter()
        pairs = self._pairs(count)
        wait()
        return (time.perf_counter() - began) * PAIRS_A_STEP * count / pairs

    @abstractmethod
    def _pairs(self, count: int) -> int:
        """Makes so many steps or the fewest there can be; returns their pairs."""

    @abstractmethod
    def top(self, k: int, pairs: int, seed: int) -> list[float]:
        """The k largest eigenvalues after so many pairs; what else it computes is not counted."""

    def _synthesize(self, **settings: Any) -> list[float]:
        """Eigenvalues in the order in which plenoptic has them."""
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # its estimate of its error; and bars of progress
            self._found.synthesize(**settings)
        return torch.atleast_1d(self._found.eigenvalues).tolist()

    def about(self) -> dict[str, Any]:
        """Versions, device and threads."""
        about = super().about()
        about["versions"]["plenoptic"] = plenoptic.__version__
        return about
