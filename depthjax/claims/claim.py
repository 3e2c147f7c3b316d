"""What a claim is: sentences, and parts with a bound and a smallest effect of interest each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from depthjax.claims.bound import Bound


@dataclass(frozen=True)
class Part:
    """One of the things that a claim says. Findings name it in `Finding.part`.

    All places where a part is measured make one number, their mean (`depthjax.claims.places`).

    Fields:
        says: in words.
        rule: where the number has to lie, as `Bound.parse` reads it.
        effect: how far within that bound it must lie to be of any interest, in its own unit: the
            smallest effect of interest. 0 where every step beyond the bound is one.
        because: why so much.
        votes: whether the claim needs it. Other parts are judged and shown beside the claim.
    """

    says: str
    rule: str
    effect: float | int
    because: str
    votes: bool = True

    @property
    def bound(self) -> Bound:
        """The rule as a bound."""
        return Bound.parse(self.rule)


@dataclass(frozen=True)
class Claim:
    """What the paper says, in our words.

    Fields:
        id: as in `Finding.claim`.
        sentence: what it says.
        statistic: what is computed, and when that counts as support.
        parts: what must hold, by name.
        paper: the number that the paper gives, if it gives one.
    """

    id: str
    sentence: str
    statistic: str
    parts: Mapping[str, Part] = field(hash=False)
    paper: str = ""
