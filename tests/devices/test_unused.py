"""An accelerator that JAX does not use is said in one line, with what mends it."""

from importlib import metadata

import jax
import pytest

from depthjax.devices.unused import unused_accelerator


@pytest.fixture
def not_asked_for(monkeypatch):
    """As where nobody has chosen the CPU."""
    monkeypatch.setattr(type(jax.config), "jax_platforms", None, raising=False)


def plugin(monkeypatch, *installed):
    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return "0.7.2"

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize(
    ("file", "installed", "extra"),
    [
        ("nvidia0", (), "cuda12"),
        ("nvidia3", ("jax-cuda12-plugin",), "cuda12"),
        ("nvidia0", ("jax-cuda13-plugin",), "cuda13"),
        ("accel0", (), "tpu"),
    ],
)
def test_what_is_there_and_how_to_use_it(
    tmp_path, monkeypatch, not_asked_for, file, installed, extra
):
    plugin(monkeypatch, *installed)
    (tmp_path / file).touch()
    line = unused_accelerator(tmp_path, {})
    assert f"pip install 'jax[{extra}]=={jax.__version__}'" in line and "\n" not in line
    assert ("TPU" if extra == "tpu" else "NVIDIA GPU") in line


def test_a_tpu_may_be_known_by_its_settings(tmp_path, not_asked_for):
    assert "TPU" in unused_accelerator(tmp_path, {"TPU_ACCELERATOR_TYPE": "v5litepod-1"})


def test_nothing_is_said_without_one(tmp_path, not_asked_for):
    (tmp_path / "nvidiactl").touch()  # the driver's, also where no GPU is given to a container
    assert unused_accelerator(tmp_path, {"HOME": "/"}) == ""


def test_nothing_is_said_where_jax_uses_it(tmp_path, monkeypatch, not_asked_for):
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert unused_accelerator(tmp_path, {}) == ""


def test_without_asking_jax_a_package_for_the_device_counts_as_its_use(
    tmp_path, monkeypatch, not_asked_for
):
    """Scripts ask so: to ask JAX would take a TPU from the processes that they start."""
    monkeypatch.setattr(jax, "default_backend", lambda: pytest.fail("JAX was asked"))
    (tmp_path / "nvidia0").touch()
    plugin(monkeypatch)
    assert "NVIDIA GPU" in unused_accelerator(tmp_path, {}, ask_jax=False)
    plugin(monkeypatch, "jax-cuda12-plugin")
    assert unused_accelerator(tmp_path, {}, ask_jax=False) == ""
    plugin(monkeypatch, "libtpu")
    assert unused_accelerator(tmp_path / "none", {"TPU_NAME": "a"}, ask_jax=False) == ""


def test_nothing_is_said_to_who_asked_for_the_cpu(tmp_path, monkeypatch):
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(type(jax.config), "jax_platforms", "cpu", raising=False)
    assert unused_accelerator(tmp_path, {}) == ""
