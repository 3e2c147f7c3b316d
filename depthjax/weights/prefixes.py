"""Where in a file's names a network lies: prefixes of wrappers, and networks among other things.

A checkpoint is seldom the network alone. `DataParallel` writes `module.conv1.weight`, MoCo
`module.encoder_q.conv1.weight` beside its queue, a robust network's `module.model.…` lies beside
the same network in its attacker and a normaliser. A prefix fits if every name of the network, but
for the head's, exists under it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.errors import unknown
from depthjax.models.normalization import Normalization
from depthjax.weights.mismatch import MOST, Shapes
from depthjax.weights.state_dict import IGNORED

Spellings = Sequence[str]
"""The names that one weight may have."""


_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""What torch.compile and other wrappers of a module inside a network put into its names."""


def located(
    state: Mapping[str, np.ndarray],
    wanted: Sequence[Spellings],
    shapes: Shapes,
    asked: str | None,
    holds: str,
) -> tuple[str, dict[str, np.ndarray]]:
    """The prefix under which a file has a network, and the entries there, without it.

    Args:
        state: the file's names to arrays.
        wanted: as `fitting_prefixes` takes it.
        shapes: of the network's weights, which tell the right one of several prefixes.
        asked, holds: as `chosen_prefix` takes them.

    Raises:
        ValueError: as `chosen_prefix`.
    """
    names = [name for name in state if name.rpartition(".")[2] not in IGNORED]
    fits = of_these_shapes(state, fitting_prefixes(names, wanted), shapes)
    if not fits and (plain := unwrapped(state)).keys() != state.keys():
        return located(plain, wanted, shapes, asked, holds)
    chosen = chosen_prefix(asked, fits, names, wanted, holds)
    return chosen, under(chosen, state, fits)


def unwrapped(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state dict without the names of wrappers within its names."""
    return {
        ".".join(part for part in name.split(".") if part not in _WRAPPERS): array
        for name, array in state.items()
    }


def fitting_prefixes(names: Iterable[str], wanted: Sequence[Spellings]) -> list[str]:
    """The prefixes under which all weights exist, shortest first; `""` is one, too.

    Args:
        names: of the file.
        wanted: of each weight of the network, the names it may have.
    """
    known = set(names)
    fits = [
        prefix
        for prefix in _prefixes(known, wanted[0])
        if all(any(prefix + name in known for name in spellings) for spellings in wanted)
    ]
    return sorted(fits, key=lambda prefix: (prefix.count("."), prefix))


def of_these_shapes(
    state: Mapping[str, np.ndarray], prefixes: list[str], shapes: Shapes
) -> list[str]:
    """Of several prefixes those under which the shapes fit too, if there are any."""
    exact = [
        prefix
        for prefix in prefixes
        if all(np.shape(state.get(prefix + name, ())) == shapes[name] for name in shapes)
    ]
    return exact or prefixes


def chosen_prefix(
    asked: str | None,
    fits: Sequence[str],
    names: Collection[str],
    wanted: Sequence[Spellings],
    holds: str,
) -> str:
    """The prefix that is asked for; else the one that fits, or without any the one that fits best.

    Args:
        asked: by a user, see `asked_prefix`; None if nothing is.
        fits: from `fitting_prefixes`.
        names: of the file.
        wanted: as `fitting_prefixes` takes it.
        holds: what holds which network, for the message.

    Raises:
        ValueError: if several fit and none is asked for, or no name begins with the one that is.
    """
    if asked is not None:
        return asked_prefix(asked, names, fits)
    if len(fits) > 1:
        raise ValueError(
            f"{holds} {len(fits)} times, under"
            f" {' and '.join(map(_shown, fits[:MOST]))}; choose one with"
            f" prefix={fits[0]!r} (--weights_prefix={_shown(fits[0])})"
        )
    return fits[0] if fits else nearest_prefix(names, wanted)


def under(
    prefix: str, state: Mapping[str, np.ndarray], fits: Iterable[str]
) -> dict[str, np.ndarray]:
    """The entries under a prefix, without it; other copies of the network are no part of it."""
    others = tuple(other for other in fits if len(other) > len(prefix))
    return {
        name.removeprefix(prefix): np.asarray(array)
        for name, array in state.items()
        if name.startswith(prefix) and not name.startswith(others)
    }


def nearest_prefix(names: Collection[str], wanted: Sequence[Spellings]) -> str:
    """The prefix under which most weights exist; without any, what all names begin with."""
    counts: dict[str, int] = {}
    for spellings in wanted:
        for prefix in _prefixes(names, spellings):
            counts[prefix] = counts.get(prefix, 0) + 1
    if counts:
        return min(counts, key=lambda prefix: (-counts[prefix], len(prefix)))
    first = {name.partition(".")[0] for name in names}
    return f"{first.pop()}." if len(first) == 1 and all("." in name for name in names) else ""


def _shown(prefix: str) -> str:
    return prefix or '""'


def _prefixes(names: Iterable[str], spellings: Spellings) -> set[str]:
    return {
        name[: len(name) - len(spelling)]
        for name in names
        for spelling in spellings
        if name == spelling or name.endswith(f".{spelling}")
    }


def asked_prefix(asked: str, names: Iterable[str], fits: Sequence[str]) -> str:
    """The prefix that a user asks for; its last dot and what a file puts before it may be lacking.

    Raises:
        ValueError: if no name begins with it.
    """
    prefix = asked if not asked or asked.endswith(".") else f"{asked}."
    known = list(names)
    nested = [fit for fit in fits if fit.endswith(f".{prefix}")]
    if not any(name.startswith(prefix) for name in known):
        if len(nested) == 1:  # module.model. of what is saved under the key "model"
            return nested[0]
        groups = dict.fromkeys(f"{name.rpartition('.')[0]}." for name in known if "." in name)
        hint = "" if fits else "the network fits under none of them"
        raise unknown("prefix of weights", prefix, fits or groups, hint=hint)
    return prefix


def normalizers(state: Mapping[str, Any]) -> dict[str, Normalization]:
    """The normalisations of pixels among the arrays of a file, by the name of their mean.

    One is a pair of names that end in `mean` and `std` (`0.mean`, `module.normalizer.new_mean`)
    with a number for each of at most four channels, of pixels in [0, 1].
    """
    found = {}
    for name in state:
        if not is_normalizer(name) or not name.endswith("mean") or _std_of(name) not in state:
            continue
        mean, std = (np.asarray(state[key], float).ravel() for key in (name, _std_of(name)))
        pixels = 1 <= mean.size == std.size <= 4 and ((mean >= 0) & (mean <= 1)).all()
        if pixels and ((std > 0) & (std <= 1)).all():
            found[name] = Normalization(tuple(mean.tolist()), tuple(std.tolist()))
    return found


def is_normalizer(name: str) -> bool:
    """Whether an array may be a normaliser's mean or deviation, as far as its name tells."""
    leaf = name.rpartition(".")[2]
    return re.fullmatch(r"(\w*_)?(mean|std)", leaf) is not None and not leaf.startswith("running_")


def normalizer_names(state: Mapping[str, Any]) -> set[str]:
    """The names of the arrays of `normalizers`."""
    means = normalizers(state)
    return {*means, *map(_std_of, means)}


def _std_of(name: str) -> str:
    return f"{name.removesuffix('mean')}std"
