"""Weights that do not fit a network, all of them named at once."""

from collections.abc import Iterable

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


def some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = f", … {len(listed) - MOST} more" if len(listed) > MOST else ""
    return ", ".join(listed[:MOST]) + more
