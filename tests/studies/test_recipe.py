"""Claim C2 by the paper's recipe, on numbers that are made up, so that the verdict is known."""

import numpy as np
import pytest
from study_rows import last_iterates

from depthjax.claims.judging import judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.studies.recipe.judged import findings
from depthjax.studies.recipe.measured import TUNED, quantities, tuned


def parts(found):
    judged = judge_claim(CLAIMS["C2"], findings(found, "resnet18", ["untrained"]))
    return {part.name: part.verdict for part in judged.parts}, judged.verdict


@pytest.mark.parametrize(
    ("published", "slow", "verdicts"),
    [
        (0.5, 0.3, ("supported", "supported")),
        (3.0, 0.3, ("contradicted", "supported")),
        (3.0, 2.0, ("contradicted", "contradicted")),
        (1.0, 0.99, ("open", "contradicted")),  # nearer, but by less than is of interest
    ],
)
def test_c2_by_the_published_and_by_the_tuned_rate(published, slow, verdicts):
    found, verdict = parts(last_iterates({"1": published, "0.1": slow}))
    if published == 1.0:
        assert found["recipe_matches"] in ("open", "contradicted")
    else:
        assert (found["recipe_matches"], found["tuned_recipe_matches"]) == verdicts
    # Published constants that fail decide; the tuned rate has no vote.
    expected = "not supported" if found["recipe_matches"] == "contradicted" else None
    assert expected is None or verdict == expected


def test_fewer_than_three_seeds_have_an_interval_over_photographs_and_no_vote():
    found = findings(last_iterates({"1": 3.0, "0.1": 0.3}, seeds=(0,)), "resnet152", ["untrained"])
    assert {one.aside for one in found} == {"contrast"}
    assert {one.note for one in found} == {"over photographs alone"}
    assert {one.verdict for one in found if one.detail == "as published"} == {"contradicted"}


def test_other_layers_and_networks_have_no_vote():
    found = findings(last_iterates(), "vgg16", [])
    assert found and not any(one.votes or one.part for one in found)
    voting = [one for one in findings(last_iterates(), "resnet18", ["untrained"]) if one.votes]
    assert {one.layer for one in voting} == {"layer4"} and len(voting) == 2


def test_the_objective_alone_chooses_the_rate():
    """The nearer image has no say; a rate that overflows is never chosen."""
    objective = {"1": [[4.0, 1.0, np.inf, np.nan]], "0.1": [[2.0, 3.0, 5.0, np.nan]]}
    rho = {"1": [[0.1, 0.2, 0.3, np.nan]], "0.1": [[9.0, 8.0, 7.0, np.nan]]}
    values = {(rate, "objective"): np.array(numbers) for rate, numbers in objective.items()}
    values |= {(rate, "embedding_ratio"): np.array(numbers) for rate, numbers in rho.items()}
    chosen = tuned(values)
    np.testing.assert_array_equal(chosen[TUNED, "embedding_ratio"], [[9.0, 0.2, 7.0, np.nan]])
    one = {key: table for key, table in values.items() if key[0] == "1"}
    assert np.isnan(tuned(one)[TUNED, "embedding_ratio"]).all()  # no choice


def test_a_descent_that_overflows_went_at_least_as_far_as_was_recorded():
    recorded = np.array([[[3.0, 3.0]], [[9.0, 1.0]], [[np.inf, 0.5]]])
    arrays = {
        "trajectory_embedding_ratio": recorded,
        "trajectory_objective": np.array([[[1.0, 1.0]], [[np.nan, 0.5]]]),
        "final_embedding_ratio": np.array([[np.nan, 0.5]]),
        "final_input_ratio": np.array([[np.nan, 2.0]]),
        "final_luminance_r2": np.array([[np.nan, 0.25]]),
        "embedding_ratio": np.array([[3.0, 0.4]]),
    }
    found = quantities(arrays)
    np.testing.assert_array_equal(found["embedding_ratio"], [9.0, 0.5])
    np.testing.assert_array_equal(found["objective"], [np.inf, 0.5])
    np.testing.assert_array_equal(found["start_embedding_ratio"], [3.0, 3.0])
