"""How similar two images are beyond their distance: structural similarity, and roughness."""

import numpy as np
from jaxtyping import Float


def structural_similarity(
    a: Float[np.ndarray, "batch h w c"], a_g: Float[np.ndarray, "batch h w c"]
) -> Float[np.ndarray, " batch"]:
    """SSIM of each recovered image with its target, over all channels; 1 for equal images.

    With windows of 7×7 pixels, or of the largest odd size that fits a smaller image (Wang, Bovik,
    Sheikh & Simoncelli 2004, as scikit-image computes it).

    Args:
        a: targets in [0, 1], `[B, H, W, C]`.
        a_g: recovered images, `[B, H, W, C]`; not clipped to [0, 1].

    Returns:
        `[B]`, float64, at most 1; NaN for an image that is not finite.
    """
    from skimage import metrics

    side = min(7, *a.shape[1:3])
    window = side - (side + 1) % 2
    similarity = np.full(len(a), np.nan)
    for index, pair in enumerate(zip(a, a_g, strict=True)):
        target, image = (pixels.astype(np.float64) for pixels in pair)
        if np.isfinite(image).all():
            similarity[index] = metrics.structural_similarity(
                target, image, win_size=window, data_range=1.0, channel_axis=-1
            )
    return similarity


def gradient_energy_ratio(
    a: Float[np.ndarray, "batch h w c"], a_g: Float[np.ndarray, "batch h w c"]
) -> Float[np.ndarray, " batch"]:
    """`Σ|∇a_g|² / Σ|∇a|²` with differences of neighbouring pixels; above 1: rougher than `a`.

    Args:
        a: targets, `[B, H, W, C]`.
        a_g: recovered images, `[B, H, W, C]`.

    Returns:
        `[B]`, float64, at least 0; NaN for an image that is not finite, infinity for a constant
        target.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _gradient_energy(a_g) / _gradient_energy(a)


def _gradient_energy(images: np.ndarray) -> np.ndarray:
    pixels = images.astype(np.float64)
    return sum(np.square(np.diff(pixels, axis=axis)).sum((1, 2, 3)) for axis in (1, 2))
