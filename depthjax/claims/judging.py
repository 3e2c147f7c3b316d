"""One verdict for each claim, from the findings of any number of runs.

A claim has parts, and a part is measured at one place or several. Then:

- A claim is *supported* if every part is, at every place: no correction is due, since all must
  hold together.
- It is *not supported* if a part is contradicted. Even where a part holds as narrowly as can be,
  each interval lies beyond the bound by chance in 2.5 % of cases. So a part counts as contradicted
  only if chance gives so many contradicted places in fewer than 5 % of cases: one of up to two
  places, two of up to fourteen, and so on.
- Otherwise it is *undecided at this scale*: an interval holds the bound, no descent reached a
  place, or nobody measured a part.
- Without any finding it was *not run*.

Contrasts and controls have no vote (`Finding.votes`). A finding of no part, or of a part that the
claim does not have, decides nothing.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb, isnan
from typing import Any

from depthjax.claims.findings import Finding, load_findings
from depthjax.claims.paper import CLAIMS, Claim, Part

SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_RUN = (
    "supported",
    "not supported",
    "undecided at this scale",
    "not run",
)
VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_RUN)

WORDS = {
    "supported": SUPPORTED,
    "contradicted": NOT_SUPPORTED,
    "open": UNDECIDED,
    "not reached": UNDECIDED,
}
"""What the verdict of a single finding would be of a claim."""

RULE = (
    "A claim is supported if every part of it is, at every place; not supported if more places of"
    " a part contradict it than chance gives; and undecided at this scale otherwise: where an"
    " interval holds the bound, or no descent came near enough. Controls and contrasts are listed"
    " but have no vote. Intervals are 95\u00a0% bootstrap intervals over weight seeds × images."
)
"""The rule above in short, for readers of a page."""

BY_CHANCE = 0.05
"""Contradicted places that chance gives more often than this do not contradict a part."""


@dataclass(frozen=True)
class PartVerdict:
    """What the findings say of a part: `supported`, `contradicted`, `open` or `not measured`."""

    part: Part
    findings: tuple[Finding, ...]
    verdict: str


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, and what it rests on.

    Fields:
        claim: the claim.
        verdict: one of `VERDICTS`.
        reason: in words, part by part.
        parts: their verdicts.
        decisive: the finding that decided: the clearest contradiction, the weakest support, or the
            one farthest from a decision; None if there is none.
        counts: how many findings with a vote say what, in the order of `WORDS`; those of no part,
            too.
    """

    claim: Claim
    verdict: str
    reason: str
    parts: tuple[PartVerdict, ...]
    decisive: Finding | None
    counts: Mapping[str, int] = field(hash=False)

    def record(self) -> dict[str, Any]:
        """The judgement as JSON takes it."""
        return {
            "claim": self.claim.id,
            "sentence": self.claim.sentence,
            "rule": self.claim.statistic,
            "paper": self.claim.paper,
            "verdict": self.verdict,
            "reason": self.reason,
            "decisive": None if self.decisive is None else _record(self.decisive),
            "parts": [
                {
                    "says": part.part.says,
                    "verdict": part.verdict,
                    "findings": [_record(finding) for finding in part.findings],
                }
                for part in self.parts
            ],
        }


def judge(findings: Sequence[Finding]) -> list[Judgement]:
    """Judges every claim of the paper, in the paper's order.

    Args:
        findings: of all runs.
    """
    return [judge_claim(claim, findings) for claim in CLAIMS.values()]


def judge_folders(folders: Iterable[str | os.PathLike[str]]) -> list[Judgement]:
    """Judges every claim again by the findings that runs have stored; nothing is measured.

    Args:
        folders: of results, each with a `findings.json`.

    Raises:
        ValueError: if a folder has no findings, or they cannot be read.
    """
    return judge([finding for folder in folders for finding in load_findings(folder)])


def judge_claim(claim: Claim, findings: Sequence[Finding]) -> Judgement:
    """Judges one claim by the rule at the head of this module.

    Args:
        claim: one of `CLAIMS`, or another.
        findings: of any claims; those of others are left out.
    """
    own = [finding for finding in findings if finding.claim == claim.id and finding.votes]
    parts = tuple(_judge_part(name, part, own) for name, part in claim.parts.items())
    voting = [part for part in parts if part.part.votes]
    verdicts = [part.verdict for part in voting]
    if "contradicted" in verdicts:
        verdict = NOT_SUPPORTED
    elif verdicts and set(verdicts) == {"supported"}:
        verdict = SUPPORTED
    else:
        verdict = UNDECIDED if own else NOT_RUN
    counted = Counter(WORDS[finding.verdict] for finding in own)
    counts = {word: counted[word] for word in dict.fromkeys(WORDS.values()) if counted[word]}
    return Judgement(claim, verdict, _reason(parts), parts, _decisive(verdict, voting), counts)


def smallest_effect(finding: Finding) -> float:
    """How far within its bound a statistic had to be for this run to call it support."""
    return finding.bound.reach(finding.interval)


def contradictions_needed(places: int) -> int:
    """How many of so many places must be contradicted for more than chance (`BY_CHANCE`)."""
    for count in range(1, places + 1):
        tail = sum(
            comb(places, k) * 0.025**k * 0.975 ** (places - k) for k in range(count, places + 1)
        )
        if tail < BY_CHANCE:
            return count
    return max(places, 1)


def _judge_part(name: str, part: Part, findings: Sequence[Finding]) -> PartVerdict:
    own = tuple(finding for finding in findings if finding.part == name)
    verdicts = [finding.verdict for finding in own]
    if not own:
        verdict = "not measured"
    elif verdicts.count("contradicted") >= contradictions_needed(len(own)):
        verdict = "contradicted"
    else:
        verdict = "supported" if set(verdicts) == {"supported"} else "open"
    return PartVerdict(part, own, verdict)


def _reason(parts: Sequence[PartVerdict]) -> str:
    """`the embedding is matched: supported at 2 of 2; …`."""
    sentences = []
    for part in parts:
        count = len(part.findings)
        counted = "supported" if part.verdict == "open" else part.verdict
        same = sum(finding.verdict == counted for finding in part.findings)
        sentence = f"{part.part.says}: {part.verdict}"
        if part.verdict == "open":
            sentence += f", supported at {same} of {count}"
        elif count:
            sentence += f" at {same} of {count}"
        sentences.append(sentence + ("" if part.part.votes else " (no part of the claim)"))
    return "; ".join(sentences)


def _decisive(verdict: str, parts: Sequence[PartVerdict]) -> Finding | None:
    if verdict == NOT_RUN:
        return None
    wanted = {NOT_SUPPORTED: "contradicted", SUPPORTED: "supported", UNDECIDED: "open"}[verdict]
    among = [finding for part in parts if part.verdict == wanted for finding in part.findings]
    if verdict == NOT_SUPPORTED:
        among = [finding for finding in among if finding.verdict == wanted]
    # None where only a part that nobody measured keeps the claim open.
    return min(among, key=_margin, default=None)


def _margin(finding: Finding) -> float:
    """How far the estimate lies on the claim's side of the bound, in reaches of the interval."""
    estimate, reach = finding.interval.estimate, smallest_effect(finding)
    if isnan(estimate) or isnan(reach):
        return -1e9 if finding.verdict == "not reached" else 0.0
    distance = finding.bound.margin(estimate)
    if reach <= 0:  # every seed and image says the same
        return 1e9 if distance >= 0 else -1e9
    return float(distance) / reach


def _record(finding: Finding) -> dict[str, Any]:
    effect = smallest_effect(finding)
    return {**finding.record(), "smallest_effect": None if isnan(effect) else effect}
