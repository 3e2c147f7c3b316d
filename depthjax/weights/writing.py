"""Safetensors files whose bytes follow from their content."""

import json
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np


def safetensors_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; equal content has equal bytes.

    Args:
        arrays: by name; bfloat16 is written as float32, which holds it exactly.
        metadata: of the header.
    """
    import safetensors.numpy

    state = {
        name: np.asarray(
            # safetensors cannot write bfloat16 from NumPy.
            array.astype(np.float32) if array.dtype == jnp.bfloat16 else array,
            order="C",
        )
        for name, array in arrays.items()
    }
    return _in_order(safetensors.numpy.save(state, metadata=dict(metadata)))


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its metadata sorted, so that equal weights have equal files.

    The library writes the metadata in random order, which would change the SHA-256.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format wants arrays to begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[end:]
