"""Random numbers that are the same in every run, on every machine, with every version of NumPy.

NumPy promises that the words of a bit generator never change, but not what its samplers make of
them. So permutations are made of the words here.
"""

import hashlib

import numpy as np
from jaxtyping import Int, UInt64


def random_words(seed: int, *stream: str | int, count: int) -> UInt64[np.ndarray, " count"]:
    """`count` uniform 64-bit words; they depend on the seed and on the names of the stream."""
    name = "/".join(str(part) for part in (seed, *stream))
    key = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], "<u8")
    return np.random.Philox(key=key.astype(np.uint64)).random_raw(count)


def permutation(seed: int, *stream: str | int, count: int) -> Int[np.ndarray, " count"]:
    """The numbers from 0 to `count - 1` in random order."""
    return np.argsort(random_words(seed, *stream, count=count), kind="stable")
