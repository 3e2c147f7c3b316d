"""`plenoptic.Metamer` as its users run it: its own loss, penalty and Adam, at the same layer."""

import time
import warnings
from typing import Any

import plenoptic
import torch

from ..job import Job
from .torch_network import TorchProblem, wait


class Metamer(TorchProblem):
    """NCHW and frozen weights, which plenoptic asks for; one loss for the whole batch."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, channels_last=False, frozen=True, fused=False)

    def steps(self, count: int) -> float:
        """Seconds for so many steps from the start."""
        # A call ends with an evaluation that is no step, so the seconds of count + 1 less of 1. Of
        # few steps these may differ by nothing.
        whole = self._synthesize(count + 1)[0]
        return max(whole - self._synthesize(1)[0], whole / 2)

    def residuals(self, count: int) -> list[float]:
        """‖O(a_g) − O(a)‖ of each photograph after so many steps."""
        images = self._synthesize(count)[1]
        with torch.no_grad():
            return (self.layer(images) - self.target).flatten(1).norm(dim=1).tolist()

    def _synthesize(self, count: int) -> tuple[float, torch.Tensor]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on sizes, ranges and convergence
            metamer = plenoptic.Metamer(self.images, self.layer)
            metamer.setup(initial_image=self.start)
            wait()
            began = time.perf_counter()
            metamer.synthesize(max_iter=count, stop_criterion=0)
            wait()
            return time.perf_counter() - began, metamer.metamer.detach()

    def about(self) -> dict[str, Any]:
        """Versions, device and threads."""
        about = super().about()
        about["versions"]["plenoptic"] = plenoptic.__version__
        return about


build = Metamer
