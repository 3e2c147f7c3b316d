"""What a gallery shows."""

import itertools

import numpy as np
import pytest
from figure_arguments import (
    gallery_arguments,
)
from reading_figures import assert_readable, everything_said, pictures, shown, words

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


@pytest.mark.parametrize(
    ("images", "layers", "blocks"),
    [(1, 1, 1), (8, 12, 1), (3, 13, 2), (3, 24, 2), (5, 16, 1), (1, 30, 3)],
)
def test_gallery_shows_every_picture_and_repeats_the_targets_in_every_block(images, layers, blocks):
    figure = figures.gallery(*gallery_arguments(images, layers))
    assert len(pictures(figure)) == images * (2 * blocks + layers)
    assert words(figure).count("target") == words(figure).count("start") == blocks
    width, height = figure.get_size_inches()
    assert width <= 16
    assert height <= 1.35 * images * blocks + 2


def test_gallery_puts_each_picture_under_its_layer_beside_its_image_above_its_numbers():
    given = gallery_arguments(2, 3)
    layers, recovered = given[3], given[4]
    given[5]["D"] = np.array([[0.11, 0.12], [0.21, 0.22], [0.31, 0.32]])
    figure = figures.gallery(*given)
    places = {text.get_text(): text.get_position() for text in shown(figure)}
    drawn = {np.asarray(image.get_array()).tobytes(): image for image in pictures(figure)}
    middles = []
    for (layer, name), image in itertools.product(enumerate(layers), range(2)):
        left, right, bottom, top = drawn[
            np.clip(recovered[layer, image], 0, 1).tobytes()
        ].get_extent()
        caption = next(
            place for text, place in places.items() if f"D 0.{layer + 1}{image + 1}" in text
        )
        assert places[name][0] == pytest.approx((left + right) / 2)
        assert places[name][1] < top
        assert places[f"im{image}"][1] == pytest.approx((top + bottom) / 2)
        assert places[f"im{image}"][0] < left
        assert caption[0] == pytest.approx((left + right) / 2)
        assert bottom < caption[1] < bottom + 5
        middles.append((left + right) / 2)
    assert middles == sorted(middles)
    assert places["target"][0] < places["start"][0] < middles[0]


def test_gallery_shows_the_target_of_several_networks_once():
    """With what is seen in it; the same pictures of layers are shown again."""
    given = gallery_arguments(4, 3)
    given[1] = np.asarray(given[1])[[0, 0, 2, 2]]
    given[4] = np.asarray(given[4])[:, [0, 0, 2, 2]]
    seen = [[f"word{column}{image}" for image in range(4)] for column in range(4)]
    figure = figures.gallery(*given, seen=seen)
    assert len(pictures(figure)) == 2 * 2 + 4 * 3
    said = everything_said(figure)
    assert [f"word0{image}" in said for image in range(4)] == [True, False, True, False]
    assert all(f"word1{image}" in said for image in range(4))


def test_gallery_without_starts_has_what_is_seen_below_the_pictures():
    given = gallery_arguments(2, 3)
    given[2] = None
    seen = [[f"word{column}{image}" for image in range(2)] for column in range(4)]
    figure = figures.gallery(*given, seen=seen)
    assert len(pictures(figure)) == 2 * (1 + 3)
    assert "start" not in words(figure)
    places = {text.get_text(): text.get_position() for text in shown(figure)}
    headings = ["target", *given[3]]
    for column, heading in enumerate(headings):
        for image in range(2):
            (place,) = (at for text, at in places.items() if f"word{column}{image}" in text)
            assert place[0] == pytest.approx(places[heading][0])
    with pytest.raises(ValueError, match="seen must have 4 rows of 2"):
        figures.gallery(*given, seen=seen[1:])


@pytest.mark.parametrize(
    ("d", "rho", "caption"),
    [
        (0.52, 0.03, "D 0.52  ρ 0.03"),
        (0.51999, 12.345, "D 0.52  ρ 12.3"),
        (1e-6, 1.26e-7, "D 1e-6  ρ 1.26e-7"),
        (0, np.nan, "D 0  ρ –"),
        (999.96, np.inf, "D 1000  ρ ∞"),
        (9.9996e-4, 123456, "D 0.001  ρ 1.23e5"),
    ],
)
def test_gallery_captions_have_three_digits(d, rho, caption):
    given = gallery_arguments(1, 1)
    given[5:] = [{"D": [[d]], "ρ": [[rho]]}]
    assert caption in words(figures.gallery(*given))


@pytest.mark.parametrize(("layers", "lines"), [(1, 1), (4, 2), (12, 2)])
def test_gallery_breaks_its_captions_only_where_they_do_not_fit(layers, lines):
    given = gallery_arguments(1, layers)
    values = {"D": 6.63, "r²": 0.11349, "ρ": 0.0512}
    given[5] = {sign: np.full((layers, 1), value) for sign, value in values.items()}
    figure = figures.gallery(*given)
    captions = [text for text in words(figure) if text.startswith("D 6.63")]
    assert len(captions) == layers
    assert {" ".join(caption.split()) for caption in captions} == {"D 6.63 r² 0.113 ρ 0.0512"}
    assert {caption.count("\n") + 1 for caption in captions} == {lines}
    assert_readable(figure)


def test_gallery_without_starts_has_no_such_column():
    given = gallery_arguments(2, 3)
    given[2] = None
    figure = figures.gallery(*given)
    assert len(pictures(figure)) == 2 * (1 + 3)
    assert "target" in words(figure) and "start" not in words(figure)
    assert_readable(figure)


def test_gallery_without_numbers_has_what_is_seen_and_its_note_on_the_page():
    given = gallery_arguments(5, 6)
    given[2], given[5] = None, {}
    seen = [[f"D 0.{column}{image}  ρ 12.34\n35.1 dB" for image in range(5)] for column in range(7)]
    figure = figures.gallery(*given, seen=seen, note="Differences are about grey. " * 9, title="A")
    assert len(pictures(figure)) == 5 * (1 + 6)
    said = everything_said(figure)
    assert said.count("35.1 dB") == 5 * 7
    assert said.count("Differences") == 9
    assert "D: " not in said
    assert_readable(figure)


@pytest.mark.parametrize(("size", "kept"), [(32, True), (56, True), (224, False)])
def test_gallery_shows_the_pixels_of_tiny_images(size, kept):
    figure = figures.gallery(*gallery_arguments(1, 6, True, (size, size)))
    assert {part.get_interpolation() == "nearest" for part in pictures(figure)} == {kept}


def test_gallery_explains_its_letters_on_the_page():
    said = everything_said(figures.gallery(*gallery_arguments()))
    assert "D: " in said
    assert "ρ: " in said
    assert "r²: " in said
    assert "18 × RMSE" in said
    assert "Magenta" not in said


def test_gallery_clips_and_marks_what_is_not_finite(caplog):
    given = gallery_arguments(1, 1)
    given[4] = np.full((1, 1, 12, 12, 3), 0.25, np.float32)
    given[4][0, 0, 0, :3, 1] = [np.nan, np.inf, 7.0]
    figure = figures.gallery(*given)
    picture = np.asarray(pictures(figure)[-1].get_array())
    expected = [[1, 0, 1], [1, 0, 1], [0.25, 1, 0.25], [0.25, 0.25, 0.25]]
    np.testing.assert_array_equal(picture[0, :4], expected)
    assert "Magenta: not finite" in everything_said(figure)
    assert not caplog.records, "matplotlib has nothing left to clip"
    assert np.isnan(given[4]).any(), "what was handed over must not change"


@pytest.mark.parametrize("size", [(12, 90), (90, 12), (1, 1)], ids=str)
def test_gallery_keeps_the_shape_of_pictures(size):
    figure = figures.gallery(*gallery_arguments(2, 3, True, size))
    left, right, bottom, top = pictures(figure)[0].get_extent()
    assert (bottom - top) / (right - left) == pytest.approx(size[0] / size[1])
    assert_readable(figure)
