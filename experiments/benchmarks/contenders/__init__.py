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
PEERS = tuple(name for name, entry in CONTENDERS.items() if entry.peer)
