"""The scripts: beside the package in a checkout, and in every wheel."""

import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from depthjax.cli import scripts

ROOT = Path(__file__).parents[2]
SHARED = "depthjax-{}.data/data/share/depthjax/experiments/"


def test_a_checkout_has_its_own():
    folder = scripts.scripts_folder()
    assert folder == ROOT / "experiments"


def test_an_install_has_them_where_pip_put_them(tmp_path, monkeypatch):
    folder = tmp_path / "share" / "depthjax" / "experiments"
    folder.mkdir(parents=True)
    (folder / "invert.py").touch()
    package = tmp_path / "lib" / "depthjax" / "cli" / "scripts.py"
    monkeypatch.setattr(scripts, "__file__", str(package))
    with pytest.raises(ValueError, match=r"not installed; .*clone its repository"):
        monkeypatch.setattr(metadata, "files", lambda name: None)
        scripts.scripts_folder()
    path = metadata.PackagePath("../share/depthjax/experiments/invert.py")
    path.dist = metadata.PathDistribution(tmp_path / "lib" / "depthjax.dist-info")
    monkeypatch.setattr(metadata, "files", lambda name: [path])
    assert scripts.scripts_folder() == folder


def test_a_wheel_brings_scripts_and_flag_files(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for name in ("depthjax", "experiments", "requirements"):
        ignored = shutil.ignore_patterns("__pycache__", "zoo")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    build = "import setuptools.build_meta as backend; print(backend.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tree.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shared = SHARED.format(wheel.name.split("-")[1])
    brought = {name.removeprefix(shared) for name in names if name.startswith(shared)}
    wanted = {
        str(path.relative_to(ROOT / "experiments"))
        for pattern in ("*.py", "*.flags", "pilots.json")
        for path in (ROOT / "experiments").rglob(pattern)
    }
    assert brought == wanted
    assert not any(name.startswith(("experiments/", "tests/", "colab/")) for name in names)


def test_pip_install_target_has_them_beside_the_package(tmp_path, monkeypatch):
    """RECORD then names them from another folder than they are in."""
    flags = tmp_path / "share" / "depthjax" / "experiments" / "flags"
    flags.mkdir(parents=True)
    monkeypatch.setattr(scripts, "__file__", str(tmp_path / "depthjax" / "cli" / "scripts.py"))
    assert scripts.scripts_folder() == flags.parent
