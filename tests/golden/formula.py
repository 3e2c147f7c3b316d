"""Weights, images and noise from a formula, so that golden files need to store none of them.

Every array is drawn from `numpy.random.RandomState`, whose streams are frozen, seeded with the
CRC-32 of a name: the same numbers come with every version of NumPy. Images, noise and activations
are in PyTorch's layout (NCHW), weights under torchvision's names (OIHW, [out, in]), all in float64.
"""

import zlib
from collections.abc import Mapping

import numpy as np


def _random(name: str) -> np.random.RandomState:
    """The frozen random stream of a name."""
    return np.random.RandomState(zlib.crc32(name.encode()))


def _uniform(name: str, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Uniform float64 numbers in [low, high), scaled in place (VGG's largest array has 0.8 GB)."""
    values = np.asarray(_random(name).random_sample(shape))
    values *= high - low
    values += low
    return values


def formula_state_dict(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights for a network of torchvision or timm, each array from its name and shape alone.

    Kernels and matrices are uniform with the variance 2 / fan-in; biases, class tokens and position
    embeddings lie in ±0.2, the factors of a layer scale in [0.5, 1.5); a normalisation has its
    weight in [0.5, 1.5), running mean in ±0.2, running variance in [0.5, 2). The last BatchNorm of
    a residual block (`bn3`, or `bn2` where the block has no `bn3`) is scaled by 1/5, which keeps
    the activations of a ResNet-152 tame.

    Args:
      shapes: torchvision's names -> PyTorch's shapes, of the whole network (a block's `bn3.weight`
        decides how its `bn2.weight` is drawn).

    Returns:
      Float64 arrays under the same names in the same order (`num_batches_tracked`: int64 zero).
    """
    weights: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        kind = name.rpartition(".")[2]
        if kind == "num_batches_tracked":
            weights[name] = np.zeros(shape, np.int64)
        elif kind == "running_var":
            weights[name] = _uniform(name, shape, 0.5, 2.0)
        elif kind in ("running_mean", "bias", "cls_token", "pos_embed"):
            weights[name] = _uniform(name, shape, -0.2, 0.2)
        elif kind == "gamma":
            weights[name] = _uniform(name, shape, 0.5, 1.5)
        elif kind != "weight":
            raise ValueError(f"no formula for the array {name!r} of shape {tuple(shape)}")
        elif len(shape) > 1:
            bound = (6.0 / np.prod(shape[1:])) ** 0.5
            weights[name] = _uniform(name, shape, -bound, bound)
        else:
            weights[name] = _uniform(name, shape, 0.5, 1.5)
            if name.endswith("bn3.weight") or (
                name.endswith(".bn2.weight") and name.replace("bn2", "bn3") not in shapes
            ):
                weights[name] *= 0.2
    return weights


def formula_image(height: int, width: int, batch: int = 1) -> np.ndarray:
    """Images in [0, 1], smooth waves plus noise: float64 [batch, 3, height, width].

    Image b is the same in every batch. Only exact operations are used (no sine), so that the image
    does not depend on a mathematical library.
    """
    images = np.empty((batch, 3, height, width))
    for index in range(batch):
        random = _random(f"image/{height}x{width}/{index}")
        phases, slopes = random.random_sample((2, 3, 2, 1, 1))
        rows = (np.arange(height)[:, None] / height * (1 + slopes[:, 0]) + phases[:, 0]) % 1.0
        columns = (np.arange(width)[None, :] / width * (1 + slopes[:, 1]) + phases[:, 1]) % 1.0
        noise = random.random_sample((3, height, width))
        waves = 4 * rows * (1 - rows) + 4 * columns * (1 - columns)  # parabolas, each in [0, 1]
        images[index] = 0.1 + 0.3 * waves + 0.2 * noise
    return images


def formula_start(height: int, width: int, batch: int = 1) -> np.ndarray:
    """The paper's start N(mean 0.7, std 0.05), not clipped: float64 [batch, 3, height, width]."""
    shape = (3, height, width)
    names = [f"start/{height}x{width}/{index}" for index in range(batch)]
    return np.stack([_random(name).normal(0.7, 0.05, shape) for name in names])


def formula_cotangent(shape: tuple[int, ...]) -> np.ndarray:
    """Uniform noise in [-1, 1), float64, for an array of this PyTorch (NCHW) shape."""
    return _uniform("cotangent/" + "x".join(str(int(n)) for n in shape), shape, -1.0, 1.0)


def sample(array: np.ndarray, count: int = 64) -> tuple[float, np.ndarray]:
    """The norm of an NCHW array and `count` of its entries, at positions drawn from its size.

    Positions count through the array in C order; one may come up twice.
    """
    positions = np.random.RandomState(array.size).random_sample(count) * array.size
    flat = np.ascontiguousarray(array, np.float64).ravel()
    return float(np.linalg.norm(flat)), flat[positions.astype(np.int64)]


def relative_error(array: np.ndarray, expected: tuple[float, np.ndarray]) -> float:
    """How far an NCHW array is from a `sample` of what it should be; NaN where it holds a NaN.

    The larger of |norm - norm'| / norm and ‖entries - entries'‖ / (norm · √(count / size)), where
    the last denominator is what the norm of `count` entries is on average.
    """
    norm, entries = expected
    got_norm, got_entries = sample(array, entries.size)
    entry_error = np.linalg.norm(got_entries - entries) / (entries.size / array.size) ** 0.5
    return float(np.maximum(abs(got_norm - norm), entry_error) / norm)
