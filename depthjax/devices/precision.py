"""Matrix-product precision and compiler options, decided in one place.

GPUs and TPUs multiply float32 in TF32 or bfloat16 unless told otherwise, which is far coarser than
the distances reported here. So results are always measured at `highest`; the descent may choose.
"""

import functools
from contextlib import AbstractContextManager
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Array

T = TypeVar("T", np.ndarray, Array)

_MATMUL = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}
PRECISIONS = tuple(_MATMUL)


def matmul_precision(precision: str = "float32") -> AbstractContextManager[None]:
    """A context in which products are traced at this precision (of their operands' mantissas)."""
    return jax.default_matmul_precision(_MATMUL[precision])


def widened(images: T) -> T:
    """Floats of two bytes as float32: sums over an image overflow in them."""
    return images.astype(np.float32) if images.dtype.itemsize < 4 else images


_COMPILER_OPTIONS = {
    # Convolutions stay with Eigen; only products go to YNNPACK. ResNet-50 at 224², batch 8: a step
    # to layer1 takes 0.25 s instead of 0.41 s on 2 cores. It has no products of float64.
    "cpu": {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"},
}


@functools.cache
def compiler_options(dtype: np.dtype) -> dict[str, str]:
    """Options for `jax.jit` that make descents faster on this backend, if it still knows them.

    Args:
        dtype: of the images.
    """
    if dtype == np.float64:
        return {}
    options = _COMPILER_OPTIONS.get(jax.default_backend(), {})
    try:
        jax.jit(lambda x: x, compiler_options=options)(0)
    except jax.errors.JaxRuntimeError:  # an experimental option may go
        return {}
    return options
