"""Pictures fit into a page, and iterates are chosen evenly."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reading_pages import data_of

from depthjax import report
from depthjax.report import pictures
from depthjax.report.contents import (
    Gallery,
    Recovered,
    Report,
    Section,
    View,
)


def noise_gallery(side: int, images: int, layers: int, networks: int) -> Gallery:
    """As bad as pictures can be for a page: noise does not compress."""
    random = np.random.default_rng(0)
    picture = random.random((side, side, 3)).astype(np.float32)
    frames = random.integers(0, 256, (12, side, side, 3), dtype=np.uint8)
    steps = np.arange(12)
    line = np.ones(12)
    cell = Recovered(
        picture, 1.0, 0.5, 1.0, 11, "all steps", steps, line, line, frames, steps, line, line
    )
    names = [f"image {index}" for index in range(images)]
    views = [View((f"network {n}",), [[cell] * layers] * images) for n in range(networks)]
    every = np.broadcast_to(picture, (images, *picture.shape))
    axes = {"network": [f"network {n}" for n in range(networks)]}
    return Gallery(names, [f"layer {n}" for n in range(layers)], every, every, axes, views)


def test_five_images_ten_layers_three_networks_fit() -> None:
    section = Section("large", "noise", "", [], "{}", gallery=noise_gallery(224, 5, 10, 3))
    html = report.render(Report("large", [section]))
    assert 1_000_000 < len(html.encode()) < report.SIZE
    cells = data_of(html)[0]["gallery"]["views"][2]["cells"]
    assert (len(cells), len(cells[0])) == (5, 10) and len(cells[4][9]["frameStep"]) >= 4


@given(count=st.integers(1, 40), most=st.integers(2, 24))
def test_kept_frames_begin_and_end_where_the_descent_does(count: int, most: int) -> None:
    kept = pictures.kept_frames(count, most)
    assert kept[0] == 0 and kept[-1] == count - 1
    assert len(kept) == min(count, most) and sorted(set(kept)) == list(kept)


def test_differences_are_black_where_there_is_none() -> None:
    target = np.zeros((2, 2, 3), np.float32)
    image = target.copy()
    image[0, 0] = 0.25
    image[1, 1] = np.nan
    np.testing.assert_array_equal(pictures.difference(target, image)[..., 0], [[128, 0], [0, 0]])
