"""The same descent in PyTorch with what its users know to do: the peer to beat.

Channels last, weights frozen, BatchNorm fused, one gradient only, distances every tenth step.
"""

import math
import time

import torch
from torch.nn import functional

from ..job import Job
from .torch_network import TorchProblem, wait

STEPS, RECORD_EVERY = 500, 10


class Tuned(TorchProblem):
    """The descent of `author.py`, the same images after the same steps."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, channels_last=True, frozen=True, fused=True)
        self._embed = self.layer

    def steps(self, count: int) -> float:
        """Seconds for so many steps from the start."""
        image, distances = self.start.detach(), []
        wait()
        began = time.perf_counter()
        for step in range(count):
            image.requires_grad_()
            difference = self._embed(image) - self.target
            (gradient,) = torch.autograd.grad(0.15 * difference.abs().sum(), image)
            with torch.no_grad():
                if step % RECORD_EVERY == 0:
                    near = (self.images - image).flatten(1).norm(dim=1)
                    distances.append((difference.flatten(1).norm(dim=1), near))
                moved = torch.add(image, gradient, alpha=-0.1)
                image = blur(moved, *weights(2.4 - 2.0 * step / STEPS))
        wait()
        return time.perf_counter() - began


def weights(sigma: float) -> tuple[float, float]:
    """Of the middle and of each side of a normalised Gaussian of three pixels."""
    side = math.exp(-0.5 / sigma**2)
    return 1 / (1 + 2 * side), side / (1 + 2 * side)


def blur(image: torch.Tensor, middle: float, side: float) -> torch.Tensor:
    """A 3×3 Gaussian with reflected borders, by sums of shifted copies: no convolution."""
    padded = functional.pad(image, (0, 0, 1, 1), mode="reflect")
    image = torch.add(padded[:, :, :-2], padded[:, :, 2:]).mul_(side)
    image = image.add_(padded[:, :, 1:-1], alpha=middle)
    padded = functional.pad(image, (1, 1, 0, 0), mode="reflect")
    image = torch.add(padded[:, :, :, :-2], padded[:, :, :, 2:]).mul_(side)
    return image.add_(padded[:, :, :, 1:-1], alpha=middle)


build = Tuned
