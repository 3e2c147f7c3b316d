"""The plan as data: a digest of each claim, of the rules that judge it, and of flag files.

A run writes the digests into its config before it starts. Where a claim's digest is another one
today, what the run found is *exploratory*: the claim, a bound, an effect or a rule was settled
after it.

What is digested is data, not source: the claims' fields, and the rules' own answers to fixed
questions, so that other words, comments or names change nothing, and another rule does.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from depthjax.claims.beside import BESIDE
from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.claim import Claim, Part
from depthjax.claims.findings import Finding
from depthjax.claims.judging import holm, judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.statistics import Fixed, interval


def plan() -> dict[str, str]:
    """The digest of every claim, by its id: what a run writes into its config as `plan`."""
    return {name: digest(claim) for name, claim in {**CLAIMS, **BESIDE}.items()}


@cache
def digest(claim: Claim) -> str:
    """Twelve hexadecimal digits of a claim, its parts and bounds, and of the rules."""
    return digest_of([asdict(claim), rules()])


def digest_of(content: Any) -> str:
    """Twelve hexadecimal digits of data that JSON takes; the order of names does not count."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def rules() -> str:
    """The digest of what statistics and judging answer to fixed questions."""
    tables = list(_tables())
    fixed: tuple[Fixed, ...] = ("", "seeds", "images", "exact")
    intervals = [
        _numbers(interval(table, fixed=kind, logarithmic=logarithmic))
        for table, kind, logarithmic in product(tables, fixed, (False, True))
    ]
    verdicts = [
        [judged.verdict, *(part.verdict for part in judged.parts), *_numbers([judged.p_value])]
        for rule, effect in _RULES.items()
        for judged in (judge_claim(_claim(rule, effect), found) for found in _findings(tables))
    ]
    detectable = [_numbers([Bound.parse(rule).detectable(interval(tables[0]))]) for rule in _RULES]
    chances = dict(zip("abcdefghij", [0.001, 0.0026, 0.003, 0.004, *[0.5] * 6], strict=True))
    return digest_of([intervals, verdicts, detectable, sorted(holm(chances))])


_RULES = {"> 0.5": 0.3, "<= 0.5": 0.0, "within 0.1 0.9": 0.3}
"""With the smallest effect of each."""


def _claim(rule: str, effect: float) -> Claim:
    parts = {
        "a": Part("", rule, effect, ""),
        "b": Part("", "> -9", 0, ""),
        "c": Part("", "> 9", 0, "", votes=False),
    }
    return Claim("X", "", "", parts)


def _tables() -> Iterable[np.ndarray]:
    """Tables of every kind that a rule tells apart: their sizes, and what of them is known."""
    for seeds, images in ((3, 3), (4, 5), (2, 3), (3, 2), (1, 4), (4, 1)):
        yield np.sin(np.arange(1.0, seeds * images + 1) ** 2).reshape(seeds, images)
    for missing in (4, 5):  # of twenty-four: more, and less, than four fifths are known
        table = np.cos(np.arange(1.0, 25) ** 2).reshape(4, 6)
        table.ravel()[:missing] = np.nan
        yield table
    yield np.ones((3, 4))


def _findings(tables: list[np.ndarray]) -> Iterable[list[Finding]]:
    """What a claim can be judged by: wide and narrow numbers, of one place and of several."""

    def of(
        part: str, middle: float | int, width: float | int, table: np.ndarray, **more: Any
    ) -> Finding:
        kind = {name: more.pop(name) for name in ("fixed", "logarithmic") if name in more}
        cells = Cells.of(middle + width * table, **kind)
        return Finding(
            claim="X", part=part, quantity="", bound=Bound.above(0), measured=cells, **more
        )

    rest = [of("b", 0, 1, tables[0]), of("c", 0, 1, tables[0])]
    for middle, width in ((-3.0, 0.02), (0.3, 0.02), (0.6, 0.02), (1.5, 1.0)):
        for kind in ({}, {"search": True}, {"fixed": "exact"}, {"aside": "control"}):
            yield [of("a", middle, width, tables[0], **kind), *rest]
        yield [of("a", middle, width, table) for table in (tables[1], tables[1] ** 2)] + rest
        yield [of("a", middle, width, table) for table in tables[:2]] + rest
        yield [of("a", middle, width, table) for table in tables[6:8]] + rest
        yield [of("a", middle, width, tables[1])]


def _numbers(values: Iterable[float | int]) -> list[str]:
    """To five digits, which are the same on every machine."""
    return [f"{float(value):.5g}" for value in values]
