"""The paper's claims C1 to C16: what each says, what would count, and one verdict for each.

Runs give findings: a statistic at one place, with its interval and rule (`depthjax.statistics`).
Here is fixed, before any run, which of them a claim rests on and how they are put together:

- A claim says one thing or several (its parts), and a part says it of one place or several. It is
  *supported* if every part is, at every place: no correction is due, since all must hold together.
- It is *not supported* if a part is contradicted. One of many intervals lies beside the bound by
  chance, each in 2.5 % of cases where the claim holds as narrowly as can be. So a part counts as
  contradicted if at least so many of its places are as chance gives in fewer than 5 % of cases: one
  of up to two places, two of up to fourteen, and so on.
- Otherwise it is *undecided at this scale*: intervals that hold the bound, places that no descent
  reached, parts that nobody has measured.
- Without any finding it was *not run*.

Controls and contrasts (`C15, contrast`; a network called `control`) have no vote.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, isnan
from typing import Any

from depthjax.statistics import Finding

SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_RUN = (
    "supported",
    "not supported",
    "undecided at this scale",
    "not run",
)
VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_RUN)
DECIDED = (SUPPORTED, NOT_SUPPORTED)

BY_CHANCE = 0.05
"""Contradicted places that chance gives more often than this do not contradict a part."""


@dataclass(frozen=True)
class Part:
    """One of the things that a claim says, and the findings that it is judged by.

    Fields:
        says: in words.
        statistic, where, rule: regular expressions that must be found in those of a finding.
        deepest: of each network only its deepest layer; findings come shallow to deep.
        votes: whether it is part of the claim, or told beside it.
    """

    says: str
    statistic: str = ""
    where: str = ""
    rule: str = ""
    deepest: bool = False
    votes: bool = True

    def of(self, findings: Iterable[Finding]) -> list[Finding]:
        """Its findings among those of its claim."""
        found = [
            one
            for one in findings
            if re.search(self.statistic, one.statistic)
            and re.search(self.where, one.where)
            and re.search(self.rule, one.rule)
        ]
        if not self.deepest or not found:
            return found
        last = {_network(one): _layer(one) for one in found}
        return [one for one in found if _layer(one) == last[_network(one)]]


@dataclass(frozen=True)
class Claim:
    """What the paper says, in our words.

    Fields:
        id: as in `Finding.claim`.
        sentence: what it says.
        statistic: what is computed, and when that counts as support.
        parts: what must hold.
        paper: the number that the paper gives, if it gives one.
    """

    id: str
    sentence: str
    statistic: str
    parts: tuple[Part, ...]
    paper: str = ""


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
    """

    claim: Claim
    verdict: str
    reason: str
    parts: tuple[PartVerdict, ...]
    decisive: Finding | None

    def record(self) -> dict[str, Any]:
        """As JSON takes it."""
        decisive = self.decisive
        return {
            "claim": self.claim.id,
            "sentence": self.claim.sentence,
            "rule": self.claim.statistic,
            "paper": self.claim.paper,
            "verdict": self.verdict,
            "reason": self.reason,
            "decisive": None if decisive is None else _record(decisive),
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
    """A verdict for each claim, in the paper's order.

    Args:
        findings: of all runs, each run's in the order that it gave them.
    """
    return [judge_claim(claim, findings) for claim in CLAIMS.values()]


def judge_claim(claim: Claim, findings: Sequence[Finding]) -> Judgement:
    """The verdict on one claim; see the head of this module for the rule.

    Args:
        claim: one of `CLAIMS`, or another.
        findings: of any claims; those of others are left out.
    """
    own = [one for one in findings if one.claim == claim.id and has_vote(one)]
    parts = tuple(_judge_part(part, own) for part in claim.parts)
    voting = tuple(part for part in parts if part.part.votes)
    verdicts = [part.verdict for part in voting]
    if "contradicted" in verdicts:
        verdict = NOT_SUPPORTED
    elif verdicts and set(verdicts) == {"supported"}:
        verdict = SUPPORTED
    else:
        verdict = NOT_RUN if not own else UNDECIDED
    return Judgement(claim, verdict, _reason(parts), parts, _decisive(verdict, voting))


def has_vote(finding: Finding) -> bool:
    """Controls and contrasts say what chance or another case does, not what the claim says."""
    return "," not in finding.claim and not _network(finding).startswith("control")


def smallest_effect(finding: Finding) -> float:
    """How far from its bound a statistic had to be for this run to decide in the claim's favour.

    The reach of the interval from the estimate towards the bound, in the statistic's own unit: an
    estimate so far on the right side of the bound, with the same spread, would have been support.
    """
    estimate, low, high = finding.interval[:3]
    relation = finding.rule.split()[0]
    if relation.startswith(">"):
        return float(estimate - low)
    if relation.startswith("<"):
        return float(high - estimate)
    return float(max(estimate - low, high - estimate))


def contradictions_needed(places: int) -> int:
    """How many of so many places must be contradicted for more than chance (`BY_CHANCE`)."""
    for count in range(1, places + 1):
        tail = sum(
            comb(places, k) * 0.025**k * 0.975 ** (places - k) for k in range(count, places + 1)
        )
        if tail < BY_CHANCE:
            return count
    return max(places, 1)


def _judge_part(part: Part, findings: Sequence[Finding]) -> PartVerdict:
    found = tuple(part.of(findings))
    verdicts = [one.verdict for one in found]
    if not found:
        verdict = "not measured"
    elif verdicts.count("contradicted") >= contradictions_needed(len(found)):
        verdict = "contradicted"
    else:
        verdict = "supported" if set(verdicts) == {"supported"} else "open"
    return PartVerdict(part, found, verdict)


def _reason(parts: Sequence[PartVerdict]) -> str:
    """`the embedding is matched: supported at 2 of 2 places; …`."""
    told = []
    for part in parts:
        count = len(part.findings)
        same = sum(one.verdict == part.verdict for one in part.findings)
        if part.verdict == "open":
            same = sum(one.verdict == "supported" for one in part.findings)
            told.append(f"{part.part.says}: open, supported at {same} of {count}")
        elif count:
            told.append(f"{part.part.says}: {part.verdict} at {same} of {count}")
        else:
            told.append(f"{part.part.says}: not measured")
        if not part.part.votes:
            told[-1] += " (no part of the claim)"
    return "; ".join(told)


def _decisive(verdict: str, parts: Sequence[PartVerdict]) -> Finding | None:
    if verdict == NOT_RUN:
        return None
    wanted = {NOT_SUPPORTED: "contradicted", SUPPORTED: "supported", UNDECIDED: "open"}[verdict]
    among = [one for part in parts if part.verdict == wanted for one in part.findings]
    if verdict == NOT_SUPPORTED:
        among = [one for one in among if one.verdict == wanted]
    if not among:  # a part that nobody measured keeps the claim open
        return None
    return min(among, key=_margin)


def _margin(finding: Finding) -> float:
    """How far the estimate lies on the claim's side of the bound, in reaches of the interval."""
    estimate, reach = finding.interval.estimate, smallest_effect(finding)
    if isnan(estimate) or isnan(reach):
        return -1e9 if finding.verdict == "not reached" else 0.0
    relation, *bounds = finding.rule.split()
    distance = {
        ">": lambda: estimate - float(bounds[0]),
        "<": lambda: float(bounds[0]) - estimate,
    }.get(relation[0], lambda: min(estimate - float(bounds[0]), float(bounds[-1]) - estimate))()
    if reach <= 0:  # every seed and image says the same
        return 1e9 if distance >= 0 else -1e9
    return float(distance) / reach


def _record(finding: Finding) -> dict[str, Any]:
    effect = smallest_effect(finding)
    return {**finding.record(), "smallest_effect": None if isnan(effect) else effect}


def _network(finding: Finding) -> str:
    return finding.where.split(",")[0]


def _layer(finding: Finding) -> str:
    """The second word of `photos, layer4, uniform noise`."""
    return [*finding.where.split(", "), ""][1]


CONVERGED = "conjugate gradients"
CLAIMS = {
    claim.id: claim
    for claim in (
        Claim(
            "C1",
            "In an untrained ResNet, the deeper the layer, the worse the recovered input.",
            "slope of log D at ρ = 0.1 on the block index, within stages and over them; > 0",
            (
                Part("worse within stages, at equal dimensions", where="within stages$"),
                Part("worse over stages", where="over stages$"),
            ),
        ),
        Claim(
            "C2",
            "That is no failure of the optimiser: deep layers match the embedding and still miss"
            " the image, more so in deeper networks.",
            "at the end of the last stage: ρ <= 0.3; D over that of the flat mean colour > 1;"
            " D of a deeper minus that of a shallower network > 0, both at ρ = 0.3",
            (
                Part("the embedding is matched", statistic="^ρ of"),
                Part("the image is missed", statistic="flat mean colour"),
                Part("more so in deeper networks", statistic="deeper − shallower"),
            ),
        ),
        Claim(
            "C3",
            "Matching a deep layer's embedding better does not bring the image back.",
            "elasticity d log D / d log ρ, ρ from 0.03 to 0.3, at the end of the last stage;"
            " < 0.05",
            (Part("D does not follow ρ", statistic="elasticity"),),
        ),
        Claim(
            "C4",
            "A linear MLP narrower than its input cannot be inverted, not even in one layer; a"
            " wider one can.",
            "by a descent that converges (conjugate gradients): final m_i over the null space's"
            " part of the start within 0.99 to 1.01 where narrow; m_i <= 0.1, scaled to 2523"
            " inputs, where wide",
            (
                Part("narrow: what the null space holds is never recovered", "P_N", CONVERGED),
                Part("wide: recovered", "^final m_i(?! /)", CONVERGED),
                # It needs up to 200,000 steps: cut off before, it says nothing of the network.
                Part("by the paper's descent", where="paper's descent", votes=False),
            ),
            "2523 inputs: width 2000 stalls; width 3000 reaches m_i ≈ 0.1 by 2·10⁵ steps",
        ),
        Claim(
            "C5",
            "MLPs that are wide enough everywhere still get worse with depth at a fixed number of"
            " steps, and recover with more.",
            "slope of log steps to D = 1 on depth, at the rate 1/σ₁², > 0, and all get there",
            (
                Part("the deeper the slower", statistic="^slope of log steps"),
                Part("all get there", statistic="^share that reaches"),
            ),
            "500 steps do not recover, 10,000 do",
        ),
        Claim(
            "C6",
            "In an invertible network, exact pre-images of a slightly perturbed embedding lie far"
            " from the input and outside [0, 1]; what gradient descent finds lies closer.",
            "as the paper's text has it (four layers, noise of 1/1000): median distance over"
            " σ‖J⁻¹‖_F within 0.5 to 2; share outside [0, 1] > 0.99; median distance over the m_i"
            " of gradient descent > 1",
            (
                Part("as far as the singular values say", statistic="σ‖J⁻¹‖", where="text"),
                Part("outside [0, 1]", statistic="outside", where="text"),
                Part("farther than gradient descent", statistic="gradient descent", where="text"),
                # Three matrices and noise of 1e-7: the paper describes the other.
                Part("in the reading of the author's code", where="code", votes=False),
            ),
            "median above 40,000; gradient descent 2.84 with m_g = 0.52 after 220 steps",
        ),
        Claim(
            "C7",
            "ReLU about doubles the width that recovery takes.",
            "width at which half of the runs recover over the number of inputs; within 1.8 to 2.2",
            (Part("twice the width", statistic="half recover: D"),),
            "about 2",
        ),
        Claim(
            "C8",
            "Widening late layers makes recovery faster, though it adds no information.",
            "steps of the widened network over those of its base, paired; < 1",
            (Part("fewer steps", statistic="^steps to D = 1"),),
        ),
        Claim(
            "C9",
            "The first convolution keeps everything; pooling breaks that.",
            "smallest singular value at conv1 > 0; distinct active inputs over all inputs >= 1"
            " before the pooling and < 1 after it",
            (
                Part("conv1 is injective", statistic="σ_min|smallest singular"),
                Part("enough is active before pooling", rule="^>=|^> 1|^>= 1"),
                Part("too little after it", rule="^<"),
            ),
            "268,203 inputs, over a million outputs at conv1",
        ),
        Claim(
            "C10",
            "Training does not remove non-uniqueness; after a fixed number of steps without blur"
            " it brings the embedding nearer.",
            "elasticity of trained networks at the last layer < 0.05; ρ and m_g/‖O(a)‖ below the"
            " untrained network's at every layer",
            (
                Part("D does not follow ρ at the last layer", statistic="elasticity", deepest=True),
                Part("ρ is lower", statistic="^log ρ"),
                Part("m_g/‖O(a)‖ is lower", statistic="^log m_g"),
            ),
        ),
        Claim(
            "C11",
            "Training on photographs makes early and middle representations clearer, late ones"
            " not.",
            "SSIM at ρ = 0.1, trained − untrained: > 0 at early and middle layers, <= 0 at late",
            (
                Part("early and middle layers are clearer", rule="^> 0"),
                Part("late layers are not", rule="^<= 0"),
            ),
        ),
        Claim(
            "C12",
            "Late layers of trained networks add to an image what their training suggests.",
            "log-odds of the top class by a third network, trained − untrained, at the last layer,"
            " converging and by the paper's recipe; > 0",
            (Part("class evidence is added", statistic="log-odds", deepest=True),),
        ),
        Claim(
            "C13",
            "Trained on noise, a network's deep layers are not matched with blur but are without,"
            " give back images like that noise, and early layers are no clearer.",
            "from the third stage: log ρ > 0 with blur, < 0 without; spectral distance to the"
            " training noise below the untrained network's; early layers: SSIM − untrained <= 0",
            (
                Part("ρ > 1 with blur", statistic="^log ρ.* with blur", where=r"layer[2-9]"),
                Part("ρ < 1 without", statistic="^log ρ.* without blur", where=r"layer[2-9]"),
                Part("images like the training noise", statistic="^spectral distance"),
                Part("early layers no clearer", statistic="^SSIM"),
            ),
            "m_g > m_r with blur, m_g < m_r without",
        ),
        Claim(
            "C14",
            "Arbitrary inputs are mapped to the manifold learned in training.",
            "k-NN distance of arbitrary inputs over that of held-out ones, trained over untrained,"
            " at the last layer, for every kind of input; < 1",
            (Part("arbitrary inputs come nearer", statistic="^neighbour", deepest=True),),
        ),
        Claim(
            "C15",
            "Filters of the last layers of a network trained on noise keep no structure.",
            "low-frequency energy of filters over that of untrained ones; < 1.1",
            (Part("no smoother than untrained filters"),),
        ),
        Claim(
            "C16",
            "Composed layers contract some directions far more than others, the deeper the more.",
            "slope of log(σ₁ / σ at half rank) per block, at fixed rank; > 0",
            (Part("the deeper, the farther apart"),),
        ),
    )
}
"""By id, in the paper's order; arXiv 2211.06496 has the author's words."""
