"""Every test runs with shapes and dtypes of public functions checked, and ranks never guessed."""

import os
from pathlib import Path

# Tests compile much and run little; scripts that they start inherit it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")

import jaxtyping

PACKAGE = Path(__file__).parent.parent / "depthjax"
# These check what they are given themselves, and say so in one line.
CHECK_THEMSELVES = {"config", "images"}

# Before anything imports depthjax: annotations become checks.
jaxtyping.install_import_hook(
    [f"depthjax.{entry.stem}" for entry in PACKAGE.iterdir() if entry.stem not in CHECK_THEMSELVES],
    "beartype.beartype",
)

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")  # or accelerators miss tolerances

# Compilation takes longer than hypothesis expects of an example, and longer yet on a busy machine.
hypothesis.settings.register_profile(
    "compiled", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("compiled")


@pytest.fixture
def x64():
    """Float64 for the length of a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where data sets are prepared, once for all tests."""
    needs = "tensorflow-datasets prepares and reads all sets but noise"
    pytest.importorskip("tensorflow_datasets", reason=needs)
    return tmp_path_factory.mktemp("data_dir")
