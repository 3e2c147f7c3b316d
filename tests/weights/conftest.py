"""Weights that tests of this folder share."""

import pytest
from drawn_weights import drawn_weights


@pytest.fixture(scope="module")
def trained():
    """A model, and weights of which no two are equal."""
    return drawn_weights()
