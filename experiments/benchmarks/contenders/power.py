"""`plenoptic.Eigendistortion` by its default, the power method."""

import torch

from . import PAIRS_A_STEP
from .eigendistortion import Eigendistortions


class Power(Eigendistortions):
    """Two pairs an iteration, one of them for the eigenvalue, and two before the first.

    It cannot find the largest eigenvalue alone: as many pairs go to the smallest, afterwards.
    """

    def _pairs(self, count: int) -> int:
        iterations = max(1, count - 1)
        self._iterate(1, iterations)
        return PAIRS_A_STEP * (iterations + 1)

    def top(self, k: int, pairs: int, seed: int) -> list[float]:
        """The k largest eigenvalues; the pairs are those of the largest alone."""
        torch.manual_seed(seed)
        return self._iterate(k, pairs // (2 * k) - 1)

    def _iterate(self, k: int, iterations: int) -> list[float]:
        # No change of the eigenvalue is smaller, so that it makes all iterations.
        found = self._synthesize(method="power", k=k, max_iter=iterations, stop_criterion=-1.0)
        return found[:k]


build = Power
