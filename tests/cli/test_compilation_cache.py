"""The folder of compiled programs: of one kind of machine, no larger than it may be, optional."""

import os

import jax
import jaxlib
import pytest

from depthjax.cli import compilation_cache
from depthjax.files import cache_folder


@pytest.fixture
def set_in_jax(monkeypatch):
    """What JAX is told."""
    told = {}
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    return told


def test_it_is_of_this_jaxlib_and_processor(tmp_path, set_in_jax, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compilation_cache.enable_compilation_cache()
    folder = set_in_jax["jax_compilation_cache_dir"]
    assert folder.startswith(f"{tmp_path}/depthjax/xla/jaxlib-{jaxlib.__version__}-")
    mine = compilation_cache.machine()
    real = compilation_cache.Path.read_text
    monkeypatch.setattr(
        compilation_cache.Path, "read_text", lambda *a, **k: real(*a, **k) + "\nflags : avx1024"
    )
    assert compilation_cache.machine() != mine


@pytest.mark.parametrize("place", ["/proc/nothing", "a_file"])
def test_a_folder_that_cannot_be_made_is_done_without(place, tmp_path, set_in_jax, monkeypatch):
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", os.path.join(tmp_path, place))
    compilation_cache.enable_compilation_cache()
    assert not set_in_jax


def test_without_a_home(set_in_jax, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    compilation_cache.enable_compilation_cache()
    assert not set_in_jax
    with pytest.raises(ValueError, match="set HOME or XDG_CACHE_HOME"):
        cache_folder()


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    for day, name in enumerate(["old", "older/kept", "new"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (day, day))
    compilation_cache.keep_newest(tmp_path, 250)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["kept", "new"]
    compilation_cache.keep_newest(tmp_path, 0)
    assert not any(p.is_file() for p in tmp_path.rglob("*"))
