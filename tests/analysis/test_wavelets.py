"""The share of a filter that a Gabor function explains, where it is known."""

import numpy as np
import pytest

from depthjax.analysis.wavelets import wavelet_share


def gabor(side: int, angle: float, frequency: float, phase: float, width: float) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    turned, other = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    bell = np.exp(-(turned**2) / (2 * width**2) - other**2 / (2 * (1.4 * width) ** 2))
    return bell * np.cos(2 * np.pi * frequency * (turned - 0.4) + phase)


@pytest.mark.parametrize("side", [7, 11])
def test_wavelets_are_explained_whole_in_any_colour_and_brightness(side):
    random = np.random.default_rng(0)
    pictures = [
        gabor(side, angle, frequency, phase, side / 5)
        for angle, frequency, phase in zip(
            random.uniform(0, np.pi, 4), random.uniform(0.15, 0.4, 4), random.uniform(0, 6, 4),
            strict=True,
        )
    ]  # fmt: skip
    colours = random.normal(size=(4, 3))
    kernel = np.einsum("ohw,oc->hwco", pictures, colours) + random.normal(size=(1, 1, 3, 4))
    assert (wavelet_share(kernel) > 0.999).all()
    # Half of the power in what no wavelet has is not explained.
    noise = random.normal(size=kernel.shape)
    noise -= noise.mean((0, 1))
    kernel -= kernel.mean((0, 1))
    noisy = kernel + noise * np.sqrt((kernel**2).sum((0, 1, 2)) / (noise**2).sum((0, 1, 2)))
    assert (wavelet_share(noisy) < 0.95).all()


def test_random_filters_are_explained_in_part_and_shuffled_ones_no_better():
    random = np.random.default_rng(1)
    found = wavelet_share(random.normal(size=(7, 7, 3, 8)))
    assert 0.1 < found.mean() < 0.6
    picture = gabor(7, 0.7, 0.25, 1.0, 1.6)
    shuffled = random.permutation(picture.ravel()).reshape(7, 7)
    whole, mixed = wavelet_share(np.stack([picture, shuffled], axis=-1)[:, :, None])
    assert whole > 0.999 and mixed < 0.8


def test_a_constant_filter_has_no_share():
    kernel = np.ones((5, 5, 3, 2))
    kernel[..., 1] = np.random.default_rng(0).normal(size=(5, 5, 3))
    found = wavelet_share(kernel)
    assert np.isnan(found[0]) and 0 < found[1] < 1


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.ones((3, 3, 3, 2)), "3×3 filters are too small"),
        (np.ones((7, 5, 3, 2)), "7×5 filters"),
        (np.full((5, 5, 3, 2), np.nan), "not finite"),
    ],
)
def test_what_cannot_be_measured(kernel, message):
    with pytest.raises(ValueError, match=message):
        wavelet_share(kernel)
