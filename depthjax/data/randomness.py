"""Random numbers that every run, host and numpy gives alike.

NumPy keeps the words of a bit generator for ever, but may change what it makes of them, so the few
things that have to stay the same are made from the words here.
"""

import hashlib

import numpy as np
from jaxtyping import Int, UInt64


def random_words(seed: int, *stream: str | int, count: int) -> UInt64[np.ndarray, " count"]:
    """`count` uniform 64-bit words; each seed and each name of a stream has words of its own."""
    name = "/".join(str(part) for part in (seed, *stream))
    key = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], "<u8")
    return np.random.Philox(key=key.astype(np.uint64)).random_raw(count)


def permutation(seed: int, *stream: str | int, count: int) -> Int[np.ndarray, " count"]:
    """The numbers below `count` in random order."""
    return np.argsort(random_words(seed, *stream, count=count), kind="stable")
