"""Sums of weighted pieces, in Python and as text: what objectives and penalties are made of.

    0.5 * term("relative_l2", at="layer1") + term("cosine", at="layer3")
    "0.5*relative_l2@layer1 + cosine@layer3"
    "tv:1e-3 + my_package.module:function"
    "cosine[...,0:16] + l2[4:12,4:12]@layer1"

A piece is the name of one that exists, or a function. A weight stands before or behind it. Brackets
hold the part that it is of, as NumPy's index of one example: channels, or a region.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, Union

from jaxtyping import Array

from depthjax.errors import one_of, require
from depthjax.models.references import function_at, reference_to

Piece = str | Callable[..., Any]


class Term(NamedTuple):
    """A piece of a sum.

    Fields:
        piece: the name of one, or a function.
        weight: what it is multiplied by.
        at: which of several layers it is of; empty for all that the embedding holds.
        where: which part of that, as an index of one example such as "...,0:16"; empty for all.
    """

    piece: Piece
    weight: float = 1.0
    at: str = ""
    where: str = ""

    @property
    def bare(self) -> "Term":
        """The same without its weight: what of it is compiled in."""
        return self._replace(weight=1.0)

    def part_of(self, array: Array) -> Array:
        """The part of each example that the term is of.

        Args:
            array: `[B, …]`.

        Raises:
            ValueError: if it has no such part.
        """
        if not self.where:
            return array
        index = [_axis(text) for text in self.where.split(",")]
        shape = array.shape[1:]
        try:
            if index.count(...) > 1 or len(index) - index.count(...) > len(shape):
                raise IndexError
            part = array[(slice(None), *index)]
        except IndexError:
            part = array[:, :0]
        if part.size == 0:
            raise ValueError(f"{self} is of no part of what has the shape {shape}")
        return part

    def __str__(self) -> str:
        name = self.piece if isinstance(self.piece, str) else reference_to(self.piece)
        weight = "" if self.weight == 1 else f"{_shortest(self.weight)}*"
        where = f"[{self.where}]" if self.where else ""
        return weight + name + where + (f"@{self.at}" if self.at else "")


class Sum:
    """A sum of terms; sums add, and are multiplied by numbers. Hashable, compared by value."""

    __slots__ = ("terms",)

    def __init__(self, terms: Iterable[Term]) -> None:
        """Takes the terms, of which there must be one at least, with finite weights."""
        self.terms = tuple(terms)
        require(len(self.terms) > 0, "a sum of terms", "", "of one term at least")
        for one in self.terms:
            require(math.isfinite(one.weight), f"the weight of {one}", one.weight, "finite")

    def __add__(self, other: Union["Sum", Piece]) -> "Sum":
        return Sum(self.terms + as_sum(other).terms)

    def __radd__(self, other: Piece) -> "Sum":
        return as_sum(other) + self

    def __mul__(self, factor: float | int) -> "Sum":
        return Sum(one._replace(weight=float(one.weight * factor)) for one in self.terms)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.terms)

    def __str__(self) -> str:
        return " + ".join(map(str, self.terms))

    __repr__ = __str__


def term(piece: Piece, *, at: str = "", where: str = "") -> Sum:
    """A sum of one term, to be added to others and multiplied by a weight.

    Args:
        piece: the name of one of `OBJECTIVES` or `PENALTIES`, or a function of your own: of
            `(embedding, target)`, each `[B, …]`, or for a penalty of `(images,)`; to one number
            for each example, `[B]`, that depends on no other example.
        at: the layer of several that it is of.
        where: the part of it, as NumPy's index of one example: "...,0:16" for channels, "4:12,4:12"
            for a region.

    Raises:
        ValueError: for a `where` that is no index.
    """
    return Sum([Term(piece, at=at, where=_checked_where(where))])


def as_sum(given: Sum | Piece) -> Sum:
    """A sum from text, from a function, or as it is.

    Raises:
        ValueError: for text that is no sum.
    """
    if isinstance(given, Sum):
        return given
    return _parsed(given) if isinstance(given, str) else Sum([Term(given)])


def checked_sum(given: Sum | Piece, what: str, known: Mapping[str, Any]) -> Sum | str:
    """A sum whose pieces all exist: as text if they all have names, which JSON can hold.

    Args:
        given: what was asked for.
        what: what the sum is, for messages: "objective".
        known: pieces by name.

    Raises:
        ValueError: for text that is no sum, and names that do not exist.
    """
    asked = as_sum(given)
    for one in asked.terms:
        if isinstance(one.piece, str) and ":" in one.piece:
            function_of(one.piece, what)
        elif isinstance(one.piece, str):
            one_of(what, one.piece, known)
    named = all(isinstance(one.piece, str) for one in asked.terms)
    return str(asked) if named else asked


@cache
def function_of(reference: str, what: str) -> Callable[..., Any]:
    """The function of a piece that is written `package.module:function`."""
    return function_at(reference, what, "give a name that exists, or package.module:function")


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TERM = re.compile(
    rf"(?:(?P<before>{_NUMBER})\s*\*\s*)?(?P<piece>[A-Za-z_][\w.]*(?::[A-Za-z_]\w*)?)"
    rf"(?:\[(?P<where>[^\]]+)\])?(?::(?P<behind>{_NUMBER}))?(?:@(?P<at>\S+))?"
)
_PLUS = re.compile(r"(?<![\d.][eE])\+")


def _parsed(text: str) -> Sum:
    terms = []
    for part in _PLUS.split(text):
        match = _TERM.fullmatch(part.strip())
        if match is None:
            raise ValueError(
                f"{part.strip()!r} of {text!r} is no term; write name, 0.5*name, name:0.5,"
                " name@layer or name[part], and + between them"
            )
        weight = float(match["before"] or 1) * float(match["behind"] or 1)
        where = _checked_where(match["where"] or "")
        terms.append(Term(match["piece"], weight, match["at"] or "", where))
    return Sum(terms)


_AXIS = re.compile(r"\.\.\.|-?\d+|(?:-?\d+)?:(?:-?\d+)?")


def _checked_where(text: str) -> str:
    where = "".join(text.split())
    fits = not where or all(map(_AXIS.fullmatch, where.split(",")))
    require(fits, "a part", f"[{text}]", "an index such as [...,0:16], of channels, or [4:12,4:12]")
    return where


def _axis(text: str) -> Any:
    """The index of one axis; a number keeps its axis."""
    if text == "...":
        return ...
    if ":" in text:
        return slice(*(int(end) if end else None for end in text.split(":")))
    first = int(text)
    return slice(first, first + 1 or None)


def _shortest(value: float) -> str:
    text = f"{value:g}"
    return text if float(text) == value else repr(value)
