"""Claim C18 on numbers that are made up, and the statistics of gradients that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from study_rows import gradient_rows

from depthjax.claims.judging import judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.studies.gradients.judged import findings
from depthjax.studies.gradients.measured import input_gradients, statistics_of


@pytest.mark.parametrize(
    ("size", "shape", "verdicts"),
    [
        (1.0, 1.2, ("supported", "supported")),
        (30.0, 1.0, ("contradicted", "supported")),
        (0.1, 9.0, ("contradicted", "contradicted")),
        (2.0, 1.0, ("contradicted", "supported")),  # no smallest effect within the bound
    ],
)
def test_c17_by_the_last_layer_over_the_first(size, shape, verdicts):
    told = judge_claim(CLAIMS["C18"], findings(gradient_rows(size, shape), "ab", ["untrained"]))
    assert tuple(part.verdict for part in told.parts) == verdicts
    expected = "not supported" if "contradicted" in verdicts else "supported"
    assert told.verdict == expected


def test_c17_is_judged_at_the_start_and_needs_two_layers():
    found = findings(gradient_rows(), ("a", "b"), ["untrained"])
    assert {one.note for one in found if one.votes} == {"at the start"}
    assert {one.note for one in found if not one.votes} == {"at the noisy copy"}
    assert findings(gradient_rows(names=("a",)), ("a",), ["untrained"]) == []


def test_the_gradient_is_that_of_the_papers_objective():
    """Through a linear layer it is c·sign(r) Wᵀ; where the embedding is the target's it is 0."""
    random = np.random.default_rng(0)
    kernel = jnp.asarray(random.normal(size=(12, 5)), jnp.float32)
    a, other = (jnp.asarray(random.normal(size=(2, 2, 2, 3)), jnp.float32) for _ in range(2))
    found = input_gradients(_linear, kernel, a, other)
    signs = np.sign((other - a).reshape(2, -1) @ kernel)
    np.testing.assert_allclose(found, (0.15 * signs @ kernel.T).reshape(a.shape), rtol=1e-5)
    assert not np.any(input_gradients(_linear, kernel, a, a))


def _linear(kernel: jax.Array, images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) @ kernel


def test_statistics_of_gradients_that_are_known():
    noise = np.random.default_rng(0).normal(2.0, 3.0, (64, 64, 3))
    found = statistics_of(noise)
    assert found["mean"] == pytest.approx(2, abs=0.1)
    assert found["std"] == pytest.approx(3, rel=0.03)
    assert found["kurtosis"] == pytest.approx(3, rel=0.05)
    assert found["neighbours"] == pytest.approx(0, abs=0.03)
    halves = np.repeat(np.repeat(noise[:8, :8], 8, 0), 8, 1)
    assert statistics_of(halves)["neighbours"] > 0.7
    assert statistics_of(5 * noise)["kurtosis"] == pytest.approx(found["kurtosis"])
    assert np.isnan(statistics_of(np.ones((4, 4, 3)))["kurtosis"])
