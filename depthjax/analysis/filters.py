"""The filters of a convolution: as pictures, how smooth they are, and how directed.

Claim C15 of our list, after arXiv 2211.06496: the filters of a network trained on noise have no
structure. Since the eye sees structure in any 3×3 picture, numbers measure it, too.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from depthjax.errors import unknown

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


def low_frequency_power(kernel: Kernel) -> Float[np.ndarray, " outputs"]:
    """How smooth the filters of each output channel are, their means taken off.

    The share of their spectral power at the lower half of the frequencies above 0, divided by the
    same share of white noise: 1 for independent random weights, larger for smoother ones. The mean
    of a filter is no structure: pictures of filters, scaled from black to white, do not show it.
    For 3×3 filters the lower half is what varies along rows or columns alone, and the largest value
    is 2.

    Args:
        kernel: from `kernel_of`.

    Returns:
        `[outputs]`, each over all filters of the channel; NaN where all of them are constant.

    Raises:
        ValueError: for 1×1 filters, and for weights that are not finite.
    """
    power, rows, columns = _power(kernel)
    size = np.hypot(rows, columns)
    above = size > 0
    low = above & (size <= np.sort(size[above])[(above.sum() - 1) // 2] + 1e-9)
    return _share(power[low].sum((0, 1)), power.sum((0, 1, 2))) * above.sum() / low.sum()


def anisotropy(kernel: Kernel) -> Float[np.ndarray, " outputs"]:
    """How much the filters of each output channel prefer one direction; their means do not matter.

    The coherence of a filter's structure tensor: |Σ (g_x + i g_y)²| / Σ (g_x² + g_y²), with its
    gradient g between each four neighbouring weights, averaged over the filters of a channel by
    their power of gradients: 1 for an edge, a ramp or a grating of whatever direction, 0 for
    what is the same in all directions. Independent random weights lie between (0.56 on average for
    3×3), the nearer to 0 the larger the filter; compare with untrained ones.

    Args:
        kernel: from `kernel_of`.

    Returns:
        `[outputs]`; NaN where the filters of a channel have no gradients: constants, checkerboards.

    Raises:
        ValueError: for filters with sides below 3, and for weights that are not finite.
    """
    if min(kernel.shape[:2]) < 3:
        raise ValueError("filters with sides below 3 have no directions; choose larger ones")
    kernel = _finite(kernel)
    down, right = np.diff(kernel, axis=0), np.diff(kernel, axis=1)
    gradient = (right[1:] + right[:-1]) + 1j * (down[:, 1:] + down[:, :-1])
    power = (np.abs(gradient) ** 2).sum((0, 1))
    # Of a filter without gradients rounding leaves a little.
    power[power < 1e-20 * (np.abs(kernel) ** 2).max(initial=0.0)] = 0.0
    preferred = np.where(power > 0, np.abs((gradient**2).sum((0, 1))), 0.0)
    return _share(preferred.sum(0), power.sum(0))


def _finite(kernel: Kernel) -> Kernel:
    if not np.isfinite(kernel).all():
        raise ValueError("the filters hold values that are not finite")
    return kernel


def _power(
    kernel: Kernel,
) -> tuple[Kernel, Float[np.ndarray, "height 1"], Float[np.ndarray, "1 width"]]:
    """The spectral power of every filter without its mean, and the frequencies of both axes."""
    height, width = kernel.shape[:2]
    if height * width == 1:
        raise ValueError("1×1 filters have no frequencies; choose a convolution with larger ones")
    power = np.abs(np.fft.fft2(_finite(kernel), axes=(0, 1))) ** 2
    # Of a constant filter rounding leaves a little, which is no structure.
    power[power < 1e-20 * (power.max(initial=0.0) or 1.0)] = 0.0
    power[0, 0] = 0.0
    return power, np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]


def _share(
    part: Float[np.ndarray, " outputs"], whole: Float[np.ndarray, " outputs"]
) -> Float[np.ndarray, " outputs"]:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
