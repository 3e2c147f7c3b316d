"""The loop of the paper's author in PyTorch: NCHW, weights with gradients, distances every step."""

import time

import torch

from ..job import Job
from .torch_network import TorchProblem, torchvision, wait

STEPS = 500


class Author(TorchProblem):
    """Gradient descent on 0.15 · Σ|O(a) − O(a_n)|, a step of 0.1, a 3×3 blur after each."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, channels_last=False, frozen=False, fused=False)

    def steps(self, count: int) -> float:
        """Seconds for so many steps from the start."""
        blur = torchvision.transforms.functional.gaussian_blur
        image, distances = self.start, []
        wait()
        began = time.perf_counter()
        for step in range(count):
            image = image.detach().requires_grad_()
            difference = self.target - self.layer(image)
            loss = 0.15 * difference.abs().sum()
            loss.backward()
            with torch.no_grad():
                distances.append((difference.norm().item(), (self.images - image).norm().item()))
            image = image.detach() - 0.1 * image.grad
            image = blur(image, kernel_size=3, sigma=2.4 - 2.0 * step / STEPS)
        wait()
        return time.perf_counter() - began


build = Author
