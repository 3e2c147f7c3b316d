"""Whether theory holds, from rows made by hand."""

import numpy as np
import pytest
from study_rows import prediction_rows

from depthjax.analysis.prediction import linear_descent
from depthjax.studies.prediction.judged import findings, layer_table
from depthjax.studies.prediction.measured import model_of, untrained_layers


def test_linear_networks_must_follow_the_whole_curve():
    (exact,) = findings(prediction_rows(True, 0.001))
    assert exact.verdict == "supported" and exact.interval.estimate == 0.001
    (wrong,) = findings(prediction_rows(True, 0.5))
    assert wrong.verdict == "contradicted"


def test_of_others_the_variance_within_a_layer_is_explained():
    whole, gained = findings(prediction_rows(False, 9.0, offset=2.0))
    # What all predictions have in common does not count.
    assert whole.interval.estimate == pytest.approx(1, abs=0.001)
    around, start = np.arange(9) - 4, np.array([1, -1, 0, 0, 1, -1, -1, 0, 1.0])
    shared = (around @ start) ** 2 / (around @ around) / (start @ start)
    assert gained.interval.estimate == pytest.approx(1 - shared, abs=0.001)
    assert "| net, fc1 " in layer_table(prediction_rows(False, 9.0))


def test_places_are_every_layer_and_seed_of_networks():
    models = {"linear": model_of("linear", [1.5, 0.5], 12), "relu": model_of("relu", [1.0], 12)}
    assert models["linear"].widths == (18, 6)
    found = untrained_layers(models, [0, 4])
    assert [(one.network, one.depth, one.seed, one.affine) for one in found] == [
        *(("linear", 0, 0, True), ("linear", 0, 4, True)),
        *(("linear", 1, 0, True), ("linear", 1, 4, True)),
        *(("relu", 0, 0, False), ("relu", 0, 4, False)),
    ]
    with pytest.raises(ValueError, match="did you mean 'linear'"):
        model_of("liner", [], 12)


def test_a_linear_descent_is_what_theory_knows():
    config = linear_descent(20, 0.5, momentum=0.9)
    assert config.record_every == 20 and dict(config.optimizer_options) == {"momentum": 0.9}
    assert linear_descent(20, 0.5, record_every=3).record_every == 3
