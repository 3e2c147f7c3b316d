"""Parts of splits that are not stored, in TFDS's notation: `train[:2000]`, `train[80%:]+test`."""

import re
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from depthjax.errors import one_of

_SLICE = re.compile(r"([^\[\]+]+)(?:\[(-?\d+%?)?:(-?\d+%?)?\])?")


def select(
    name: str, split: str, counts: Mapping[str, int]
) -> list[tuple[str, Int[np.ndarray, " n"]]]:
    """The examples that a split means: for each of its terms, of which split, and their numbers.

    Percentages are of the split and round to the nearest example, as those of TFDS; negative bounds
    count from the end.

    Args:
        name: the spec, for messages.
        split: terms joined by `+`, each a split or a slice of one.
        counts: examples in each split.

    Raises:
        ValueError: for a split that does not exist, and a part that is empty or reaches beyond it.
    """
    found = []
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
        found.append((base, np.arange(start, stop)))
    return found


def _bound(text: str | None, count: int, default: int) -> int:
    if text is None:
        return default
    value = round(int(text[:-1]) * count / 100) if text.endswith("%") else int(text)
    return value + count if text.startswith("-") else value
