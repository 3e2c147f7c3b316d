"""Claims C10 to C13: judged by paired differences, seed by seed and image by image."""

from typing import NamedTuple

import numpy as np

from depthjax.inversion.metrics import RECOVERED_ELASTICITY
from depthjax.statistics import Finding, bootstrap, interval_of
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
from depthjax.tables import markdown_table, number


def findings(comparison: Comparison, *, draws: int = 2_000) -> list[Finding]:
    """What the numbers say of claims C10 to C13, as far as the networks for them are there.

    Where some values do not exist, because a descent did not reach the ρ, the statistic says of how
    many it is.

    Args:
        comparison: the numbers.
        draws: of the bootstrap.
    """
    judged: list[_Judged] = []
    for network in (PHOTOS, NOISE):
        if network in comparison.networks:
            judged += _still_not_unique(comparison, network)
    if {UNTRAINED, PHOTOS} <= set(comparison.networks):
        judged += _clearer_when_trained(comparison)
        judged += _class_evidence_added(comparison)
    if {UNTRAINED, NOISE} <= set(comparison.networks):
        judged += _trained_on_noise(comparison)
    found = []
    for claim, where, statistic, rule, values in judged:
        known = np.isfinite(values)
        if not known.all():
            statistic += f" ({known.sum()} of {known.size})"
        interval = bootstrap(np.where(known, values, np.nan), draws=draws)
        found.append(Finding(claim, where, statistic, rule, interval))
    return found


class _Judged(NamedTuple):
    """A finding before its interval is computed: `values` is `[S, B]`."""

    claim: str
    where: str
    statistic: str
    rule: str
    values: np.ndarray


def _still_not_unique(comparison: Comparison, network: str) -> list[_Judged]:
    """C10."""
    found = []
    for layer in comparison.layers:
        at = f"{network}, {layer}"
        values = comparison.of(CONVERGING, "elasticity", network, layer)
        rule = f"< {RECOVERED_ELASTICITY}"
        found.append(_Judged("C10", at, "elasticity d log D / d log ρ", rule, values))
        if UNTRAINED not in comparison.networks:
            continue
        for quantity, name in (
            ("embedding_ratio", "log ρ"),
            ("relative_embedding_distance", "log m_g/‖O(a)‖"),
        ):
            values = _change(comparison, PLAIN, quantity, network, layer, log=True)
            what = f"{name}, fixed steps without blur: {network} − {UNTRAINED}"
            found.append(_Judged("C10", at, what, "< 0", values))
    return found


def _clearer_when_trained(comparison: Comparison) -> list[_Judged]:
    """C11: early and middle layers clearer, late ones not."""
    late = dict.fromkeys(comparison.late, "<= 0")
    rules = dict.fromkeys(comparison.layers, "> 0") | late if late else {}
    return [
        _Judged(
            "C11",
            f"{PHOTOS}, {layer}",
            f"SSIM at matched ρ: {PHOTOS} − {UNTRAINED}",
            rule,
            _change(comparison, MATCHED, "ssim", PHOTOS, layer),
        )
        for layer, rule in rules.items()
    ]


def _class_evidence_added(comparison: Comparison) -> list[_Judged]:
    """C12."""
    names = {
        "class_probability": "largest class probability",
        "class_log_odds": "log-odds of the top class",
    }
    conditions = {CONVERGING: "converging", BLURRED: "paper's recipe"}
    return [
        _Judged(
            "C12",
            f"{PHOTOS}, {layer}",
            f"{name} by a third network, {how}: {PHOTOS} − {UNTRAINED}",
            "> 0",
            _change(comparison, condition, quantity, PHOTOS, layer),
        )
        for layer in comparison.late
        for condition, how in conditions.items()
        for quantity, name in names.items()
        if (condition, quantity) in comparison.values
    ]


def _trained_on_noise(comparison: Comparison) -> list[_Judged]:
    """C13."""
    found = []
    for layer in comparison.layers:
        at = f"{NOISE}, {layer}"
        for condition, what, rule in (
            (BLURRED, "log ρ, fixed steps with blur", "> 0"),
            (PLAIN, "log ρ, fixed steps without blur", "< 0"),
        ):
            values = _log(comparison.of(condition, "embedding_ratio", NOISE, layer))
            found.append(_Judged("C13", at, what, rule, values))
        if layer in comparison.deep:
            for condition, how in ((CONVERGING, "converging"), (PLAIN, "fixed steps")):
                values = _change(comparison, condition, "spectral_distance", NOISE, layer)
                what = f"spectral distance of a_g − a_0 to the training noise, {how}:"
                found.append(_Judged("C13", at, f"{what} {NOISE} − {UNTRAINED}", "< 0", values))
        if layer in comparison.early:
            values = _change(comparison, MATCHED, "ssim", NOISE, layer)
            what = f"SSIM at matched ρ: {NOISE} − {UNTRAINED}"
            found.append(_Judged("C13", at, what, "<= 0", values))
    return found


def _change(
    comparison: Comparison,
    condition: str,
    quantity: str,
    network: str,
    layer: str,
    log: bool = False,
) -> np.ndarray:
    """Of a network against the untrained one of the same seed, for each image."""
    pair = [comparison.of(condition, quantity, name, layer) for name in (network, UNTRAINED)]
    trained, untrained = map(_log, pair) if log else pair
    return trained - untrained


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)


def network_table(
    comparison: Comparison, condition: str, quantity: str, *, logarithmic: bool = False
) -> str:
    """One quantity of every network (rows) at every layer: its mean with the interval.

    Geometric means where `logarithmic`. Where some values do not exist, it says how many do.
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
    """`network_table` of every quantity there is that a comparison is read by."""
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
"""Condition, quantity, whether its mean is geometric, and what it is called."""
