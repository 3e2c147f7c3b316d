"""The filters of a convolution: as pictures, and how smooth they are.

Claim C15 of our list, after arXiv 2211.06496: the filters of a network trained on noise have no
structure. Since the eye sees structure in any 3×3 picture, a number measures it, too.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from depthjax.errors import unknown

LOW = 0.25
"""In cycles per pixel: lower frequencies count as low. Half of the highest one along an axis."""

Kernel = Float[np.ndarray, "height width inputs outputs"]
"""The weights of a convolution: height, width, input channels of a group, output channels."""


def kernel_of(variables: Mapping[str, Any], node: str) -> Kernel:
    """The weights of one convolution of a model, float64.

    Args:
        variables: of the model, `{"params": {node: {"kernel": …}}}`.
        node: the name of the convolution, such as `layer4.1.conv2`.

    Raises:
        ValueError: if no convolution has that name, with the nearest names.
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
    """The filters of a convolution as pictures; each is scaled so that it spans 0 to 1.

    Args:
        variables, node: as in `kernel_of`.
        output: the output channel whose filters are shown, one for each input channel (the paper
            shows the first). Ignored for a convolution with three input channels, of which all
            filters are shown in colour.

    Returns:
        `[outputs, height, width, 3]` for three input channels, otherwise
        `[inputs, height, width, 1]`; a constant filter is 0.5 everywhere.

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
    """How smooth the filters of each output channel are; 1 for independent random weights.

    The fraction of their spectral power at frequencies below `LOW`, divided by the same fraction
    for white noise. For 3×3 filters this is 1/9, as the mean is the only low frequency; therefore
    the mean is not subtracted. A constant filter has the largest value (9 for 3×3), a filter whose
    weights sum to 0 has 0 (for 3×3).

    Args:
        kernel: from `kernel_of`.

    Returns:
        `[outputs]`, each over all filters of the channel; NaN where all of them are 0.

    Raises:
        ValueError: for 1×1 filters, and for weights that are not finite.
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
