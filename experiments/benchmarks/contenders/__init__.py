"""Loops that can be asked for a number of steps, one file each.

Each module has `build(job)`, which returns an object whose methods are the requests: `steps(n)`
makes n steps from the start and returns the seconds (the first call compiles), `memory()` is the
peak of the process in bytes, `about()` says what it runs on, and `distance()` is the L1 distance
of the embeddings of start and photographs, which must be the same for all.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """A contender as tables and figures speak of it."""

    title: str
    peer: bool


CONTENDERS = {
    "loop": Entry("depthjax", peer=False),
    "bare": Entry("bare gradient", peer=False),
    "author": Entry("author's loop", peer=True),
    "tuned": Entry("tuned PyTorch", peer=True),
    "compiled": Entry("torch.compile", peer=True),
    "metamer": Entry("plenoptic", peer=True),
}
METHODS = ("metamer", "fourier")
"""Contenders of `methods.py`; `residuals(n)` says how far each embedding is after n steps."""
SPECTRA = {
    "spectrum": Entry("depthjax", peer=False),
    "power": Entry("plenoptic, power method", peer=True),
    "randomized": Entry("plenoptic, randomised SVD", peer=True),
}
"""Contenders for the largest eigenvalues of JᵀJ; `top(k, pairs, seed)` returns those."""
COMPARED = {"power": 1, "randomized": 10}
"""How many eigenvalues each peer is asked for: what its method is for."""
PAIRS_A_STEP = 4
"""Pairs of J v and Jᵀ u that a step of theirs makes."""
PEERS = tuple(name for name, entry in CONTENDERS.items() if entry.peer)
SPECTRAL_PEERS = tuple(name for name, entry in SPECTRA.items() if entry.peer)
