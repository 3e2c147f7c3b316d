"""One convolution and its gradient with respect to the image, by PyTorch, channels last."""

import time
from typing import Any

import torch
from torch.nn.functional import conv2d

from ..job import Job
from .drawn_convolution import drawn
from .memory import peak_of_process
from .torch_network import DEVICE, wait


class TorchConvolution:
    """A step is the convolution and its gradient for the image, as autograd asks for it."""

    def __init__(self, job: Job) -> None:
        images, kernel = map(torch.from_numpy, drawn(job))
        layout = torch.channels_last
        images, kernel = images.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1)
        self._images = images.to(DEVICE).contiguous(memory_format=layout)
        self._kernel = kernel.to(DEVICE).contiguous(memory_format=layout)
        self._how = {name: job.fields[name] for name in ("stride", "padding", "groups")}

    def _convolved(self, images: torch.Tensor) -> torch.Tensor:
        return conv2d(images, self._kernel, **self._how)

    def steps(self, count: int) -> float:
        """Seconds for so many."""
        wait()
        began = time.perf_counter()
        images = self._images.requires_grad_()
        for _ in range(count):
            found = self._convolved(images)
            torch.autograd.grad(found, images, found.detach())
        wait()
        return time.perf_counter() - began

    def distance(self) -> float:
        """Σ|y| of the convolution alone."""
        with torch.no_grad():
            return float(self._convolved(self._images).abs().sum())

    def memory(self) -> int:
        """The peak of the process."""
        return peak_of_process()

    def about(self) -> dict[str, Any]:
        """Versions, device and threads."""
        return {
            "device": str(DEVICE),
            "threads": torch.get_num_threads(),
            "versions": {"torch": torch.__version__},
        }


build = TorchConvolution
