"""The paper's claims in a sentence each, and what all findings together say of one."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from depthjax.statistics import Finding

CLAIMS = {
    "C1": "In an untrained ResNet, the deeper the layer, the worse the recovered input.",
    "C2": "Deep layers match the embedding and still miss the image: the optimiser has not failed.",
    "C3": "Matching a deep layer's embedding better does not bring the image back.",
    "C4": "A linear MLP with a layer narrower than its input cannot be inverted; a wider one can.",
    "C5": "MLPs wide enough everywhere get worse with depth, and recover with more steps.",
    "C6": "In an invertible network, exact pre-images of a perturbed embedding lie far away, and"
    " what gradient descent finds lies far closer.",
    "C7": "ReLU about doubles the width that recovery takes.",
    "C8": "Widening late layers makes recovery faster, though it adds no information.",
    "C9": "The first convolution keeps everything; pooling is what breaks that.",
    "C10": "Training does not remove non-uniqueness; after a fixed number of steps it brings the"
    " embedding nearer.",
    "C11": "Training on photographs makes early and middle representations clearer, not late ones.",
    "C12": "Late layers of trained networks add to an image what their training suggests.",
    "C13": "Trained on noise, a network's deep layers give back images like that noise.",
    "C14": "Arbitrary inputs are mapped to the manifold learned in training.",
    "C15": "Filters of the last layers of a network trained on noise keep no structure.",
    "C16": "Composed layers contract some directions far more than others, the deeper the more.",
}
"""In our words; arXiv 2211.06496 has the author's."""

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN = (
    "supported",
    "not supported",
    "undecided at this scale",
    "not run",
)
WORDS = {
    "supported": SUPPORTED,
    "contradicted": REFUTED,
    "open": UNDECIDED,
    "not reached": UNDECIDED,
}
"""What a page calls the verdicts of `depthjax.statistics.Finding`."""

RULE = (
    "A claim is supported if every finding about it is, not supported if any finding contradicts"
    " it, and undecided at this scale otherwise: where an interval holds the bound, or no descent"
    " came near enough. Controls and contrasts are listed but have no vote. Intervals are 95\u00a0%"
    " bootstrap intervals over weight seeds × images, of single findings: of many, some go astray"
    " by chance."
)


@dataclass(frozen=True)
class Judgement:
    """What all findings say of one claim.

    Fields:
        claim: such as `C11`.
        sentence: what it says.
        verdict: a word of `WORDS`, or `NOT_RUN`.
        counts: how many findings say what, in the order of `WORDS`.
    """

    claim: str
    sentence: str
    verdict: str
    counts: dict[str, int]


def claim_of(finding: Finding) -> str:
    """`C15` of `C15, contrast`."""
    return re.split(r"[^A-Za-z0-9]", finding.claim.strip(), maxsplit=1)[0]


def has_vote(finding: Finding) -> bool:
    """Controls and contrasts say what chance or another case does, not what the claim says."""
    aside = finding.claim.strip()[len(claim_of(finding)) :]
    return not any(
        word.startswith(("control", "contrast"))
        for word in re.findall(r"\w+", f"{aside} {finding.where.split(',')[0]}")
    )


def judgements(findings: Iterable[Finding], *, whole: bool = False) -> list[Judgement]:
    """A line for each claim, in the paper's order.

    Args:
        findings: of any number of runs.
        whole: list every claim of `CLAIMS`, also those without a finding.
    """
    votes: dict[str, list[str]] = {name: [] for name in CLAIMS} if whole else {}
    for finding in findings:
        verdicts = votes.setdefault(claim_of(finding), [])
        if has_vote(finding):
            verdicts.append(WORDS[finding.verdict])
    return [
        Judgement(name, CLAIMS.get(name, ""), _together(votes[name]), _counts(votes[name]))
        for name in sorted(votes, key=_paper_order)
    ]


def _together(verdicts: Sequence[str]) -> str:
    if not verdicts:
        return NOT_RUN
    if REFUTED in verdicts:
        return REFUTED
    return SUPPORTED if set(verdicts) == {SUPPORTED} else UNDECIDED


def _counts(verdicts: Sequence[str]) -> dict[str, int]:
    counted = Counter(verdicts)
    return {word: counted[word] for word in dict.fromkeys(WORDS.values()) if counted[word]}


def _paper_order(claim: str) -> tuple[int, str]:
    digits = re.search(r"\d+", claim)
    return (int(digits.group()) if digits else 1_000_000, claim)
