"""The film of a descent."""

import numpy as np
import pytest
from matplotlib.animation import FuncAnimation

from depthjax.figures import iterates

RANDOM = np.random.default_rng(0)
TARGET = RANDOM.random((6, 8, 3)).astype(np.float32)
PICTURES = RANDOM.normal(0.5, 1, (3, 2, 6, 8, 3)).astype(np.float32)
CAPTIONS = [["a", "b"], ["c", "d"], ["e", "f"]]


def test_every_frame_shows_what_belongs_to_it():
    pictures = PICTURES.copy()
    pictures[2, 1, 0, 0] = np.nan
    film = iterates(["conv1", "layer4"], TARGET, [0, 5, 50], pictures, CAPTIONS)
    page = film.to_jshtml()
    assert page.count("data:image/png") == 3 and 'type="range"' in page
    film._func(2)
    figure = film._fig
    target, *shown = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["target", "conv1", "layer4"]
    assert figure.get_suptitle() == "step 50"
    np.testing.assert_allclose(target.images[0].get_array(), TARGET)
    np.testing.assert_allclose(shown[0].images[0].get_array(), np.clip(pictures[2, 0], 0, 1))
    assert [axes.texts[0].get_text() for axes in shown] == ["e", "f"]
    np.testing.assert_array_equal(shown[1].images[0].get_array()[0, 0], [1, 0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": PICTURES[:2]}, r"pictures must be \[3 steps, 2 descents"),
        ({"target": TARGET[..., 0]}, "pictures must be"),
        ({"captions": CAPTIONS[:2]}, "3 rows of 2 captions"),
        ({"captions": [["a"]] * 3}, "3 rows of 2 captions"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, message):
    given = {
        "labels": ["conv1", "layer4"],
        "target": TARGET,
        "steps": [0, 5, 50],
        "pictures": PICTURES,
        "captions": CAPTIONS,
    }
    with pytest.raises(ValueError, match=message):
        iterates(**{**given, **change})


def test_it_is_an_animation():
    film = iterates(["a", "b"], TARGET, [0, 1, 2], PICTURES, CAPTIONS, seconds=0.1)
    assert isinstance(film, FuncAnimation)
    film.to_jshtml()  # drawn, or matplotlib warns
