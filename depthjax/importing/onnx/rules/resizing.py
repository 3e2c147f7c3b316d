"""Resizing, in all of ONNX's modes: a matrix for each axis."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from depthjax.errors import one_of
from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, Setting, UnsupportedError, rule
from depthjax.importing.resizing import keys, tent
from depthjax.importing.values import Known, Value
from depthjax.models.operations.elementwise import Where

_MODES = ("nearest", "linear", "cubic")
_ROUNDED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda at: np.where(at % 1 > 0.5, np.ceil(at), np.floor(at)),
    "round_prefer_ceil": lambda at: np.where(at % 1 < 0.5, np.floor(at), np.ceil(at)),
    "floor": np.floor,
    "ceil": np.ceil,
}


@dataclass(frozen=True)
class Sampling:
    """How positions of the output are filled; fields are ONNX's attributes."""

    mode: str = "nearest"
    coordinate_transformation_mode: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: int = 0
    antialias: int = 0
    extrapolation_value: float = 0.0


@rule("Upsample")
def _upsample(
    ctx: Context,
    x: Operand,
    scales: Setting,
    *,
    mode: str = "nearest",
) -> Value:
    factors = ctx.numbers(scales, "scales")
    sampling = Sampling(mode, "asymmetric", "floor")
    return _resized(ctx, ctx.value(x), sampling, dict(enumerate(np.ravel(factors).tolist())))


@rule("Resize")
def _resize_before(ctx: Context, x: Operand, scales: Operand, *, mode: str = "nearest") -> Value:
    return _upsample(ctx, x, scales, mode=mode)


@rule("Resize", since=11)
def _resize(
    ctx: Context,
    x: Operand,
    roi: Operand | None = None,
    scales: Operand | None = None,
    sizes: Operand | None = None,
    *,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
    **how: Any,
) -> Value:
    value, sampling = ctx.value(x), Sampling(**how)
    places = [a % value.rank for a in (range(value.rank) if axes is None else axes)]
    lengths = ctx.ints(sizes, "sizes")
    region = ctx.array(roi, "a region")
    regions = {}
    if region is not None and region.size:
        regions = dict(zip(places, region.reshape(2, -1).T.tolist(), strict=True))
    if not lengths:
        given = dict(zip(places, np.ravel(ctx.numbers(scales, "scales")).tolist(), strict=True))
        return _resized(ctx, value, sampling, given, {}, regions)
    ratios = [n / value.shape[a] for n, a in zip(lengths, places, strict=True)]
    if keep_aspect_ratio_policy != "stretch":
        least = keep_aspect_ratio_policy == "not_larger"
        ratios = [min(ratios) if least else max(ratios)] * len(ratios)
        lengths = tuple(
            math.floor(r * value.shape[a] + 0.5) for r, a in zip(ratios, places, strict=True)
        )
    given = dict(zip(places, ratios, strict=True))
    for axis in places:
        ctx.build.hold(value, axis)  # also where nothing is to be done at this size
    return _resized(ctx, value, sampling, given, dict(zip(places, lengths, strict=True)), regions)


def _resized(
    ctx: Context,
    x: Value,
    sampling: Sampling,
    scales: dict[int, float],
    sizes: dict[int, int] | None = None,
    regions: dict[int, list[float]] | None = None,
) -> Value:
    if sampling.mode not in _MODES:
        raise UnsupportedError(f"mode={sampling.mode!r}")
    matrices, beyond = {}, np.zeros((1,) * x.rank, bool)
    for axis, scale in scales.items():
        length = x.shape[axis]
        outputs = (sizes or {}).get(axis) or math.floor(length * scale)
        if outputs == length and scale == 1 and axis not in (regions or {}):
            continue
        at = positions(sampling, length, outputs, scale, (regions or {}).get(axis))
        if outputs == length and np.array_equal(at, np.arange(length)):
            continue
        matrix = weights(sampling, at, length, scale)
        if sampling.coordinate_transformation_mode == "tf_crop_and_resize":
            outside = (at < 0) | (at > length - 1)
            beyond = beyond | outside.reshape(-1, *(1,) * (x.rank - 1 - axis))
        matrices[axis] = matrix
    made = layers.resample(ctx.build, ctx.name, x, matrices)
    if not beyond.any():
        return made
    fill = Known(np.asarray(sampling.extrapolation_value, np.float32))
    return ctx.build.broadcast(ctx.name, Where(), [Known(beyond), fill, made], x.dtype)


def positions(
    sampling: Sampling,
    length: int,
    outputs: int,
    scale: float,
    region: Sequence[float] | None = None,
) -> np.ndarray:
    """Where each position of the output lies in the input.

    In single precision for the nearest pixel, as ONNX Runtime has it: at ties it decides.
    """
    precision = np.float32 if sampling.mode == "nearest" else np.float64
    at: np.ndarray = np.arange(outputs, dtype=precision)
    mode = sampling.coordinate_transformation_mode
    if mode == "align_corners":
        return at * (length - 1) / max(outputs - 1, 1)
    if mode == "asymmetric":
        return at / scale
    if mode == "tf_half_pixel_for_nn":
        return (at + 0.5) / scale
    if mode == "tf_crop_and_resize":
        start, end = region or (0.0, 1.0)
        if outputs == 1:
            return np.full(outputs, (start + end) * (length - 1) / 2)
        return start * (length - 1) + at * (end - start) * (length - 1) / (outputs - 1)
    if mode == "half_pixel_symmetric":
        return length / 2 * (1 - outputs / (scale * length)) + (at + 0.5) / scale - 0.5
    half = (at + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return half if outputs > 1 else np.full(outputs, -0.5)
    one_of("coordinate_transformation_mode", mode, ("half_pixel",))
    return half


def weights(sampling: Sampling, at: np.ndarray, length: int, scale: float) -> np.ndarray:
    """The matrix `[outputs, length]` that reads positions between those of the input."""
    rows = np.arange(len(at))
    matrix = np.zeros((len(at), length))
    if sampling.mode == "nearest":
        nearest = _ROUNDED[sampling.nearest_mode](at).astype(int)
        matrix[rows, np.clip(nearest, 0, length - 1)] = 1
        return matrix
    reach, weigh = (1, tent) if sampling.mode == "linear" else (2, keys)
    settings = () if sampling.mode == "linear" else (sampling.cubic_coeff_a,)
    narrow = min(scale, 1.0) if sampling.antialias else 1.0  # a wider kernel for smaller images
    first = np.floor(at).astype(int)
    radius = math.ceil(reach / narrow)
    for tap in range(-radius, radius + 2):
        place = first + tap
        weight = weigh(np.abs(at - place) * narrow, *settings)
        if sampling.exclude_outside:
            weight = np.where((place < 0) | (place >= length), 0.0, weight)
        np.add.at(matrix, (rows, np.clip(place, 0, length - 1)), weight)
    return matrix / matrix.sum(1, keepdims=True)
