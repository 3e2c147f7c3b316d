"""Claims C10 to C13 on numbers that are made up, so that the verdict is known."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from study_rows import COMPARED, compared, comparison_of

from depthjax.claims.claim import Claim
from depthjax.claims.judging import NOT_SUPPORTED, SUPPORTED, UNDECIDED, judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.studies.comparison.judged import findings
from depthjax.studies.comparison.numbers import IN_CLASS, RESOLUTION, Comparison
from depthjax.studies.comparison.setting import BLURRED, CONDITIONS, NOISE, PHOTOS, PLAIN, UNTRAINED
from depthjax.studies.comparison.tables import network_table
from depthjax.studies.descents import CONVERGING
from depthjax.studies.networks import ONE_NETWORK

NETWORKS = (UNTRAINED, PHOTOS, NOISE)
Changes = Mapping[tuple[str, str, str], Any]


def parts(comparison: Comparison, claim: str) -> dict[str, str]:
    """The verdict on each part, voting or not."""
    judged = judge_claim(CLAIMS[claim], findings(comparison))
    return {part.name: part.verdict for part in judged.parts}


def verdict(comparison: Comparison, claim: str) -> str:
    return judge_claim(CLAIMS[claim], findings(comparison)).verdict


def voting(claim: Claim) -> set[str]:
    return {name for name, part in claim.parts.items() if part.votes}


def spread(comparison: Comparison, *keys: tuple[str, str], by: float = 9.0) -> Comparison:
    """Numbers of which nothing can be said, since chance is large; positive ones stay so."""
    random = np.random.default_rng(1)
    for key in keys:
        chance = np.exp(random.normal(0, by, comparison.values[key].shape))
        comparison.values[key] = comparison.values[key] * chance
    return comparison


CLOSER: Changes = {
    (PHOTOS, PLAIN, "embedding_ratio"): 0.5,
    (PHOTOS, PLAIN, "natural_ratio"): 0.5,
    (PHOTOS, CONVERGING, "elasticity"): 0.01,
}
CLEARER: Changes = {
    (PHOTOS, CONVERGING, "ssim_at_ratio"): [1.4, 1.3, 1.2, 0.8, 0.6],
    (PHOTOS, CONVERGING, "luminance_r2_at_ratio"): [1.4, 1.4, 1.4, 1, 1],
    (PHOTOS, BLURRED, "ssim"): [1.4, 1.3, 1.2, 0.8, 0.6],
}
EVIDENT: Changes = {
    (PHOTOS, condition, "target_log_odds"): 9.0 for condition in (CONVERGING, BLURRED)
}
NOISY: Changes = {
    (NOISE, BLURRED, "embedding_ratio"): 40.0,
    (NOISE, CONVERGING, "best_embedding_ratio"): 0.1,
    (NOISE, CONVERGING, "spectral_distance"): 0.5,
    (NOISE, PLAIN, "spectral_distance"): 0.5,
    (NOISE, CONVERGING, "ssim_at_ratio"): 0.7,
}
OPPOSITE: Mapping[str, Changes] = {
    "C10": {**CLOSER, (PHOTOS, PLAIN, "natural_ratio"): 2.0},
    "C11": {**CLEARER, (PHOTOS, CONVERGING, "luminance_r2_at_ratio"): 0.6},
    "C12": {(PHOTOS, condition, "target_log_odds"): -3.0 for condition in (CONVERGING, BLURRED)},
    "C13": {**NOISY, (PHOTOS, BLURRED, "embedding_ratio"): 90.0},
}
SUPPORT: Mapping[str, Changes] = {"C10": CLOSER, "C11": CLEARER, "C12": EVIDENT, "C13": NOISY}
DECISIVE = {
    "C10": (PLAIN, "embedding_ratio"),
    "C11": (CONVERGING, "ssim_at_ratio"),
    "C12": (CONVERGING, "target_log_odds"),
    "C13": (BLURRED, "embedding_ratio"),
}


@pytest.mark.parametrize("claim", SUPPORT)
def test_numbers_as_the_paper_says_support_a_claim(claim: str) -> None:
    found = parts(compared(SUPPORT[claim]), claim)
    assert {found[name] for name in voting(CLAIMS[claim])} == {"supported"}
    assert verdict(compared(SUPPORT[claim]), claim) == SUPPORTED


@pytest.mark.parametrize("claim", SUPPORT)
def test_one_part_that_is_contradicted_is_enough_against_it(claim: str) -> None:
    assert verdict(compared(OPPOSITE[claim]), claim) == NOT_SUPPORTED


@pytest.mark.parametrize("claim", SUPPORT)
def test_numbers_that_vary_without_end_leave_it_undecided(claim: str) -> None:
    made = spread(compared(SUPPORT[claim]), DECISIVE[claim])
    assert verdict(made, claim) == UNDECIDED


def test_a_network_trained_on_noise_has_no_vote_on_photographs() -> None:
    of_noise = {(NOISE, *key[1:]): 9.0 for key in CLOSER}
    found = findings(compared({**CLOSER, **of_noise}))
    assert verdict(compared({**CLOSER, **of_noise}), "C10") == SUPPORTED
    asides = {one.aside for one in found if one.claim == "C10" and one.network == NOISE}
    assert asides == {"contrast"}


def test_controls_are_judged_beside_a_claim_and_never_decide() -> None:
    alike = {("calibrated", *key[1:]): factor for key, factor in CLOSER.items()}
    made = compared({**CLOSER, **alike})
    assert parts(made, "C10")["ratio_lower_than_calibrated"] == "contradicted"
    assert parts(made, "C10")["ratio_lower_than_shuffled"] == "supported"
    assert verdict(made, "C10") == SUPPORTED
    without = compared(CLOSER, networks=NETWORKS)
    assert parts(without, "C10")["ratio_lower_than_calibrated"] == "not measured"
    assert verdict(without, "C10") == SUPPORTED


def test_what_was_chosen_after_pictures_had_been_seen_has_no_vote() -> None:
    worse = {**CLEARER, (PHOTOS, CONVERGING, "contrast_r2_at_ratio"): 0.5}
    assert parts(compared(worse), "C11")["early_contrast"] == "contradicted"
    assert verdict(compared(worse), "C11") == SUPPORTED


def test_layers_before_the_first_pooling_do_not_count_for_clarity() -> None:
    """There all of the image is kept, trained or not."""
    ceiling = {(PHOTOS, CONVERGING, "ssim_at_ratio"): [0.1, 1.3, 1.2, 0.8, 0.6]}
    made = compared({**CLEARER, **ceiling})
    assert verdict(made, "C11") == SUPPORTED
    resolution = made.values[CONVERGING, RESOLUTION].copy()
    resolution[:, :, :2] = 1.0
    later = replace(made, values={**made.values, (CONVERGING, RESOLUTION): resolution})
    places = {(one.part, one.layer) for one in findings(later) if one.claim == "C11" and one.part}
    assert {layer for part, layer in places if part == "early_clearer"} == {"layer2", "layer3"}
    assert {layer for part, layer in places if part == "late_not_clearer"} == {"layer4"}


@pytest.mark.parametrize(
    ("count", "middle", "late"), [(1, 0, 0), (2, 0, 0), (3, 1, 1), (4, 2, 1), (5, 2, 2), (9, 4, 4)]
)
def test_no_layer_is_early_and_late(count: int, middle: int, late: int) -> None:
    layers = tuple(f"layer{i}" for i in range(count))
    found = compared(layers=layers)
    assert (len(found.middle), len(found.late)) == (middle, late)
    assert tuple(found.middle) == layers[1 : 1 + middle]
    assert tuple(found.late) == layers[count - late :] or not late
    assert findings(found)


def test_one_layer_behind_the_first_is_neither_early_nor_late() -> None:
    found = findings(compared(layers=("conv1", "layer4")))
    assert {one.layer for one in found if one.claim == "C11" and one.part} == set()


def test_class_evidence_is_of_photographs_that_show_a_class() -> None:
    made = compared(EVIDENT)
    counted = [one for one in findings(made) if one.claim == "C12" and one.part]
    assert {one.layer for one in counted} == {"layer4"}
    assert {one.part: one.interval.images for one in counted} == {
        name: 3 for name in CLAIMS["C12"].parts
    }
    values = made.values[CONVERGING, "target_log_odds"][1, :, -1, :3]
    added = [one for one in counted if one.part == "target_class_added"]
    assert added[0].interval.estimate == pytest.approx(values.mean(), rel=1e-6)
    # Where no photograph shows a class that the other network knows, nothing is said of it.
    nothing = np.zeros_like(made.values[CONVERGING, IN_CLASS])
    strange = replace(made, values={**made.values, (CONVERGING, IN_CLASS): nothing})
    assert parts(strange, "C12")["target_class_added"] == "not measured"
    assert parts(strange, "C12")["any_class_added"] != "not measured"


def test_of_networks_that_learned_other_classes_nothing_counts_about_c12():
    made = compared()
    votes, contrasts = (
        [one for one in findings(made, judge_shares_classes=same) if one.claim == "C12"]
        for same in (True, False)
    )
    assert any(one.part for one in votes) and not any(one.part for one in contrasts)
    assert [one.measured for one in votes] == [one.measured for one in contrasts]
    assert {one.aside for one in contrasts} == {"contrast"}


def test_trained_on_noise_is_a_contrast_to_photographs() -> None:
    """An untrained network's ρ may be above 1 too: what counts is what photographs do not do."""
    both = {**NOISY, (PHOTOS, BLURRED, "embedding_ratio"): 40.0}
    found = parts(compared(both), "C13")
    assert found["unmatched_with_blur"] == "supported"
    assert found["harder_with_blur"] == "contradicted"
    # Some descent without blur: the best of them counts.
    ways = {(NOISE, PLAIN, "best_embedding_ratio"): 50.0}
    assert parts(compared({**NOISY, **ways}), "C13")["matched_without_blur"] == "supported"


@pytest.mark.parametrize(
    ("networks", "claims"),
    [
        ((UNTRAINED,), set()),
        ((PHOTOS,), {"C10", "C12"}),
        ((UNTRAINED, PHOTOS, "mine"), {"C10", "C11", "C12"}),
        ((NOISE, UNTRAINED), {"C10", "C13"}),
        ((PHOTOS, NOISE), {"C10", "C12", "C13"}),
    ],
)
def test_claims_of_networks_that_are_there(networks: tuple, claims: set) -> None:
    assert {finding.claim for finding in findings(compared(networks=networks))} == claims


def test_images_that_never_got_there_are_counted() -> None:
    found = compared()
    found.values[CONVERGING, "ssim_at_ratio"][1, 0, 4, :2] = np.nan  # photos at layer4
    found.values[CONVERGING, "ssim_at_ratio"][0, :, 1] = np.nan  # untrained at layer1
    asked = [
        one for one in findings(found) if one.claim == "C11" and "SSIM at one ρ" in one.quantity
    ]
    by_place = {one.layer: one for one in asked if UNTRAINED in one.detail}
    assert "(16 of 18)" in by_place["layer4"].statistic
    assert " of " not in by_place["layer3"].statistic
    assert by_place["layer1"].verdict == "not reached"


def test_descents_that_diverged_are_counted() -> None:
    found = compared()
    found.values[PLAIN, "diverged"][1, 0, 4, :2] = 1
    details = {one.layer: one.detail for one in findings(found) if one.part == "ratio_lower"}
    assert details["layer4"] == "photos − untrained, 2 of 36 diverged"
    assert details["layer3"] == "photos − untrained"


def test_pairs_are_compared_and_not_averages() -> None:
    """A small change of every image shows through large differences between images."""
    found = compared({(PHOTOS, CONVERGING, "ssim_at_ratio"): [1.0, 1.05, 1.0, 1.0, 1.0]})
    of_layer = {one.layer: one.verdict for one in findings(found) if one.part == "early_clearer"}
    assert of_layer["layer1"] == "supported"
    assert found.of(CONVERGING, "ssim_at_ratio", PHOTOS, "layer1").std() > 0.05 * 0.5


def test_one_trained_network_is_spoken_of_and_controls_are_the_sample() -> None:
    """Its own numbers are over photographs; from one random initialisation nothing follows."""
    found = compared()
    values = {key: np.array(table) for key, table in found.values.items()}
    for table in values.values():
        table[NETWORKS.index(PHOTOS), 1:] = np.nan
    beside = findings(replace(found, values=values), [PHOTOS])
    own = [one for one in beside if one.network == PHOTOS]
    assert {one.note for one in own} == {ONE_NETWORK}
    samples = {bool(one.detail): one.sample for one in own if one.claim == "C10" and one.part}
    assert samples == {True: "3 × 6", False: "these 1 × 6"}
    assert "not reached" not in {one.verdict for one in own}
    alone = {key: table[:, :1] for key, table in values.items()}
    told = findings(replace(found, seeds=(0,), values=alone), [PHOTOS])
    assert {one.verdict for one in told if one.detail} == {"not reached"}
    # Two trained networks are these two.
    both = findings(replace(found, seeds=(0,), values=alone), [PHOTOS, NOISE])
    assert {one.sample for one in both if "noise − photos" in one.detail} == {"these 1 × 6"}


def test_rows_hold_all_that_is_judged() -> None:
    whole = compared()
    whole.values[CONVERGING, "ssim_at_ratio"][1, 0, 4, :2] = np.nan
    again = comparison_of(whole.rows())
    assert again.values.keys() == whole.values.keys() and again.seeds_of == whole.seeds_of
    records = [[one.record() for one in findings(each)] for each in (whole, again)]
    assert records[0] == records[1]


def test_one_row_for_each_number() -> None:
    found = compared(networks=NETWORKS)
    rows = found.rows()
    assert len(rows) == 3 * 3 * 5 * len(CONDITIONS) * len(COMPARED)
    row = next(
        r
        for r in rows
        if (r["network"], r["seed"], r["layer"], r["condition"], r["image"])
        == (NOISE, 2, "layer1", BLURRED, "c")
    )
    assert row["ssim"] == found.values[BLURRED, "ssim"][2, 2, 1, 2]
    assert np.isnan(row["elasticity"]) and row["depth"] == 1


def test_the_table_says_what_is_missing() -> None:
    found = compared(networks=NETWORKS)
    found.values[CONVERGING, "ssim_at_ratio"][1, 0, 4, :2] = np.nan
    found.values[CONVERGING, "ssim_at_ratio"][2, :, 1] = np.nan
    found.values[CONVERGING, "ssim_at_ratio"][0, 0, 0, 2:] = np.nan
    found.values[CONVERGING, "ssim_at_ratio"][0, 1:, 0] = np.nan
    lines = network_table(found, CONVERGING, "ssim_at_ratio").splitlines()
    assert re.fullmatch(r" +0\.\d+ \(2 of 18\) ", lines[2].split("|")[2])  # too few for an interval
    assert [line.split("|")[1].strip() for line in lines[2:]] == list(NETWORKS)
    assert lines[3].endswith("(16 of 18) |") and lines[4].count("– (0 of 18)") == 1
