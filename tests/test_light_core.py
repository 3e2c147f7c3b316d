"""What inverts needs no package for data; what needs one says so in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from depthjax.analysis.nearness import neighbour_distance
from depthjax.data import open_dataset
from depthjax.data.preparation import require_tfds
from depthjax.files import parquet_bytes

ROOT = Path(__file__).parents[1]
ONLY_FOR_DATA = ("array_record", "importlib_resources", "pyarrow", "sklearn", "tensorflow_datasets")


def test_the_demo_imports_nothing_that_is_only_for_data():
    """`make demo` does not install them."""
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({ONLY_FOR_DATA})); "
        "runpy.run_path('experiments/gallery.py', run_name='gallery')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_names_and_modules_are_there_after_the_import_of_the_package():
    code = """
import sys, depthjax
assert "jax" not in sys.modules
assert depthjax.images.load_images and depthjax.jacobian.linearize
from depthjax import statistics, InversionConfig
try:
    depthjax.invrt
except AttributeError as error:
    print(error)
assert not hasattr(depthjax, "nothing_like_it")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "module 'depthjax' has no attribute 'invrt'; did you mean invert?\n"


@pytest.mark.parametrize(
    ("module", "package", "use"),
    [
        ("pyarrow", "pyarrow", lambda: parquet_bytes([{"a": 1}])),
        ("sklearn.neighbors", "scikit-learn", lambda: neighbour_distance(*_examples())),
        ("array_record", "array_record", lambda: open_dataset("digits")),
        ("tensorflow_datasets", "tensorflow-datasets", lambda: open_dataset("digits")),
    ],
)
def test_what_is_missing_is_named_with_how_to_get_it(module, package, use, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=f"not installed: pip install {package}") as raised:
        use()
    assert "\n" not in str(raised.value)


def _examples():
    import numpy as np

    random = np.random.default_rng(0)
    return random.normal(size=(8, 3)), random.normal(size=(2, 3))


def test_on_windows_the_way_out_is_another_one(monkeypatch):
    """No wheel of array_record can be installed there."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"'digits' needs array_record, .*Windows; take noise"):
        require_tfds("digits")
