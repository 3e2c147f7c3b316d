"""`plenoptic.Eigendistortion` by randomised SVD (Halko, Martinsson & Tropp 2011)."""

import torch

from . import PAIRS_A_STEP
from .eigendistortion import Eigendistortions

OVERSAMPLING = 5
"""plenoptic's default."""
ERROR_PAIRS = 20
"""What it makes at the end to estimate its error."""


class Randomized(Eigendistortions):
    """A block of vectors, multiplied by JᵀJ again and again."""

    def _pairs(self, count: int) -> int:
        powers = max(0, count - 2 - ERROR_PAIRS // PAIRS_A_STEP)
        self._synthesize(method="randomized_svd", k=PAIRS_A_STEP, p=0, q=powers)
        return PAIRS_A_STEP * (powers + 2) + ERROR_PAIRS

    def top(self, k: int, pairs: int, seed: int) -> list[float]:
        """The k largest eigenvalues; the pairs are those before the estimate of the error."""
        torch.manual_seed(seed)
        powers = pairs // (k + OVERSAMPLING) - 2
        return self._synthesize(method="randomized_svd", k=k, p=OVERSAMPLING, q=powers)


build = Randomized
