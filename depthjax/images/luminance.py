"""How bright a picture is to the eye: its channels weighted into one."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R Recommendation BT.601)."""


def luminance(images: ArrayLike) -> Float[np.ndarray, "*pixels"]:
    """The weighted mean of red, green and blue, `LUMA`; of other than three channels their mean.

    Args:
        images: `[…, C]`, of any range.

    Returns:
        float64, in the unit of the pixels.
    """
    pixels = np.asarray(images, np.float64)
    channels = pixels.shape[-1]
    return pixels @ (np.array(LUMA) if channels == 3 else np.full(channels, 1 / channels))
