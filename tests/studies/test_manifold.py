"""C14 from rows made by hand, and which networks are seen beside which training set."""

import jax
import numpy as np
import pytest
from study_rows import TRAINED_ON, manifold_rows

import depthjax
from depthjax.analysis.nearness import neighbour_distance
from depthjax.data import Augmentation
from depthjax.studies.manifold.inputs import GAUSSIAN, HELD_OUT, Arbitrary, Beside
from depthjax.studies.manifold.judged import findings, medians, table
from depthjax.studies.manifold.measured import (
    NEIGHBOURS,
    PRINCIPAL,
    RECOVERED,
    places_by_training_set,
    recovered_rows,
    rows_at,
)
from depthjax.studies.networks import places
from depthjax.studies.rows import among
from depthjax.weights import Weights


def test_what_has_one_origin_is_one_number():
    own = among(manifold_rows(), seen=RECOVERED, input="photographs")
    found = table(own, NEIGHBOURS, "photos", "crops")
    np.testing.assert_allclose(found, np.ones((3, 3)), rtol=0.01)  # √(½ · 2)
    np.testing.assert_allclose(
        medians(manifold_rows(), ["fc1"], PRINCIPAL, "untrained", "crops", "photographs"),
        [[1, 1, 1]],
        rtol=0.01,
    )


def test_trained_networks_are_judged_by_the_untrained_one_beside_the_same_set():
    found = findings(manifold_rows(), ["fc1"], "untrained", TRAINED_ON)
    # Gaussian noise is nothing arbitrary to who was trained on it; held-out ones are not either.
    assert len(found) == 2 * (3 + 5) and "noise, fc1, Gaussian noise" not in {
        one.where for one in found
    }
    assert [one.interval.estimate for one in found] == pytest.approx([0.5] * 16, rel=0.01)
    assert {one.verdict for one in found} == {"supported"}
    assert {one.note for one in found if one.aside} == {HELD_OUT}
    counted = [one for one in found if one.part]
    assert len(counted) == 3 and all(one.quantity.startswith(RECOVERED) for one in counted)


def test_images_are_recovered_from_the_same_starts_and_seen_as_in_training():
    model = depthjax.build_model("mlp", widths=(60,))
    random = np.random.default_rng(0)
    kinds = {"photographs": 0.5, GAUSSIAN: 0.9}
    arbitrary = {
        kind: Arbitrary(np.full((4, 2, 2, 3), middle, np.float32), list("abcd"))
        for kind, middle in kinds.items()
    }
    training = random.random((30, 2, 2, 3)).astype(np.float32)
    inputs = {HELD_OUT: training[:2], **{kind: each.images for kind, each in arbitrary.items()}}
    beside = Beside(training, inputs, Augmentation(grey=True))
    weights = Weights(
        depthjax.init_variables(model, jax.random.key(0), 2), None, False, {"source": "untrained"}
    )
    (place,) = places(model, ["fc1"], {"untrained": [weights]}, [0])
    rows = list(recovered_rows(place, "crops", beside, arbitrary, count=2, steps=300))
    assert [(row["input"], row["origin"]) for row in rows] == [
        *(("photographs", "a"), ("photographs", "b"), (GAUSSIAN, "a"), (GAUSSIAN, "b"))
    ]
    # What is recovered from a layer that is wider than the image is the image.
    assert all(row["embedding_ratio"] < 0.05 and row["seen"] == RECOVERED for row in rows)
    flat = [each.reshape(len(each), -1) for each in (training, inputs["photographs"][:1])]
    expected = neighbour_distance(*flat)[0]
    assert rows[0][NEIGHBOURS] == pytest.approx(expected, rel=0.02)
    grey = beside.as_seen(np.array([[[[2.0, 0.5, -1.0]]]]))
    assert np.ptp(grey) == 0 and 0 < grey.max() < 1
    every = list(rows_at(place, "crops", beside, arbitrary))
    assert [row["input"] for row in every] == [HELD_OUT] * 2 + ["photographs"] * 4 + [GAUSSIAN] * 4


def test_every_network_is_seen_beside_its_own_set_and_untrained_ones_beside_all():
    model = depthjax.build_model("mlp", widths=(4, 2))
    one = [Weights({}, None, False, {"source": "untrained"})]
    every = places(model, ["fc1"], {"untrained": one, "photos": one, "noise": one}, [0])
    found = places_by_training_set(every, "untrained", TRAINED_ON, "crops")
    assert [(spec, place.network) for spec, place in found] == [
        *(("crops", "untrained"), ("crops", "photos")),
        *(("noise/8", "untrained"), ("noise/8", "noise")),
    ]
    alone = places_by_training_set(every[:1], "untrained", {}, "crops")
    assert [spec for spec, _ in alone] == ["crops"]
