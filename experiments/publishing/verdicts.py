"""Verdicts in the page's words, with what is to be known of how they came about."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from depthjax.claims.judging import Judgement
from depthjax.claims.runs import StoredRun
from depthjax.claims.tables import verdict_text

AFTERWARDS = "by a run chosen afterwards"

_CHOSEN: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("C1", "C3"), "depth_resnet18_224_accurate")
)
"""Claims whose verdict hangs on which of two runs judges a place, and the run that does by a rule
that is younger than the results of both."""


def chosen_afterwards(judges: Mapping[str, Mapping[str, Sequence[StoredRun]]]) -> frozenset[str]:
    """The claims whose verdict is of a run that was chosen when its results were known.

    Args:
        judges: the runs that judge each part of a claim, by claim and part.
    """
    return frozenset(
        claim
        for claim, name in _CHOSEN.items()
        if any(run.name == name for runs in judges.get(claim, {}).values() for run in runs)
    )


def verdict_told(judged: Judgement, chosen: frozenset[str]) -> str:
    """A verdict in print; see `chosen_afterwards` for what was chosen."""
    words = verdict_text(judged.record())
    return f"{words}, {AFTERWARDS}" if judged.claim.id in chosen else words
