"""Claims C10 to C13, by differences between networks of the same seed, image by image."""

from collections.abc import Collection, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Aside, Finding
from depthjax.claims.paper import bound_of
from depthjax.statistics import interval_of
from depthjax.studies.comparison.measured import Comparison
from depthjax.studies.comparison.setting import (
    BLURRED,
    CONVERGING,
    MATCHED,
    NOISE,
    PHOTOS,
    PLAIN,
    UNTRAINED,
)
from depthjax.studies.networks import ONE_NETWORK, fixed_in
from depthjax.tables import markdown_table, number


def findings(comparison: Comparison, single: Collection[str] = ()) -> list[Finding]:
    """What the numbers say of claims C10 to C13, as far as their networks were compared.

    Where a descent did not reach the ρ, values do not exist. The finding then says of how many
    values it is.

    Args:
        comparison: the numbers.
        single: labels of networks that are one trained network; see
            `depthjax.studies.networks.single_networks`.
    """
    found: list[_Question] = []
    for network in (PHOTOS, NOISE):
        if network in comparison.networks:
            found += _still_not_unique(comparison, network)
    if {UNTRAINED, PHOTOS} <= set(comparison.networks):
        found += _clearer_when_trained(comparison)
        found += _class_evidence_added(comparison)
    if {UNTRAINED, NOISE} <= set(comparison.networks):
        found += _trained_on_noise(comparison)
    return [question.answer(question.network in single) for question in found]


class _Question(NamedTuple):
    """A finding before its interval is computed; `values` is `[S, B]`, NaN where there is none."""

    claim: str
    part: str
    network: str
    layer: str
    quantity: str
    values: np.ndarray
    detail: str = ""
    aside: Aside = ""
    counts: bool = True  # or it is a number of another place than the part's

    def answer(self, single: bool) -> Finding:
        return Finding(
            claim=self.claim,
            part=self.part if self.counts and not self.aside else "",
            network=self.network,
            layer=self.layer,
            note=ONE_NETWORK if single else "",
            quantity=self.quantity,
            detail=self.detail,
            bound=bound_of(self.claim, self.part),
            measured=Cells.of(self.values, fixed=fixed_in(self.values, single)),
            aside=self.aside,
        )


def _against_untrained(network: str) -> str:
    return f"{network} − {UNTRAINED}"


def _still_not_unique(comparison: Comparison, network: str) -> Iterator[_Question]:
    """C10 is of photographs; noise is a contrast. The elasticity counts at the last layer alone."""
    aside: Aside = "" if network == PHOTOS else "contrast"
    for layer in comparison.layers:
        place = network, layer
        values = comparison.of(CONVERGING, "elasticity", *place)
        yield _Question(
            *("C10", "image_stays_lost", *place, "elasticity d log D / d log ρ", values),
            aside=aside,
            counts=layer == comparison.layers[-1],
        )
        if UNTRAINED not in comparison.networks:
            continue
        for part, quantity, name in (
            ("ratio_lower", "embedding_ratio", "log ρ"),
            ("relative_distance_lower", "relative_embedding_distance", "log m_g/‖O(a)‖"),
        ):
            values = _change(comparison, PLAIN, quantity, network, layer, log=True)
            yield _Question(
                *("C10", part, *place, f"{name}, fixed steps without blur", values),
                detail=_against_untrained(network),
                aside=aside,
            )


def _clearer_when_trained(comparison: Comparison) -> Iterator[_Question]:
    """C11: early and middle layers are clearer, late ones are not."""
    if not comparison.late:  # a single layer is neither early nor late
        return
    for layer in comparison.layers:
        part = "late_not_clearer" if layer in comparison.late else "early_clearer"
        values = _change(comparison, MATCHED, "ssim", PHOTOS, layer)
        yield _Question(
            *("C11", part, PHOTOS, layer, "SSIM at matched ρ", values),
            detail=_against_untrained(PHOTOS),
        )


def _class_evidence_added(comparison: Comparison) -> Iterator[_Question]:
    """C12. The log-odds count, at the last layer alone."""
    names = {
        "class_probability": "largest class probability",
        "class_log_odds": "log-odds of the top class",
    }
    conditions = {CONVERGING: "converging", BLURRED: "paper's recipe"}
    for layer, (condition, how), (quantity, name) in product(
        comparison.late, conditions.items(), names.items()
    ):
        if (condition, quantity) in comparison.values:
            values = _change(comparison, condition, quantity, PHOTOS, layer)
            text = f"{name} by a third network, {how}"
            yield _Question(
                *("C12", "class_evidence_added", PHOTOS, layer, text, values),
                detail=_against_untrained(PHOTOS),
                counts=quantity == "class_log_odds" and layer == comparison.layers[-1],
            )


def _trained_on_noise(comparison: Comparison) -> Iterator[_Question]:
    """C13. How well layers are matched counts at those that are not early, whatever their names."""
    for layer in comparison.layers:
        early = layer in comparison.early
        for condition, part, how in (
            (BLURRED, "unmatched_with_blur", "with blur"),
            (PLAIN, "matched_without_blur", "without blur"),
        ):
            values = _log(comparison.of(condition, "embedding_ratio", NOISE, layer))
            text = f"log ρ, fixed steps {how}"
            yield _Question("C13", part, NOISE, layer, text, values, counts=not early)
        if layer in comparison.deep:
            for condition, how in ((CONVERGING, "converging"), (PLAIN, "fixed steps")):
                values = _change(comparison, condition, "spectral_distance", NOISE, layer)
                text = f"spectral distance of a_g − a_0 to the training noise, {how}"
                yield _Question(
                    *("C13", "like_training_noise", NOISE, layer, text, values),
                    detail=_against_untrained(NOISE),
                )
        if early:
            values = _change(comparison, MATCHED, "ssim", NOISE, layer)
            yield _Question(
                *("C13", "early_no_clearer", NOISE, layer, "SSIM at matched ρ", values),
                detail=_against_untrained(NOISE),
            )


def _change(
    comparison: Comparison,
    condition: str,
    quantity: str,
    network: str,
    layer: str,
    log: bool = False,
) -> np.ndarray:
    """A quantity of a network minus that of the untrained one, `[S, B]`: seed by seed."""
    pair = [comparison.of(condition, quantity, name, layer) for name in (network, UNTRAINED)]
    trained, untrained = map(_log, pair) if log else pair
    return trained - untrained


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)


def network_table(
    comparison: Comparison, condition: str, quantity: str, *, logarithmic: bool = False
) -> str:
    """The mean of one quantity with its interval: a row for each network, a column for each layer.

    Where some values do not exist, the cell says how many do.

    Args:
        comparison: the numbers.
        condition, quantity: what is averaged.
        logarithmic: whether means are geometric.
    """
    rows = []
    for network in comparison.networks:
        cells = [network]
        for layer in comparison.layers:
            values = comparison.of(condition, quantity, network, layer)
            known = int(np.isfinite(values).sum())
            estimate, low, high, *_ = interval_of(values, logarithmic=logarithmic)
            cell = f"{number(estimate)} [{number(low)}, {number(high)}]" if known else "–"
            cells.append(cell + (f" ({known} of {values.size})" if known < values.size else ""))
        rows.append(cells)
    return markdown_table(["network", *comparison.layers], rows)


def comparison_tables(comparison: Comparison) -> str:
    """A `network_table` of each quantity that was measured."""
    parts = ["Means over seeds × images [95 % interval]; geometric of ρ, D and other ratios."]
    for condition, quantity, logarithmic, title in _COMPARED:
        if (condition, quantity) in comparison.values:
            table = network_table(comparison, condition, quantity, logarithmic=logarithmic)
            parts.append(f"\n{title}:\n\n{table}")
    return "\n".join(parts)


_COMPARED = (
    (CONVERGING, "embedding_ratio", True, "ρ of the converging descent"),
    (CONVERGING, "input_ratio_at_0.1", True, "D at ρ = 0.1"),
    (CONVERGING, "elasticity", False, "Elasticity d log D / d log ρ, ρ from 0.03 to 0.3"),
    (MATCHED, "ssim", False, "SSIM at the matched ρ"),
    (MATCHED, "gradient_energy_ratio", True, "Gradient energy over the target's, likewise"),
    (BLURRED, "embedding_ratio", True, "ρ after the paper's fixed steps with blur"),
    (PLAIN, "embedding_ratio", True, "ρ after the paper's fixed steps without blur"),
    (PLAIN, "relative_embedding_distance", True, "m_g/‖O(a)‖, likewise"),
    (PLAIN, "spectral_distance", False, "Spectrum of a_g − a_0 to the training noise's, likewise"),
    (CONVERGING, "class_probability", False, "Largest class probability by a third network"),
    (BLURRED, "class_probability", False, "The same of the paper's recipe with blur"),
    (CONVERGING, "photograph_probability", False, "Probability of being a photograph"),
    (BLURRED, "photograph_probability", False, "The same of the paper's recipe with blur"),
)
"""Condition, quantity, whether its mean is geometric, and the title of its table."""
