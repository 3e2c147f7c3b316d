"""Where a residual sits, on embeddings that are made for it."""

import jax.numpy as jnp
import numpy as np
import pytest

from depthjax.analysis.residual import Residual, holding_half, residual_shares
from depthjax.studies.inversion.drawn import where_it_sits


def test_shares_are_of_the_square(x64):
    target = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4, 5)))
    embedding = target.at[0, 1, 2, 3].add(2.0).at[0, 0, 0, 3].add(1.0).at[1].add(0.5)
    found = residual_shares(embedding, target)
    np.testing.assert_allclose(found.positions[0, 1, 2], 0.8)
    np.testing.assert_allclose(found.positions[0, 0, 0], 0.2)
    np.testing.assert_allclose(found.channels[0], [0, 0, 0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(found.positions[1], 1 / 12)
    np.testing.assert_allclose(found.channels[1], 1 / 5)
    assert holding_half(found.channels).tolist() == [1, 3]
    assert holding_half(found.positions).tolist() == [1, 6]


def test_tokens_have_positions_and_nothing_left_has_no_place():
    target = jnp.ones((2, 7, 3))
    found = residual_shares(target.at[0, 4].add(1.0), target)
    assert found.positions.shape == (2, 7) and found.positions[0, 4] == 1
    assert np.isnan(found.channels[1]).all()
    assert np.isnan(holding_half(found.positions)).tolist() == [False, True]


def test_what_has_no_positions():
    with pytest.raises(ValueError, match=r"are \[B, …, C\], got \(2, 7\)"):
        residual_shares(jnp.ones((2, 7)), jnp.zeros((2, 7)))


def test_captions_are_as_short_in_wide_layers_of_large_images():
    positions, channels = jnp.ones((1, 112, 112)), jnp.ones((1, 2048))
    whole = Residual(positions / positions.sum(), channels / channels.sum())
    assert where_it_sits(whole) == ["half in 50 % of channels\nand 50 % of positions"]
    one = jnp.zeros((1, 112, 112)).at[0, 3, 4].set(1.0)
    (text,) = where_it_sits(Residual(one, channels / channels.sum()))
    assert text.splitlines()[1] == "and <1 % of positions"
