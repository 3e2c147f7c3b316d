"""What all findings on a page say of each claim, counted and judged."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from depthjax.claims.paper import (
    CLAIMS,
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    has_vote,
    judge_claim,
)
from depthjax.statistics import Finding

WORDS = {
    "supported": SUPPORTED,
    "contradicted": NOT_SUPPORTED,
    "open": UNDECIDED,
    "not reached": UNDECIDED,
}
"""What a page calls the verdicts of `depthjax.statistics.Finding`."""

RULE = (
    "A claim is supported if every part of it is, at every place; not supported if more places of"
    " a part contradict it than chance gives; and undecided at this scale otherwise: where an"
    " interval holds the bound, or no descent came near enough. Controls and contrasts are listed"
    " but have no vote. Intervals are 95\u00a0% bootstrap intervals over weight seeds × images."
)


@dataclass(frozen=True)
class Judgement:
    """What all findings say of one claim.

    Fields:
        claim: such as `C11`.
        sentence: what it says.
        verdict: one of `depthjax.claims.paper.VERDICTS`.
        counts: how many findings say what, in the order of `WORDS`.
    """

    claim: str
    sentence: str
    verdict: str
    counts: dict[str, int]


def claim_of(finding: Finding) -> str:
    """`C15` of `C15, contrast`."""
    return re.split(r"[^A-Za-z0-9]", finding.claim.strip(), maxsplit=1)[0]


def judgements(findings: Iterable[Finding], *, whole: bool = False) -> list[Judgement]:
    """A line for each claim, in the paper's order; then what is no claim of the paper.

    Args:
        findings: of any number of runs.
        whole: list every claim of `depthjax.claims.paper.CLAIMS`, also those without a finding.
    """
    votes: dict[str, list[Finding]] = {name: [] for name in CLAIMS} if whole else {}
    for finding in findings:
        own = votes.setdefault(claim_of(finding), [])
        if has_vote(finding):
            own.append(finding)
    return [_judged(name, votes[name]) for name in sorted(votes, key=_paper_order)]


def _judged(name: str, findings: Sequence[Finding]) -> Judgement:
    verdicts = [WORDS[one.verdict] for one in findings]
    counted = Counter(verdicts)
    counts = {word: counted[word] for word in dict.fromkeys(WORDS.values()) if counted[word]}
    if name in CLAIMS:
        claim = CLAIMS[name]
        return Judgement(name, claim.sentence, judge_claim(claim, findings).verdict, counts)
    return Judgement(name, "", _together(verdicts), counts)


def _together(verdicts: Sequence[str]) -> str:
    if not verdicts:
        return NOT_RUN
    if NOT_SUPPORTED in verdicts:
        return NOT_SUPPORTED
    return SUPPORTED if set(verdicts) == {SUPPORTED} else UNDECIDED


def _paper_order(claim: str) -> tuple[int, str]:
    digits = re.search(r"\d+", claim)
    return (int(digits.group()) if digits else 1_000_000, claim)
