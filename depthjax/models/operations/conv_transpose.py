"""Transposed convolution: Flax's `nn.ConvTranspose`, run as it is."""

from dataclasses import dataclass

import flax.linen as nn
import numpy as np

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Path


@describes(nn.ConvTranspose)
@dataclass(frozen=True)
class ConvTransposeDescription(Description):
    """PyTorch stores its kernels as [in, out, height, width], and runs over them backwards.

    With padding "VALID" and a kernel at least as large as the strides, `torch.nn.ConvTranspose2d`
    without padding computes the same.
    """

    operation: nn.ConvTranspose

    def to_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """HWIO -> IOHW, flipped; with `transpose_kernel` HWOI -> IOHW."""
        if path[-1] != "kernel":
            return array
        last = array.ndim - 1
        if self.operation.transpose_kernel:
            return array.transpose(last, last - 1, *range(last - 1))
        flipped = np.flip(array, tuple(range(last - 1)))
        return flipped.transpose(last - 1, last, *range(last - 1))

    def from_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """The way back."""
        if path[-1] != "kernel":
            return array
        spatial = range(2, array.ndim)
        if self.operation.transpose_kernel:
            return array.transpose(*spatial, 1, 0)
        return np.flip(array, tuple(spatial)).transpose(*spatial, 0, 1)
