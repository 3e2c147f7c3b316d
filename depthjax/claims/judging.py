"""One verdict for each claim, from the findings of any number of runs.

A claim has parts. What was measured of a part at several places is one number, the mean over them
(`depthjax.claims.places`), with a 95 % interval over weight seeds and images
(`depthjax.statistics`). The part has a bound, and a smallest effect of interest beyond it:

- *supported* if the whole interval keeps the bound and reaches the smallest effect: there is an
  effect, and none of interest is excluded;
- *contradicted* if the whole interval lies short of the bound and the smallest effect: an effect of
  interest is excluded, also where a smaller one is certain;
- *open* otherwise, *not reached* where too little is known for an interval, *not found* where a
  search has found nothing, which is no contradiction.

A claim is *supported* if every part of it is: since all must hold together, no correction is due
within it. It is *not supported* if a part is contradicted, and *undecided at this scale* otherwise;
*not decidable at this scale* if that was announced, before the run, of a part that is undecided
(`depthjax.claims.power`). A claim that was announced so may still come out: the errors of a verdict
do not grow with low power.
Without any finding it was *not run*, and from findings that tell of no part, or have no cells, no
verdict follows. Over the claims that were run supports are corrected after Holm, at one-sided
2.5 %; which survive is said beside them.

Contrasts and controls have no vote (`Finding.votes`), and no single place has one. A verdict of
findings that are older than the claim or these rules is *exploratory* (`depthjax.claims.frozen`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isnan
from types import MappingProxyType
from typing import Any

from depthjax.claims.cells import Cells
from depthjax.claims.claim import Claim, Part
from depthjax.claims.findings import Finding
from depthjax.claims.paper import CLAIMS
from depthjax.claims.places import networks_apart, together
from depthjax.statistics import LEVEL
from depthjax.tables import interval_words

SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_DECIDABLE, NO_VERDICT, NOT_RUN = (
    "supported",
    "not supported",
    "undecided at this scale",
    "not decidable at this scale",
    "no verdict",
    "not run",
)
VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_DECIDABLE, NO_VERDICT, NOT_RUN)

WORDS = {
    "supported": SUPPORTED,
    "contradicted": NOT_SUPPORTED,
    "open": UNDECIDED,
    "not reached": UNDECIDED,
    "not found": UNDECIDED,
}
"""What the verdict of a single finding or part would be of a claim."""

RULE = (
    "Each part of a claim is one number, the mean over the places where it was measured, with a"
    " 95\u00a0% interval over weight seeds and photographs. A claim is supported if the interval of"
    " every part lies beyond its bound and does not exclude the smallest effect of interest; not"
    " supported if one of them excludes that effect; undecided at this scale otherwise. Rows of"
    " single places, controls and contrasts are to look at and have no vote."
)
"""The rule above in short, for readers of a page."""

TAIL = (1 - LEVEL) / 2
"""The one-sided error of a single claim, and of all of them after Holm's correction."""


@dataclass(frozen=True)
class PartVerdict:
    """What the findings say of a part.

    Fields:
        name: of the part, as in `Finding.part`.
        part: the part.
        findings: those of its places that have a vote together.
        whole: one finding of all places; None if nothing was measured.
    """

    name: str
    part: Part
    findings: tuple[Finding, ...]
    whole: Finding | None

    @cached_property
    def verdict(self) -> str:
        """A verdict of `Finding.judged`, or `not measured`."""
        return "not measured" if self.whole is None else self.whole.judged(self.part.effect)

    @cached_property
    def apart(self) -> dict[tuple[str, str], Finding]:
        """By run and network the numbers that contradict each other; empty if none do."""
        return networks_apart(self.findings)

    @property
    def p_value(self) -> float:
        """The one-sided p of the hypothesis that the bound is not kept; 1 without an interval."""
        found = 1.0 if self.whole is None else self.part.bound.p_value(self.whole.interval)
        return 1.0 if isnan(found) else found

    def record(self) -> dict[str, Any]:
        """The verdict as JSON takes it."""
        return {
            "name": self.name,
            "says": self.part.says,
            "verdict": self.verdict,
            "votes": self.part.votes,
            "effect": self.part.effect,
            "because": self.part.because,
            "p_value": self.p_value,
            "whole": None if self.whole is None else _record(self.whole),
            "findings": [finding.record() for finding in self.findings],
        }


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, and what it rests on.

    Fields:
        claim: the claim.
        verdict: one of `VERDICTS`.
        reason: in words, part by part.
        parts: their verdicts.
        decisive: the finding, of all places of a part, that decided: the clearest contradiction,
            the weakest support, or the one farthest from a decision; None if there is none.
        counts: how many parts say what, in the order of `WORDS`.
        survives: whether it is supported also after the correction over claims; None before it.
    """

    claim: Claim
    verdict: str
    reason: str
    parts: tuple[PartVerdict, ...]
    decisive: Finding | None
    counts: Mapping[str, int] = field(hash=False)
    survives: bool | None = None

    @property
    def plans(self) -> tuple[str, ...]:
        """The digests of the claim under which its findings were made (`Finding.plan`)."""
        plans = {finding.plan for part in self.parts for finding in part.findings}
        return tuple(sorted(plans - {""}))

    @property
    def exploratory(self) -> bool:
        """Whether some of what it rests on is older than the claim or its rules are."""
        return any(finding.exploratory for part in self.parts for finding in part.findings)

    @property
    def p_value(self) -> float:
        """The largest p of its parts: all must hold together (an intersection-union test)."""
        return max((part.p_value for part in self.parts if part.part.votes), default=1.0)

    def record(self) -> dict[str, Any]:
        """The judgement as JSON takes it."""
        return {
            "claim": self.claim.id,
            "sentence": self.claim.sentence,
            "rule": self.claim.statistic,
            "paper": self.claim.paper,
            "verdict": self.verdict,
            "reason": self.reason,
            "p_value": self.p_value,
            "survives": self.survives,
            "exploratory": self.exploratory,
            "plans": list(self.plans),
            "decisive": None if self.decisive is None else _record(self.decisive),
            "parts": [part.record() for part in self.parts],
        }


def judge(
    findings: Sequence[Finding],
    claims: Iterable[Claim] | None = None,
    *,
    weak: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[Judgement]:
    """Judges claims together, with the correction over those that were run.

    Args:
        findings: of all runs.
        claims: which; all of the paper, in its order, if not given.
        weak: by claim, the parts of which it was announced, before the runs, that they could hardly
            be decided (`depthjax.claims.power`). If one is not, the verdict says so.
    """
    chosen = CLAIMS.values() if claims is None else claims
    judged = [judge_claim(claim, findings) for claim in chosen]
    run = {one.claim.id: one.p_value for one in judged if one.verdict != NOT_RUN}
    kept = holm(run)
    told = [
        replace(one, verdict=NOT_DECIDABLE)
        if one.verdict == UNDECIDED and _open(one) & set(weak.get(one.claim.id, ()))
        else one
        for one in judged
    ]
    return [
        replace(one, survives=one.claim.id in kept if one.verdict == SUPPORTED else None)
        for one in told
    ]


def _open(judged: Judgement) -> set[str]:
    """The parts with a vote that are neither supported nor contradicted."""
    return {
        part.name
        for part in judged.parts
        if part.part.votes and part.verdict not in ("supported", "contradicted")
    }


def judge_claim(claim: Claim, findings: Sequence[Finding]) -> Judgement:
    """Judges one claim by the rule at the head of this module, without a correction over claims.

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
    elif set(verdicts) <= {"not measured"}:
        verdict = NO_VERDICT if own else NOT_RUN
    else:
        verdict = UNDECIDED
    counted = Counter(WORDS[part.verdict] for part in voting if part.whole is not None)
    counts = {word: counted[word] for word in dict.fromkeys(WORDS.values()) if counted[word]}
    return Judgement(claim, verdict, _reason(parts), parts, _decisive(verdict, voting), counts)


def holm(p_values: Mapping[str, float], level: float = TAIL) -> set[str]:
    """The names whose hypotheses are rejected with an error of `level` over all of them.

    Holm's step-down procedure: the k-th smallest of m numbers is compared with level/(m − k + 1),
    and with the first that fails all larger ones do.
    """
    kept: set[str] = set()
    for rank, name in enumerate(sorted(p_values, key=lambda one: p_values[one])):
        if p_values[name] > level / (len(p_values) - rank):
            break
        kept.add(name)
    return kept


def _judge_part(name: str, part: Part, findings: Sequence[Finding]) -> PartVerdict:
    own = tuple(
        finding
        for finding in findings
        if finding.part == name and isinstance(finding.measured, Cells)
    )
    whole = replace(together(own), bound=part.bound) if own else None
    return PartVerdict(name, part, own, whole)


def _reason(parts: Sequence[PartVerdict]) -> str:
    """`the embedding is matched: supported, 0.2 [0.1, 0.3] at 2 places; …`."""
    sentences = []
    for part in parts:
        sentence = f"{part.part.says}: {part.verdict}"
        if part.whole is not None:
            sentence += f", {interval_text(part.whole)}"
            if len(part.findings) > 1:
                sentence += f" over {len(part.findings)} places"
        sentences.append(sentence + ("" if part.part.votes else " (no part of the claim)"))
    return "; ".join(sentences)


def interval_text(finding: Finding) -> str:
    """`0.2 [0.1, 0.3]`: the estimate and its interval, as far as there are any."""
    return interval_words(*finding.interval[:3])


def _decisive(verdict: str, parts: Sequence[PartVerdict]) -> Finding | None:
    if verdict in (NOT_RUN, NO_VERDICT):
        return None
    wanted = {NOT_SUPPORTED: ("contradicted",), SUPPORTED: ("supported",)}
    among = [part for part in parts if part.verdict in wanted.get(verdict, tuple(_OPEN))]
    # None where only a part that nobody measured keeps the claim open.
    return min(among, key=_margin).whole if among else None


_OPEN = [word for word, told in WORDS.items() if told == UNDECIDED]


def _margin(verdict: PartVerdict) -> float:
    """How far the estimate lies within the bound, in half-widths of the interval."""
    assert verdict.whole is not None
    found = verdict.whole.interval
    if isnan(found.estimate) or isnan(found.low):
        return -1e9
    if found.high <= found.low:
        return 1e9 if verdict.verdict == "supported" else -1e9
    return verdict.part.bound.margin(found)


def _record(finding: Finding) -> dict[str, Any]:
    effect = finding.bound.detectable(finding.interval)
    return {**finding.record(), "detectable": None if isnan(effect) else effect}
