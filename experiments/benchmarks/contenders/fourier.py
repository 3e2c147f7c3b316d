"""A descent on Fourier coefficients in PyTorch, as lucent and its kind write it.

The coefficients of three uncorrelated colours are divided by their frequency and pass a sigmoid
(`lucent.optvis.param`: `fft_image`, `to_valid_rgb`). What is minimised is ours, and so is the rate
for coefficients of this size.
"""

import time

import torch

from ..job import Job
from .torch_network import DEVICE, TorchProblem, wait

COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
"""Columns: square roots of the correlation of colours over ImageNet, from lucid."""
RATE = 0.05
DIVISOR = 4.0  # of the image, in lucid and lucent


class Fourier(TorchProblem):
    """Adam on the coefficients; the network as in `tuned.py`."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, channels_last=True, frozen=True, fused=True)
        colours = COLOURS / torch.linalg.norm(COLOURS, dim=0).max()
        self._colours = colours.to(DEVICE)
        height, width = self.start.shape[-2:]
        vertical = torch.fft.fftfreq(height)[:, None]
        frequency = torch.sqrt(vertical**2 + torch.fft.rfftfreq(width)[None] ** 2)
        scale = (height * width) ** 0.5 / frequency.clamp(min=1 / max(height, width))
        self._scale = scale.to(DEVICE)
        self._norm = self.target.flatten(1).square().sum(1)

    def steps(self, count: int) -> float:
        """Seconds for so many steps from the start."""
        return self._descend(count)[0]

    def residuals(self, count: int) -> list[float]:
        """‖O(a_g) − O(a)‖ of each photograph after so many steps."""
        images = self._descend(count)[1]
        with torch.no_grad():
            return (self.layer(images) - self.target).flatten(1).norm(dim=1).tolist()

    def _descend(self, count: int) -> tuple[float, torch.Tensor]:
        pixels = torch.logit(self.start.clamp(1e-3, 1 - 1e-3))
        colours = torch.einsum("dc,bchw->bdhw", torch.linalg.inv(self._colours), pixels)
        spectrum = torch.view_as_real(DIVISOR * torch.fft.rfft2(colours) / self._scale).contiguous()
        spectrum.requires_grad_()
        optimizer = torch.optim.Adam([spectrum], lr=RATE)
        wait()
        began = time.perf_counter()
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            residual = (self.layer(self._images(spectrum)) - self.target).flatten(1)
            (residual.square().sum(1) / self._norm).sum().backward()
            optimizer.step()
        wait()
        seconds = time.perf_counter() - began
        with torch.no_grad():
            return seconds, self._images(spectrum)

    def _images(self, spectrum: torch.Tensor) -> torch.Tensor:
        coefficients = self._scale / DIVISOR * torch.view_as_complex(spectrum)
        colours = torch.fft.irfft2(coefficients, s=self.start.shape[-2:])
        pixels = torch.einsum("cd,bdhw->bchw", self._colours, colours)
        return torch.sigmoid(pixels).contiguous(memory_format=torch.channels_last)


build = Fourier
