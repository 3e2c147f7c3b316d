"""The tuned PyTorch loop with its network compiled by `torch.compile`."""

import torch

from ..job import Job
from .tuned import Tuned


class Compiled(Tuned):
    """Compiles at the first step; where there is no C++ compiler, that step fails and says so."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._embed = torch.compile(self.layer)


build = Compiled
