"""Every test runs with shapes and dtypes of public functions checked, and ranks never guessed."""

import gc
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

# Tests compile much and run little; scripts that they start inherit it. XLA's older emitter of
# loops, and one module for each program in place of many, compile in a third of the time.
XLA_FLAGS = "--xla_backend_optimization_level=1 --xla_cpu_parallel_codegen_split_count=1"
if tuple(map(int, version("jaxlib").split(".")[:2])) <= (0, 10):  # 0.12 ends if it is asked
    XLA_FLAGS += " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Python compiles a package at its first import and keeps that; otherwise each of the scripts and
# workers that tests start does it again, for 2 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# What one process has compiled, no other compiles again: the workers, scripts, notebooks.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # workers have it from the process that began
    PROGRAMS = tempfile.TemporaryDirectory()  # for this session only
    os.environ["JAX_COMPILATION_CACHE_DIR"] = PROGRAMS.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
# Scripts that ask for huge pages start twice.
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")

import jaxtyping  # noqa: E402
from checked_types import checked  # noqa: E402

PACKAGE = Path(__file__).parent.parent / "depthjax"
# These check what they are given themselves, and say so in one line.
CHECK_THEMSELVES = (
    *("depthjax.inversion.config", "depthjax.images."),
    *("depthjax.weights.pickles", "depthjax.weights.tensors", "depthjax.weights.torch_files"),
)
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__init__"
]

# Before anything imports depthjax: annotations become checks.
jaxtyping.jaxtyped = checked
jaxtyping.install_import_hook(
    [module for module in MODULES if not module.startswith(CHECK_THEMSELVES)],
    "beartype.beartype",
)

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

from depthjax.compat import enable_x64  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")  # or accelerators miss tolerances

# What a kill leaves is in memory of the machine, and power cuts are not tested.
os.fsync = lambda _: None

# Tracing makes millions of small objects that live; looking through them again finds nothing.
gc.set_threshold(10_000, 10, 10)

# Compilation takes longer than hypothesis expects of an example, and longer yet on a busy machine.
hypothesis.settings.register_profile(
    "compiled", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("compiled")


MAPPINGS, PROGRAMS = 45_000, 3_000
"""From here on programs are let go, to be read again from the cache on disk."""

compiled = [0]


@jax.monitoring.register_event_duration_secs_listener
def count_programs(event, seconds, **_):
    """How many there are since they were last let go."""
    compiled[0] += event == "/jax/core/compile/backend_compile_duration"


def pytest_collection_finish():
    """What has been imported stays: no collection of garbage looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Lets go of compiled programs before there are too many for one process.

    Each takes several mappings of memory; Linux allows 65,530, and XLA crashes where it gets none.
    JAX lets the oldest of 4,096 go by itself, and some tests count them.
    """
    yield
    mappings = Path("/proc/self/maps")
    many = mappings.is_file() and mappings.read_bytes().count(b"\n") > MAPPINGS
    if many or compiled[0] > PROGRAMS:
        jax.clear_caches()
        compiled[0] = 0


@pytest.fixture
def x64():
    """Float64 for the length of a test."""
    with enable_x64(True):
        yield


@pytest.fixture(scope="module")
def optimised():
    """Programs of a module that runs for longer than it compiles, such as descents in float64."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where data sets are prepared, once for all tests."""
    needs = "tensorflow-datasets prepares and reads all sets but noise"
    pytest.importorskip("tensorflow_datasets", reason=needs)
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own within
        folder = folder.parent
    folder /= "data_dir"
    folder.mkdir(exist_ok=True)
    return folder
