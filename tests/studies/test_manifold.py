"""C14 from rows made by hand, and which networks are seen beside which training set."""

import numpy as np
import pytest
from study_rows import TRAINED_ON, manifold_rows

import depthjax
from depthjax.studies.manifold.judged import findings, medians, table
from depthjax.studies.manifold.measured import NEIGHBOURS, RESIDUAL, places_by_training_set
from depthjax.studies.networks import places
from depthjax.weights import Weights


def test_what_has_one_origin_is_one_number():
    found = table(manifold_rows(), NEIGHBOURS, "photos", "crops", "photographs", "fc1")
    np.testing.assert_allclose(found, np.ones((3, 3)), rtol=0.01)  # √(½ · 2)
    np.testing.assert_allclose(
        medians(manifold_rows(), ["fc1"], RESIDUAL, "untrained", "crops", "photographs"),
        [[1, 1, 1]],
        rtol=0.01,
    )


def test_trained_networks_are_judged_by_the_untrained_one_beside_the_same_set():
    found = findings(manifold_rows(), ["fc1"], "untrained", TRAINED_ON)
    # Gaussian noise is nothing arbitrary to who was trained on it.
    assert len(found) == 2 * 3 and "noise, fc1, Gaussian noise" not in {one.where for one in found}
    assert [one.interval.estimate for one in found] == pytest.approx([0.5] * 6, rel=0.01)
    assert {one.verdict for one in found} == {"supported"}


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
