"""Claims C10 to C13 on numbers that are made up, so that the verdict is known."""

from dataclasses import replace

import numpy as np
import pytest
from study_rows import LAYERS, QUANTITIES, compared

from depthjax.folders.begin import begin
from depthjax.folders.results import read_rows, write_results
from depthjax.inversion.metrics import MATCHED_RATIOS
from depthjax.inversion.state import REACHED, RUNNING
from depthjax.studies.comparison.judged import findings, network_table
from depthjax.studies.comparison.measured import Comparison, quantities
from depthjax.studies.comparison.setting import (
    BLURRED,
    CONDITIONS,
    CONVERGING,
    MATCHED,
    NOISE,
    PHOTOS,
    PLAIN,
    UNTRAINED,
)
from depthjax.studies.networks import ONE_NETWORK

NETWORKS = (UNTRAINED, PHOTOS, NOISE)


def verdicts(comparison: Comparison, claim: str, *words: str) -> dict[str, str]:
    """By layer, of the findings whose statistic holds all the words."""
    return {
        finding.where.split(", ")[1]: finding.verdict
        for finding in findings(comparison)
        if finding.claim == claim
        and all(w in f"{finding.where} {finding.statistic}" for w in words)
    }


def test_training_that_lowers_the_distances_and_leaves_the_image_lost() -> None:
    fall = {(PHOTOS, PLAIN, name): 0.5 for name in QUANTITIES[PLAIN][:2]}
    flat = {(PHOTOS, CONVERGING, "elasticity"): 0.01}
    found = compared(fall | flat)
    for words in (["log ρ"], ["m_g"], ["elasticity"]):
        assert verdicts(found, "C10", PHOTOS, *words) == dict.fromkeys(LAYERS, "supported")
    # Of the network trained on noise, nothing of that was made up; it has no vote.
    assert {one.aside for one in findings(found) if one.claim == "C10" and NOISE in one.where} == {
        "contrast"
    }
    assert set(verdicts(found, "C10", f"{NOISE},", "elasticity").values()) == {"contradicted"}
    risen = compared({key: 2.0 for key in fall})
    assert verdicts(risen, "C10", PHOTOS, "log ρ") == dict.fromkeys(LAYERS, "contradicted")


def test_clearer_before_the_late_layers_and_not_there() -> None:
    changes = {(PHOTOS, MATCHED, "ssim"): [1.4, 1.3, 1.2, 0.8, 0.6]}
    assert verdicts(compared(changes), "C11") == dict.fromkeys(LAYERS, "supported")
    turned = {(PHOTOS, MATCHED, "ssim"): [0.6, 0.7, 0.8, 1.2, 1.4]}
    assert set(verdicts(compared(turned), "C11").values()) == {"contradicted"}


def test_class_evidence_of_late_layers() -> None:
    changes = {(PHOTOS, c, "class_log_odds"): 1.5 for c in (CONVERGING, BLURRED)}
    found = compared(changes)
    late = dict.fromkeys(("layer3", "layer4"), "supported")
    assert verdicts(found, "C12", "log-odds", "converging") == late
    assert verdicts(found, "C12", "log-odds", "recipe") == late
    assert "supported" not in verdicts(found, "C12", "probability", "recipe").values()


def test_a_network_trained_on_noise() -> None:
    changes = {
        (NOISE, BLURRED, "embedding_ratio"): 40.0,
        (NOISE, PLAIN, "embedding_ratio"): 0.1,
        (NOISE, PLAIN, "spectral_distance"): 0.5,
        (NOISE, MATCHED, "ssim"): 0.7,
    }
    found = compared(changes)
    assert verdicts(found, "C13", "with blur") == dict.fromkeys(LAYERS, "supported")
    assert verdicts(found, "C13", "without blur") == dict.fromkeys(LAYERS, "supported")
    deep = dict.fromkeys(("layer2", "layer3", "layer4"), "supported")
    assert verdicts(found, "C13", "spectral", "fixed steps") == deep
    assert set(verdicts(found, "C13", "spectral", "converging")) == set(deep)
    assert verdicts(found, "C13", "SSIM") == dict.fromkeys(("conv1", "layer1"), "supported")


@pytest.mark.parametrize(
    ("networks", "claims"),
    [
        ((UNTRAINED,), set()),
        ((PHOTOS,), {"C10"}),
        ((UNTRAINED, PHOTOS, "mine"), {"C10", "C11", "C12"}),
        ((NOISE, UNTRAINED), {"C10", "C13"}),
        ((PHOTOS, NOISE), {"C10"}),
    ],
)
def test_claims_of_networks_that_are_there(networks: tuple, claims: set) -> None:
    assert {finding.claim for finding in findings(compared(networks=networks))} == claims


@pytest.mark.parametrize(
    ("count", "early", "late"), [(1, 0, 0), (2, 1, 1), (3, 1, 1), (4, 2, 2), (5, 2, 2), (9, 2, 2)]
)
def test_no_layer_is_early_and_late(count: int, early: int, late: int) -> None:
    layers = tuple(f"layer{i}" for i in range(count))
    found = compared(layers=layers)
    assert (len(found.early), len(found.late)) == (early, late)
    assert not set(found.early) & set(found.late)
    assert tuple(found.early) == layers[:early] and tuple(found.late) == layers[count - late :]
    assert findings(found)


def test_images_that_never_got_there_are_counted() -> None:
    found = compared()
    found.values[MATCHED, "ssim"][1, 0, 4, :2] = np.nan  # photos at layer4
    found.values[MATCHED, "ssim"][0, :, 0] = np.nan  # untrained at conv1
    by_layer = {f.where: f for f in findings(found) if f.claim == "C11"}
    assert "(10 of 12)" in by_layer["photos, layer4"].statistic
    assert " of " not in by_layer["photos, layer3"].statistic
    assert by_layer["photos, conv1"].verdict == "not reached"


def test_pairs_are_compared_and_not_averages() -> None:
    """A small change of every image shows through large differences between images."""
    found = compared({(PHOTOS, MATCHED, "ssim"): [1.05, 1.0, 1.0, 1.0, 1.0]})
    assert verdicts(found, "C11")["conv1"] == "supported"
    spread = found.of(MATCHED, "ssim", PHOTOS, "conv1").std()
    assert spread > 0.05 * 0.5  # wider than the change


def test_one_trained_network_is_spoken_of_and_its_photographs_are_the_sample() -> None:
    """With one random initialisation nothing follows, which is a sample of one."""
    found = compared()
    alone = replace(found, seeds=(0,), values={key: v[:, :1] for key, v in found.values.items()})
    assert {one.verdict for one in findings(alone)} == {"not reached"}
    told = findings(alone, [PHOTOS])
    assert {one.sample for one in told if one.network == PHOTOS} == {"these 1 × 4"}
    assert {one.note for one in told if one.network == PHOTOS} == {ONE_NETWORK}
    assert "not reached" not in {one.verdict for one in told if one.network == PHOTOS}
    assert {one.verdict for one in told if one.network == NOISE} == {"not reached"}
    # Beside three untrained networks it is a sample of these.
    assert {one.sample for one in findings(found, [PHOTOS])} == {"3 × 4"}


def test_a_comparison_is_made_again_of_its_rows(tmp_path) -> None:
    """Also of those that were stored; then nothing has to run to judge it again."""
    whole = compared()
    whole.values[MATCHED, "ssim"][1, 0, 4, :2] = np.nan
    with begin(tmp_path / "run", {}) as folder:
        write_results(folder, whole.rows(), [])
    again = Comparison.of_rows(read_rows(tmp_path / "run"))
    assert again.values.keys() == whole.values.keys()
    records = [[one.record() for one in findings(each)] for each in (whole, again)]
    assert records[0] == records[1]


def test_one_row_for_each_number() -> None:
    found = compared()
    rows = found.rows()
    assert len(rows) == 3 * 3 * 5 * len(CONDITIONS) * 4
    row = next(
        r
        for r in rows
        if (r["network"], r["seed"], r["layer"], r["condition"], r["image"])
        == (NOISE, 2, "layer1", MATCHED, "c")
    )
    assert row["ssim"] == found.values[MATCHED, "ssim"][2, 2, 1, 2]
    assert np.isnan(row["elasticity"]) and row["depth"] == 1


def test_the_table_says_what_is_missing() -> None:
    found = compared()
    found.values[MATCHED, "ssim"][1, 0, 4, :2] = np.nan
    found.values[MATCHED, "ssim"][2, :, 1] = np.nan
    lines = network_table(found, MATCHED, "ssim").splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == list(NETWORKS)
    assert lines[3].endswith("(10 of 12) |") and lines[4].count("– (0 of 12)") == 1


# ----------------------------------------------------------------------- from arrays of a run


def arrays(random: np.random.Generator) -> dict[str, np.ndarray]:
    rho = np.geomspace(1, 0.01, 30)[:, None, None] * np.ones((1, 2))
    named = (
        "embedding_ratio", "input_ratio", "relative_embedding_distance", "final_embedding_ratio",
        "final_input_ratio", "final_relative_embedding_distance",
    )  # fmt: skip
    return {
        **{name: random.random((1, 2)) for name in named},
        "images": random.random((1, 2, 12, 12, 3)).astype(np.float32),
        "final_images": random.random((1, 2, 12, 12, 3)).astype(np.float32),
        "status": np.array([[REACHED, RUNNING]]),
        "stopped_step": np.array([[17, 30]]),
        "trajectory_embedding_ratio": rho,
        "trajectory_input_ratio": 3 * rho**0.2,
        "matched_input_ratio": random.random((len(MATCHED_RATIOS), 1, 2)),
    }


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_numbers_of_one_layer(condition: str) -> None:
    random = np.random.default_rng(0)
    given = arrays(random)
    target, start = random.random((2, 2, 12, 12, 3)).astype(np.float32)
    noise = random.normal(0.5, 0.25, (8, 12, 12, 3)).astype(np.float32)
    found = quantities(given, target, start, noise, condition)
    assert {value.shape for value in found.values()} == {(2,)}
    prefix = "final_" if condition in (BLURRED, PLAIN) else ""
    for name in ("embedding_ratio", "input_ratio", "relative_embedding_distance"):
        assert found[name][0] == given[prefix + name][0, 0]
    np.testing.assert_allclose(found["elasticity"], 0.2)
    np.testing.assert_array_equal(found["input_ratio_at_0.1"], given["matched_input_ratio"][2, 0])
    of_image = ("ssim", "gradient_energy_ratio", "spectral_distance", "input_ratio")
    # An image that was to be matched and was not has no numbers.
    missing = [name for name in of_image if np.isnan(found[name][1])]
    assert missing == (list(of_image) if condition == MATCHED else [])
    # The target itself is like itself, and an image that is broken is like nothing.
    images = given[prefix + "images"]
    images[0, 0] = target[0]
    images[0, 1, 2, 2] = np.nan
    again = quantities(given, target, start, noise, condition)
    assert again["ssim"][0] == again["gradient_energy_ratio"][0] == 1
    assert np.isnan([again["ssim"][1], again["spectral_distance"][1]]).all()
