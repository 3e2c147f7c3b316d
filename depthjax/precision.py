"""Matrix-product precision, decided in one place.

GPUs and TPUs multiply float32 in TF32 or bfloat16 unless told otherwise, which is far coarser than
the distances reported here. So results are always measured at `highest`; the descent may choose.
"""

from contextlib import AbstractContextManager

import jax

_MATMUL = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}
PRECISIONS = tuple(_MATMUL)


def matmul_precision(precision: str = "float32") -> AbstractContextManager[None]:
    """A context in which products are traced at this precision (of their operands' mantissas)."""
    return jax.default_matmul_precision(_MATMUL[precision])
