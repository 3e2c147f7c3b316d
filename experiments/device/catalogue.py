"""The parts of a check, in the order of their value, and how much of the time each may take."""

from collections.abc import Iterable
from typing import NamedTuple

from depthjax.errors import one_of


class Part(NamedTuple):
    """A part as the script knows it.

    Fields:
        title: what it measures.
        share: of the time; those of all parts add up to 1.
        on_device: whether its own process computes, and not only those that it starts.
    """

    title: str
    share: float
    on_device: bool


PARTS = {
    "step": Part("a step over the bare gradient and over PyTorch's", 0.24, True),
    "tests": Part("tests that mean something on a device", 0.19, False),
    "throughput": Part("images · steps a second against the batch, by precision", 0.16, True),
    "precision": Part("ρ that the same descent reaches, by precision", 0.08, True),
    "memory": Part("peak bytes of a descent, beside what is predicted", 0.07, True),
    "determinism": Part("the same descent again, bit for bit or not", 0.09, False),
    "training": Part("images a second of the network trained on noise", 0.08, True),
    "notebook": Part("the first notebook, in small", 0.05, False),
    "worker": Part("two workers of a sweep on one GPU", 0.04, False),
}


def checked_parts(parts: Iterable[str]) -> tuple[str, ...]:
    """The names in their order.

    Raises:
        ValueError: for one that is no part, and for none.
    """
    asked = [one_of("part", part, PARTS) for part in parts]
    if not asked:
        raise ValueError(f"no part to check; known: {', '.join(PARTS)}")
    return tuple(name for name in PARTS if name in asked)


def limit_of(name: str, waiting: Iterable[str], left: float) -> float:
    """Seconds that a part may take: what earlier parts have not used is shared by the later.

    Args:
        name: of the part, which is next.
        waiting: the parts that have not begun, this one among them.
        left: seconds for all of them.
    """
    return max(0.0, left) * PARTS[name].share / sum(PARTS[one].share for one in waiting)
