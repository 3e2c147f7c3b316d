"""Every test runs with shapes and dtypes of public functions checked, and ranks never guessed."""

import jaxtyping

# Before anything imports depthjax: annotations become checks.
jaxtyping.install_import_hook("depthjax", "beartype.beartype")

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")  # or accelerators miss tolerances


@pytest.fixture
def x64():
    """Float64 for the length of a test."""
    with jax.enable_x64(True):
        yield
