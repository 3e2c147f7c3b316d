"""Transposed convolutions: Flax's `nn.ConvTranspose`, run as it is, and PyTorch's."""

from dataclasses import dataclass
from typing import no_type_check

import flax.linen as nn
import numpy as np

from depthjax.models.operations.convolution import Convolution
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
        return np.ascontiguousarray(flipped.transpose(last - 1, last, *range(last - 1)))

    def from_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """The way back."""
        if path[-1] != "kernel":
            return array
        spatial = range(2, array.ndim)
        if self.operation.transpose_kernel:
            return array.transpose(*spatial, 1, 0)
        return np.flip(array, tuple(spatial)).transpose(*spatial, 0, 1)


@no_type_check  # one of Flax's own fields has a type that cannot be checked
class TransposedConv(nn.Conv):
    """`torch.nn.ConvTranspose2d` with all its settings: a convolution by the flipped kernel of the
    image with zeros between its pixels (`input_dilation`).
    """


@describes(TransposedConv)
@dataclass(frozen=True)
class TransposedConvolution(Convolution):
    """PyTorch stores the kernel unflipped as [in, out / groups, height, width]."""

    operation: TransposedConv

    def to_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """[height, width, in / groups, out] -> PyTorch's."""
        if path[-1] != "kernel":
            return array
        kernel = np.moveaxis(array, (-1, -2), (0, 1))
        groups = self.operation.feature_group_count
        grouped = kernel.reshape(groups, -1, *kernel.shape[1:]).swapaxes(1, 2)
        turned = grouped.reshape(-1, *grouped.shape[2:])
        return np.ascontiguousarray(np.flip(turned, tuple(range(2, turned.ndim))))

    def from_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """The way back."""
        if path[-1] != "kernel":
            return array
        flipped = np.flip(array, tuple(range(2, array.ndim)))
        groups = self.operation.feature_group_count
        grouped = flipped.reshape(groups, -1, *flipped.shape[1:]).swapaxes(1, 2)
        kernel = grouped.reshape(-1, *grouped.shape[2:])
        return np.ascontiguousarray(np.moveaxis(kernel, (0, 1), (-1, -2)))
