"""Weights that do not fit a network, all of them named at once."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

MOST = 8
"""Names of each kind that a message lists."""


class WeightsMismatch(ValueError):
    """Weights that do not fit a model; the message is one line, the fields hold everything.

    Fields:
        missing: names that the model has and the weights do not.
        unexpected: names that the weights have and the model does not.
        shapes: name -> (shape in the weights, shape in the model), where these differ.
    """

    def __init__(
        self,
        what: str,
        model: str,
        missing: list[str],
        unexpected: list[str],
        shapes: dict[str, tuple[Shape, Shape]],
        hint: str,
    ) -> None:
        self.missing, self.unexpected, self.shapes = missing, unexpected, shapes
        differing = [f"{n} {[*theirs]} not {[*ours]}" for n, (theirs, ours) in shapes.items()]
        parts = [
            f"{len(names)} {kind} ({some(names)})"
            for kind, names in (
                (f"missing from {what}", missing),
                (f"unknown to {model}", unexpected),
                ("of another shape", differing),
            )
            if names
        ]
        super().__init__(f"{what} does not fit {model}: {'; '.join(parts)}; {hint}")


class Differences(NamedTuple):
    """The fields of `WeightsMismatch`."""

    missing: list[str]
    unexpected: list[str]
    shapes: dict[str, tuple[Shape, Shape]]


def differences(
    given: Mapping[str, np.ndarray], expected: Shapes, optional: Collection[str] = ()
) -> Differences | None:
    """What keeps weights from fitting; None if they fit.

    Args:
        given: the weights.
        expected: the shapes of those of the model.
        optional: which of these may be missing.
    """
    found = Differences(
        [name for name in expected if name not in given and name not in optional],
        [name for name in given if name not in expected],
        {
            name: (given[name].shape, shape)
            for name, shape in expected.items()
            if name in given and given[name].shape != shape
        },
    )
    return found if any(found) else None


def some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = f", … {len(listed) - MOST} more" if len(listed) > MOST else ""
    return ", ".join(listed[:MOST]) + more
