"""Photographs that come with installed packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from error_messages import error_of
from photographs import assert_photograph

from depthjax import images
from depthjax.images import (
    EMBEDDED,
    embedded,
    load_image,
    to_uint8,
)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_photographs_load_and_say_where_they_come_from(name: str) -> None:
    photograph = EMBEDDED[name]
    assert photograph.name == name
    assert photograph.package in {"scikit-image", "scikit-learn"}
    assert photograph.licence and photograph.description
    image = load_image(name)
    assert_photograph(image, *image.shape[:2])
    assert min(image.shape[:2]) >= 200
    assert image.std() > 0.02


def test_the_embedded_names() -> None:
    assert set(EMBEDDED) == set(
        [
            "astronaut",
            "chelsea",
            "coffee",
            "rocket",
            "retina",
            "hubble",
            "immunohistochemistry",
            "camera",
            "brick",
            "grass",
            "gravel",
            "cell",
            "clock",
            "coins",
            "moon",
            "china",
            "flower",
        ]
    )


def test_embedded_photographs_need_no_network_and_no_import_of_their_packages() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from depthjax.images import EMBEDDED, load_image\n"
        "for name in EMBEDDED: load_image(name)\n"
        "assert not {'skimage', 'sklearn', 'pooch'} & set(sys.modules)\n"
    )
    root = Path(images.__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("hubble", "hubble_deep_field"),
        ("clock", "clock"),
        ("chelsea", "chelsea"),
        ("immunohistochemistry", "immunohistochemistry"),
    ],
)
def test_embedded_photographs_are_those_of_skimage(name: str, function: str) -> None:
    data = pytest.importorskip("skimage.data")
    expected = getattr(data, function)()
    expected = expected if expected.ndim == 3 else np.stack([expected] * 3, axis=-1)
    np.testing.assert_array_equal(to_uint8(load_image(name)), expected)


def test_an_embedded_photograph_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: None)
    assert "pip install scikit-learn" in error_of(lambda: load_image("china"))


def test_an_embedded_photograph_that_its_package_does_not_ship(tmp_path: Path) -> None:
    absent = images.EmbeddedPhotograph("eagle", "scikit-image", "eagle.png", "CC0", "an eagle")
    assert "does not ship it" in error_of(lambda: absent.path)
