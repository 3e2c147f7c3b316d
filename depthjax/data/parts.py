"""Parts of splits in TFDS's notation, for sets that are not stored: `train[:2000]`."""

import re
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from depthjax.errors import one_of

_SLICE = re.compile(r"([^\[\]+]+)(?:\[(-?\d+%?)?:(-?\d+%?)?\])?")


def select(
    name: str, split: str, counts: Mapping[str, int]
) -> list[tuple[str, Int[np.ndarray, " n"]]]:
    """The examples of a part such as `train[80%:]+test`.

    Percentages are rounded to the nearest example, and negative bounds count from the end, as in
    TFDS.

    Args:
        name: the spec, for messages.
        split: terms joined by `+`; each is a split or a slice of one.
        counts: number of examples in each split.

    Returns:
        For each term, the name of the split and the numbers of the examples in it.

    Raises:
        ValueError: for a split that does not exist, and for a part that is empty or reaches beyond
            its split.
    """
    chosen = []
    for term in split.split("+"):
        parts = _SLICE.fullmatch(term.strip())
        if parts is None:
            one_of(f"split of {name!r}", term.split("[")[0].strip(), counts)
            raise ValueError(
                f"cannot read {split!r} as a part of a split; write it as train, train[:80%] or"
                " train[100:200]"
            )
        base = one_of(f"split of {name!r}", parts[1].strip(), counts)
        count = counts[base]
        start, stop = _bound(parts[2], count, 0), _bound(parts[3], count, count)
        if not 0 <= start < stop <= count:
            raise ValueError(
                f"{term.strip()!r} of {name!r} is examples {start} to {stop} of {count}; a part has"
                f" at least one example and lies within 0 to {count}"
            )
        chosen.append((base, np.arange(start, stop)))
    return chosen


def _bound(text: str | None, count: int, default: int) -> int:
    if text is None:
        return default
    value = round(int(text[:-1]) * count / 100) if text.endswith("%") else int(text)
    return value + count if text.startswith("-") else value
