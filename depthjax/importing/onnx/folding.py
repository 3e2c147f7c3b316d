"""What depends on no image is computed while importing, by ONNX's own reference implementation."""

import math
from typing import Any

import numpy as np

from depthjax.importing.onnx.reading import single

LARGEST = 2**28
"""More numbers than this are made of no constants: a small file could ask for all memory."""

_DRAWN = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli")
_NOT_FOLDED = (*_DRAWN, "Multinomial", "Loop", "Scan", "If", "ImageDecoder", "SequenceMap")


def can_fold(node: Any) -> bool:
    """Whether an operation of known inputs can be computed at once."""
    return node.domain in ("", "ai.onnx") and node.op_type not in _NOT_FOLDED


def fold(node: Any, arrays: list[np.ndarray | None], opset: int) -> list[np.ndarray]:
    """The outputs of a node.

    Raises:
        ValueError: if they would be too large, or cannot be computed.
    """
    from onnx.reference import ReferenceEvaluator

    if _size(node.op_type, arrays) > LARGEST:
        raise ValueError("it would make more numbers of constants than any network needs")
    evaluator = ReferenceEvaluator(node, opsets={"": opset})
    given = {name: a for name, a in zip(node.input, arrays, strict=True) if a is not None}
    try:
        results = evaluator.run(None, given)
    except Exception as error:  # whatever the reference raises for what does not fit
        raise ValueError(f"its constants do not fit: {str(error)[:200]}") from error
    return [single(np.asarray(result)) for result in results]


def _size(name: str, arrays: list[np.ndarray | None]) -> float:
    """How many numbers an operation makes, where its inputs do not tell by their own size."""
    given = [array for array in arrays if array is not None]
    if name == "ConstantOfShape":
        return float(math.prod(map(int, given[0].ravel())))
    if name in ("Expand", "Tile"):
        return float(given[0].size) * math.prod(map(int, given[1].ravel()))
    if name == "Range":
        start, limit, delta = (float(array.ravel()[0]) for array in given)
        return abs((limit - start) / (delta or math.inf))
    if name == "OneHot":
        return float(given[0].size) * float(given[1].ravel()[0])
    return 0.0
