"""Claims C10 to C13, by differences between networks of the same seed, image by image."""

from collections.abc import Collection, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Aside, Finding
from depthjax.claims.paper import bound_of
from depthjax.claims.training import CONTROLS
from depthjax.studies.comparison.numbers import IN_CLASS, Comparison
from depthjax.studies.comparison.setting import BLURRED, NOISE, PHOTOS, PLAIN, UNTRAINED
from depthjax.studies.descents import CONVERGING
from depthjax.studies.networks import ONE_NETWORK, fixed_in


def findings(
    comparison: Comparison, single: Collection[str] = (), *, judge_shares_classes: bool = True
) -> list[Finding]:
    """What the numbers say of claims C10 to C13, as far as their networks were compared.

    Where a descent did not reach a matched distance, its values do not exist: nothing is put in
    their place, since what an image would show there is not known, only that the case is hard. The
    finding says of how many values it is, and from less than four fifths no verdict follows.

    Args:
        comparison: the numbers.
        single: labels of networks that are one trained network; see
            `depthjax.studies.networks.single_networks`.
        judge_shares_classes: whether the networks were trained on the classes that the judge reads.
            If not, what it reads says nothing of what their training adds, and C12 is not judged.
    """
    there = set(comparison.networks)
    found: list[_Question] = []
    for network in (PHOTOS, NOISE):
        if network in there:
            found += _still_not_unique(comparison, network)
    if PHOTOS in there:
        found += _nearer_when_trained(comparison)
        found += _clearer_when_trained(comparison)
        found += _class_evidence_added(comparison, "" if judge_shares_classes else "contrast")
    if NOISE in there:
        found += _trained_on_noise(comparison)
    return [question.answer(single) for question in found]


class _Question(NamedTuple):
    """A finding before its interval is computed; `values` is `[S, B]`, NaN where there is none."""

    claim: str
    part: str
    network: str
    layer: str
    quantity: str
    values: np.ndarray
    against: str = ""  # the network whose values were taken off
    diverged: str = ""
    aside: Aside = ""
    counts: bool = True  # or it is a number of another place than the part's

    def answer(self, single: Collection[str]) -> Finding:
        """The finding; one trained network is fixed, and less another one its difference is."""
        fixed = self.network in single and (not self.against or self.against in single)
        return Finding(
            claim=self.claim,
            part=self.part if self.counts and not self.aside else "",
            network=self.network,
            layer=self.layer,
            note=ONE_NETWORK if self.network in single else "",
            quantity=self.quantity,
            detail=f"{self.network} − {self.against}{self.diverged}" if self.against else "",
            bound=bound_of(self.claim, self.part),
            measured=Cells.of(self.values, fixed=fixed_in(self.values, fixed)),
            aside=self.aside,
        )


def _others(comparison: Comparison, part: str, control: str) -> Iterator[tuple[str, str]]:
    """Part and label of each network that a trained one is compared with, as far as it is there.

    Args:
        part: where it is the untrained one.
        control: where it is one of `CONTROLS`, before their names.
    """
    for label in (UNTRAINED, *CONTROLS):
        if label in comparison.networks:
            yield (part if label == UNTRAINED else f"{control}_than_{label}"), label


def _still_not_unique(comparison: Comparison, network: str) -> Iterator[_Question]:
    """C10, at the last layer; noise is a contrast."""
    aside: Aside = "" if network == PHOTOS else "contrast"
    for layer in comparison.layers:
        values = comparison.of(CONVERGING, "elasticity", network, layer)
        yield _Question(
            *("C10", "image_stays_lost", network, layer, "elasticity, ρ from 0.3 to 0.03", values),
            aside=aside,
            counts=layer == comparison.layers[-1],
        )


def _nearer_when_trained(comparison: Comparison) -> Iterator[_Question]:
    """C10, after fixed steps without blur."""
    for part, quantity, name in (
        ("ratio_lower", "embedding_ratio", "log ρ"),
        ("natural_distance_lower", "natural_ratio", "log m_g over natural pairs' distance"),
    ):
        others = _others(comparison, part, part)
        for (control, label), layer in product(others, comparison.layers):
            values = _change(comparison, PLAIN, quantity, (PHOTOS, label), layer, log=True)
            text = f"{name}, fixed steps without blur"
            gone = _diverged(comparison, PLAIN, (PHOTOS, label), layer)
            yield _Question("C10", control, PHOTOS, layer, text, values, label, gone)


_CLEAR = (
    ("early_clearer", CONVERGING, "ssim_at_ratio", "SSIM at one ρ"),
    ("early_explained", CONVERGING, "luminance_r2_at_ratio", "r² of luminance at one ρ"),
    ("early_clearer_with_blur", BLURRED, "ssim", "SSIM, the paper's recipe with blur"),
    (
        "early_clearer_naturally",
        CONVERGING,
        "ssim_at_natural",
        "SSIM at one fraction of natural pairs' distance",
    ),
    ("early_contrast", CONVERGING, "contrast_r2_at_ratio", "r² of local contrast at one ρ"),
)
"""Part, condition, quantity and words of what C11 asks of early and middle layers."""

_WITH_CONTROLS = ("early_clearer", "early_explained")


def _clearer_when_trained(comparison: Comparison) -> Iterator[_Question]:
    """C11: early and middle layers behind the first pooling are clearer, late ones are not."""
    for (part, condition, quantity, text), layer in product(_CLEAR, comparison.middle):
        for name, label in _others(comparison, part, part):
            if label == UNTRAINED or part in _WITH_CONTROLS:
                values = _change(comparison, condition, quantity, (PHOTOS, label), layer)
                gone = _diverged(comparison, condition, (PHOTOS, label), layer)
                yield _Question("C11", name, PHOTOS, layer, text, values, label, gone)
    if UNTRAINED not in comparison.networks:
        return
    for layer in comparison.layers:
        if layer not in comparison.middle:
            values = _change(comparison, CONVERGING, "ssim_at_ratio", (PHOTOS, UNTRAINED), layer)
            yield _Question(
                *("C11", "late_not_clearer", PHOTOS, layer, "SSIM at one ρ", values, UNTRAINED),
                counts=layer in comparison.late,
            )


_EVIDENCE = {CONVERGING: "converging", BLURRED: "paper's recipe"}
"""Descents whose images other networks look at."""


def _class_evidence_added(comparison: Comparison, aside: Aside) -> Iterator[_Question]:
    """C12: the class of the photograph where there is one, any class elsewhere."""
    last = comparison.layers[-1]
    layers = [layer for layer in comparison.layers if layer in (*comparison.late, last)]
    known = comparison.values.get((CONVERGING, IN_CLASS))
    of_class = np.zeros(len(comparison.images), bool) if known is None else known[0, 0, 0] > 0

    def question(part: str, text: str, values: np.ndarray, against: str = "") -> _Question:
        fields = ("C12", part, PHOTOS, layer, f"{text}, {_EVIDENCE[condition]}", values, against)
        return _Question(*fields, counts=layer == last, aside=aside)

    for layer, condition in product(layers, _EVIDENCE):
        if of_class.any():
            text = "log-odds of the target's class"
            odds, start, target = (
                comparison.of(condition, f"target_log_odds{which}", PHOTOS, layer)[:, of_class]
                for which in ("", "_start", "_target")
            )
            yield question("target_class_added", f"{text}, a_g − a_0", odds - start)
            yield question("more_than_in_the_photograph", f"{text}, a_g − a", odds - target)
            for part, label in _others(comparison, "more_than_untrained", "more"):
                pair = PHOTOS, label
                values = _change(comparison, condition, "target_log_odds", pair, layer)
                yield question(part, text, values[:, of_class], label)
        any_class = (condition, "class_log_odds") in comparison.values and not of_class.all()
        if any_class and UNTRAINED in comparison.networks:
            pair = PHOTOS, UNTRAINED
            values = _change(comparison, condition, "class_log_odds", pair, layer)
            text = "log-odds of the top class, photographs of none"
            yield question("any_class_added", text, values[:, ~of_class], UNTRAINED)


def _trained_on_noise(comparison: Comparison) -> Iterator[_Question]:
    """C13. How well layers are matched counts at those that are not early, whatever their names."""
    untrained, photos = (label in comparison.networks for label in (UNTRAINED, PHOTOS))
    for layer in comparison.layers:
        early = layer in comparison.early
        place = NOISE, layer
        blurred = _log(comparison.of(BLURRED, "embedding_ratio", *place))
        text = "log ρ, fixed steps with blur"
        yield _Question(*("C13", "unmatched_with_blur", *place, text, blurred), counts=not early)
        if photos:
            values = _change(
                comparison, BLURRED, "embedding_ratio", (NOISE, PHOTOS), layer, log=True
            )
            gone = _diverged(comparison, BLURRED, (NOISE, PHOTOS), layer)
            fields = ("C13", "harder_with_blur", *place, text, values, PHOTOS, gone)
            yield _Question(*fields, counts=not early)
        best = np.fmin(
            *(comparison.of(each, "best_embedding_ratio", *place) for each in (CONVERGING, PLAIN))
        )
        text = "log of the least ρ, without blur"
        yield _Question("C13", "matched_without_blur", *place, text, _log(best), counts=not early)
        if untrained:
            yield from _like_noise_and_no_clearer(comparison, layer)


def _like_noise_and_no_clearer(comparison: Comparison, layer: str) -> Iterator[_Question]:
    """C13, against the untrained network: deep layers, and early ones."""
    pair, place = (NOISE, UNTRAINED), (NOISE, layer)
    if layer in comparison.deep:
        for condition, how in ((CONVERGING, "converging"), (PLAIN, "fixed steps")):
            values = _change(comparison, condition, "spectral_distance", pair, layer)
            text = f"spectral distance of a_g − a_0 to the training noise, {how}"
            yield _Question("C13", "like_training_noise", *place, text, values, UNTRAINED)
    if layer in comparison.early:
        values = _change(comparison, CONVERGING, "ssim_at_ratio", pair, layer)
        yield _Question("C13", "early_no_clearer", *place, "SSIM at one ρ", values, UNTRAINED)


def _change(
    comparison: Comparison,
    condition: str,
    quantity: str,
    pair: tuple[str, str],
    layer: str,
    log: bool = False,
) -> np.ndarray:
    """A quantity of one network minus that of another, `[S, B]`: seed by seed."""
    both = [comparison.of(condition, quantity, name, layer) for name in pair]
    one, other = map(_log, both) if log else both
    return one - other


def _diverged(comparison: Comparison, condition: str, pair: tuple[str, str], layer: str) -> str:
    """`, 3 of 60 diverged`, of both networks; nothing where none did."""
    both = [comparison.of(condition, "diverged", name, layer).ravel() for name in pair]
    every = np.concatenate(both)
    count = int(np.nansum(every))
    return f", {count} of {len(every)} diverged" if count else ""


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)
