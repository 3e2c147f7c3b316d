"""Resizing along an axis as a matrix, with PyTorch's rules (`torch.nn.functional.interpolate`)."""

import numpy as np


def resize_matrix(
    length: int, outputs: int, kind: str, align_corners: bool = False, scale: float | None = None
) -> np.ndarray:
    """The matrix `[outputs, length]` of a resize.

    Args:
        length, outputs: sizes before and after.
        kind: "nearest" (of each pixel's corner), "nearest centre", "linear" or "cubic" (Keys' with
            a = −0.75).
        align_corners: the first and last positions fall on each other.
        scale: the factor that was asked for, where it is not `outputs / length`.

    Nearest pixels are found in single precision, as PyTorch finds them: at ties it decides.
    """
    step = 1 / scale if scale else length / outputs
    if kind == "nearest" and outputs in (length, 2 * length):
        step = length / outputs  # there PyTorch does not look at the factor
    if align_corners:
        step = (length - 1) / (outputs - 1) if outputs > 1 else 0.0
    places = np.arange(outputs, dtype=np.float64)
    matrix = np.zeros((outputs, length))
    rows = np.arange(outputs)
    if kind.startswith("nearest"):
        inside = 0.5 if kind == "nearest centre" else 0.0
        nearest = ((places + inside) * np.float32(step)).astype(np.float32).astype(int)
        matrix[rows, np.minimum(nearest, length - 1)] = 1
        return matrix
    at = places * step if align_corners else (places + 0.5) * step - 0.5
    if kind == "linear":
        at = np.maximum(at, 0)
    first, weigh = np.floor(at).astype(int), tent if kind == "linear" else keys
    for tap in (0, 1) if kind == "linear" else (-1, 0, 1, 2):
        columns = np.clip(first + tap, 0, length - 1)
        np.add.at(matrix, (rows, columns), weigh(np.abs(at - (first + tap))))
    return matrix


def smooth_matrix(
    length: int, outputs: int, kind: str, align_corners: bool = False, scale: float | None = None
) -> np.ndarray:
    """The matrix of an antialiased resize: a smaller image's pixels are means over wider windows.

    Args:
        length, outputs, kind, align_corners, scale: as of `resize_matrix`; "cubic" has a = −0.5.
    """
    step = 1 / scale if scale else length / outputs
    if align_corners:
        step = (length - 1) / (outputs - 1) if outputs > 1 else 0.0
    wide = max(step, 1.0)
    reach = wide * (1 if kind == "linear" else 2)
    centres = step * (np.arange(outputs)[:, None] + 0.5)
    first = np.maximum(np.trunc(centres - reach + 0.5), 0)
    last = np.minimum(np.trunc(centres + reach + 0.5), length)
    places = np.arange(length)
    away = np.abs(places - centres + 0.5) / wide
    weights = tent(away) if kind == "linear" else keys(away, -0.5)
    weights = np.where((places >= first) & (places < last), weights, 0.0)
    return weights / weights.sum(1, keepdims=True)


def tent(distance: np.ndarray) -> np.ndarray:
    """The weight of a neighbour in linear interpolation."""
    return np.maximum(0, 1 - distance)


def keys(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """The weight of a neighbour in cubic interpolation (Keys 1981)."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
