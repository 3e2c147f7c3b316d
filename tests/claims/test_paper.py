"""The claims as data: studies name parts that exist, and each part has one study."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from study_findings import STUDIES
from study_rows import JACOBIAN_LAYERS, TRAINED_ON, compared, jacobian_rows, manifold_rows

import depthjax.studies
from depthjax.claims.beside import BESIDE
from depthjax.claims.judging import SUPPORTED, UNDECIDED, judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.images import load_images
from depthjax.images.luminance import luminance
from depthjax.inversion.explained import explained
from depthjax.studies.comparison import judged as comparison
from depthjax.studies.jacobian import judged as jacobian
from depthjax.studies.manifold import judged as manifold

EVERY = CLAIMS | BESIDE
FOUND = {name: findings() for name, findings in STUDIES.items()}


def test_every_study_is_asked_here() -> None:
    folder = Path(depthjax.studies.__file__).parent
    assert set(STUDIES) == {path.parent.name for path in folder.glob("*/judged.py")}


def test_claims_are_named_by_their_ids() -> None:
    assert list(CLAIMS) == [f"C{n}" for n in range(1, 22)]
    assert all(claim.id == name and claim.parts for name, claim in EVERY.items())


def test_each_part_is_judged_by_exactly_one_study() -> None:
    studies = defaultdict(set)
    for study, findings in FOUND.items():
        for finding in findings:
            if finding.part:
                assert finding.votes, finding
                assert finding.bound == EVERY[finding.claim].parts[finding.part].bound, finding
                studies[finding.claim, finding.part].add(study)
    assert set(studies) == {(claim.id, part) for claim in EVERY.values() for part in claim.parts}
    assert {key: len(names) for key, names in studies.items()} == dict.fromkeys(studies, 1)


def test_what_keeps_less_than_half_of_the_luminance_is_less_than_a_mosaic() -> None:
    """C2 calls an image missed from there on; docs/claims.md has these numbers."""
    names = ["astronaut", "chelsea", "coffee", "rocket", "china"]
    pictures = np.asarray(luminance(load_images(names, 224)[1]), np.float64)
    squares = np.kron(pictures.reshape(5, 8, 28, 8, 28).mean((2, 4)), np.ones((28, 28)))
    blurred = gaussian_filter(pictures, (0, 8, 8), mode="mirror")
    for copies, share in ((squares, 0.57), (blurred, 0.74)):
        found = np.mean([explained(*pair) for pair in zip(pictures, copies, strict=True)])
        assert found == pytest.approx(share, abs=0.005)
        assert found > CLAIMS["C2"].parts["image_missed"].bound.high


def test_each_part_has_an_effect_within_its_bound_and_a_reason() -> None:
    for claim in EVERY.values():
        for part in claim.parts.values():
            assert part.because and part.effect >= 0
            # There is room for an effect, and the most that it asks for is support.
            wanted = part.bound.low + part.effect, part.bound.high - part.effect
            assert wanted[0] <= wanted[1] + 1e-12


def test_places_of_a_part_are_of_one_kind() -> None:
    """Or their mean would be of different things."""
    kinds = defaultdict(set)
    for findings in FOUND.values():
        for one in findings:
            if one.part:
                kinds[one.claim, one.part].add((one.measured.logarithmic, one.fixed, one.search))
    assert {key for key, found in kinds.items() if len(found) > 1} == set()


def test_findings_beside_a_claim_are_about_a_claim_that_exists() -> None:
    assert {finding.claim for findings in FOUND.values() for finding in findings} == set(EVERY)


def test_a_singular_value_is_no_active_unit() -> None:
    """The bound > 1e-13 at conv1 once counted as that enough is active before pooling."""
    findings = jacobian.findings(jacobian_rows(), JACOBIAN_LAYERS, ["untrained"])
    judged = judge_claim(CLAIMS["C9"], findings)
    assert judged.verdict == SUPPORTED
    assert [len(part.findings) for part in judged.parts] == [1, 1, 1]
    rest = [one for one in findings if "active units" not in one.statistic]
    judged = judge_claim(CLAIMS["C9"], rest)
    assert judged.verdict == UNDECIDED
    assert "enough is active before pooling: not measured" in judged.reason


@pytest.mark.parametrize(
    "layers",
    [
        ("conv1", "layer1", "layer2", "layer3", "layer4"),  # a ResNet's stages
        ("conv1", "conv2", "conv3", "conv4", "conv5"),  # the same by the paper's names, or a VGG
        ("pool1", "pool2", "pool3", "pool4", "pool5"),
    ],
)
def test_claims_count_layers_by_their_place_and_not_by_their_names(layers: tuple) -> None:
    """Deep layers were once those called layer2 and more, which no VGG has."""
    findings = comparison.findings(compared(layers=layers))
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in findings:
        places[one.claim, one.part].add(one.layer)
    early, deep, last = set(layers[:2]), set(layers[2:]), {layers[-1]}
    assert places["C13", "harder_with_blur"] == places["C13", "matched_without_blur"] == deep
    assert places["C13", "like_training_noise"] == deep
    assert places["C13", "early_no_clearer"] == early
    assert places["C10", "image_stays_lost"] == places["C12", "target_class_added"] == last
    assert places["C11", "early_clearer"] == set(layers[1:3])
    assert places["C11", "late_not_clearer"] == set(layers[3:])
    assert all(
        part.verdict != "not measured" for part in judge_claim(CLAIMS["C13"], findings).parts
    )


def test_the_last_layer_counts_where_a_claim_is_about_it() -> None:
    findings = manifold.findings(manifold_rows(("a", "b")), ("a", "b"), "untrained", TRAINED_ON)
    counted = [one for one in findings if one.part]
    assert {(one.layer, one.quantity.split(":")[0]) for one in counted} == {
        ("b", "recovered image")
    }
    assert all("to training examples" in one.quantity for one in counted)
    assert len(counted) == 3 and len(findings) == 6 + 2 * 2 * 5


def test_a_network_called_control_has_no_vote() -> None:
    changed = {"photos": "control", "noise": "noise"}
    rows = [row | {"network": changed.get(row["network"], row["network"])}
            for row in manifold_rows()]  # fmt: skip
    trained_on = {"control": "crops", "noise": "noise/8"}
    findings = manifold.findings(rows, ("fc1",), "untrained", trained_on)
    assert {one.network for one in findings if one.aside == "control"} == {"control"}
    assert {one.network for one in findings if one.votes} == {"noise"}
