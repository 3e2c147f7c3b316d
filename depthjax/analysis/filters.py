"""A convolution's filters: as pictures, and how smooth they are.

Claim C15 of our list, after arXiv 2211.06496: the filters of a network trained on noise keep no
structure. The eye finds structure in any 3×3 picture, so there is a number beside the pictures.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from depthjax.errors import unknown

LOW = 0.25
"""Cycles per pixel below which a frequency counts as low: half of the highest along an axis."""

Kernel = Float[np.ndarray, "height width inputs outputs"]


def kernel_of(variables: Mapping[str, Any], node: str) -> Kernel:
    """The weights of a convolution, `[height, width, inputs of its group, outputs]`.

    Args:
        variables: of a model, `{"params": {node: {"kernel": …}}}`.
        node: the convolution's name, such as `layer4.1.conv2`.

    Raises:
        ValueError: for what is no convolution, with the nearest names.
    """
    kernels = {
        name: np.asarray(leaves["kernel"], np.float64)
        for name, leaves in variables["params"].items()
        if np.ndim(leaves.get("kernel")) == 4
    }
    if node not in kernels:
        raise unknown("convolution", node, kernels)
    return kernels[node]


def filter_images(
    variables: Mapping[str, Any], node: str, *, output: int = 0
) -> Float32[np.ndarray, "filters height width channels"]:
    """The filters of a convolution as pictures, each from its least value, 0, to its greatest, 1.

    Args:
        variables, node: as in `kernel_of`.
        output: where the inputs are not colours, the output channel whose filters are shown, one
            for each input channel (the author's choice is the first).

    Returns:
        `[outputs, height, width, 3]` in colour where the convolution has three inputs, otherwise
        `[inputs, height, width, 1]`; 0.5 where a filter is constant.

    Raises:
        ValueError: as `kernel_of`; for an output channel that does not exist.
    """
    kernel = kernel_of(variables, node)
    inputs, outputs = kernel.shape[2:]
    if not 0 <= output < outputs:
        raise ValueError(f"{node} has no output channel {output}; it has 0 to {outputs - 1}")
    if inputs == 3:
        filters = kernel.transpose(3, 0, 1, 2)
    else:
        filters = kernel[..., output].transpose(2, 0, 1)[..., None]
    low = filters.min((1, 2, 3), keepdims=True)
    span = filters.max((1, 2, 3), keepdims=True) - low
    scaled = np.divide(filters - low, span, out=np.full_like(filters, 0.5), where=span > 0)
    return scaled.astype(np.float32)


def low_frequency_energy(kernel: Kernel) -> Float[np.ndarray, " outputs"]:
    """How smooth the filters of each output channel are: 1 for independent random weights.

    The share of their power at frequencies below `LOW`, by a Fourier transform of each filter as
    it is, over the share that white noise has there: a ninth for 3×3, where only the mean is so
    low. So the mean stays in: without it nothing low would be left. A constant filter has the
    greatest value (9 for 3×3), one that sums to nothing 0.

    Args:
        kernel: from `kernel_of`.

    Returns:
        For each output channel, of all its filters together; NaN where all are zero.

    Raises:
        ValueError: for 1×1 filters, and values that are not finite.
    """
    height, width = kernel.shape[:2]
    if height * width == 1:
        raise ValueError("1×1 filters have no frequencies; choose a convolution with larger ones")
    if not np.isfinite(kernel).all():
        raise ValueError("the filters hold values that are not finite")
    power = np.abs(np.fft.fft2(kernel, axes=(0, 1))) ** 2
    low = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) < LOW
    total = power.sum((0, 1, 2))
    share = np.divide(
        power[low].sum((0, 1)), total, out=np.full_like(total, np.nan), where=total > 0
    )
    return share / low.mean()
