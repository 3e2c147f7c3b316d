"""`plenoptic.Metamer` as its users run it: its own loss, penalty and Adam, at the same layer."""

import time
import warnings
from typing import Any

import plenoptic

from ..job import Job
from .torch_network import TorchProblem, wait


class Metamer(TorchProblem):
    """NCHW and frozen weights, which plenoptic asks for; one loss for the whole batch."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, channels_last=False, frozen=True, fused=False)

    def steps(self, count: int) -> float:
        """Seconds for so many steps from the start."""
        # A call ends with an evaluation that is no step: so the seconds of count + 1 less of 1.
        return self._synthesize(count + 1) - self._synthesize(1)

    def _synthesize(self, count: int) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on sizes, ranges and convergence
            metamer = plenoptic.Metamer(self.images, self.layer)
            metamer.setup(initial_image=self.start)
            wait()
            began = time.perf_counter()
            metamer.synthesize(max_iter=count, stop_criterion=0)
            wait()
            return time.perf_counter() - began

    def about(self) -> dict[str, Any]:
        """Versions, device and threads."""
        about = super().about()
        about["versions"]["plenoptic"] = plenoptic.__version__
        return about


build = Metamer
