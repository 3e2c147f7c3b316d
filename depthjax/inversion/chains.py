"""Chains of steps, each by a name with numbers or as a value: `jitter:8,scale:0.9:1.1`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from depthjax.errors import one_of, require
from depthjax.inversion.terms import function_of


class Named(NamedTuple):
    """A step that has a name.

    Fields:
        text: what it does with its numbers.
        function: what makes it.
        numbers: their names.
        fits: whether numbers are allowed.
        wanted: which are, in words.
    """

    text: str
    function: Callable[..., Any]
    numbers: tuple[str, ...] = ()
    fits: Callable[..., bool] = lambda: True
    wanted: str = "no number"


class Step(NamedTuple):
    """A step of a chain, taken apart.

    Fields:
        piece: its name, `package.module:name`, or the value that was given.
        numbers: those behind the name.
    """

    piece: Any
    numbers: tuple[float, ...] = ()


def split_chain(given: Any, is_step: Callable[[Any], bool]) -> tuple[Any, ...]:
    """The steps of a chain, one after the other.

    Args:
        given: text such as `jitter:8,scale:0.9:1.1`, a step as a value, or several of both.
        is_step: whether a value is one step, and no sequence of steps.
    """
    steps: Sequence[Any] = [given] if isinstance(given, str) or is_step(given) else list(given)
    found: list[Any] = []
    for step in steps:
        parts = [part.strip() for part in step.split(",")] if isinstance(step, str) else [step]
        found += [part for part in parts if part or not isinstance(part, str)]
    return tuple(found)


def read_step(step: Any, what: str, known: Mapping[str, Named]) -> Step:
    """A step without its numbers, and these.

    Args:
        step: as `split_chain` gives it.
        what: what it is, for messages: "transformation".
        known: steps by name.

    Raises:
        ValueError: for names that do not exist, and numbers that they do not take.
    """
    if not isinstance(step, str):
        return Step(step)
    name, *texts = step.split(":")
    if name not in known and texts and not _is_number(texts[0]):
        function_of(step, what)
        return Step(step)
    one = known[one_of(what, name, known)]
    numbers = tuple(float(text) for text in texts if _is_number(text))
    enough = len(numbers) == len(texts) == len(one.numbers)
    shape = ":".join([name, *one.numbers])
    require(enough and one.fits(*numbers), shape, step, one.wanted)
    return Step(name, numbers)


def listed(known: Mapping[str, Named]) -> str:
    """All steps with a name, what their numbers are, and what they do."""
    return ", ".join(f"{':'.join([name, *one.numbers])} {one.text}" for name, one in known.items())


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
