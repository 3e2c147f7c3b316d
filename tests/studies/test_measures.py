"""The changed photographs are what their names say, and measures see what they should of them."""

import numpy as np
import pytest

from depthjax.images import load_images
from depthjax.images.luminance import luminance
from depthjax.studies.measures.changes import ANOTHER, CHANGES, changed
from depthjax.studies.measures.drawn import draw
from depthjax.studies.measures.measured import COLUMNS, measures_table, rows_of

NAMES = ["astronaut", "coffee", "chelsea"]


@pytest.fixture(scope="module")
def targets():
    return np.asarray(load_images(NAMES, 96)[1])


@pytest.fixture(scope="module")
def changes(targets):
    return changed(targets)


@pytest.fixture(scope="module")
def rows(targets, changes):
    return rows_of(NAMES, targets, changes, None)


@pytest.fixture(scope="module")
def means(rows):
    """By change and column, over photographs."""
    return {
        change: {
            column: np.mean([row[column] for row in rows if row["change"] == change])
            for column in COLUMNS
            if column in rows[0]
        }
        for change in [*CHANGES, ANOTHER]
    }


def test_each_change_keeps_what_it_should(targets, changes):
    bright = luminance(targets)
    np.testing.assert_allclose(luminance(changes["hue turned"]), bright, atol=1e-6)
    assert np.abs(changes["hue turned"] - targets).max() > 0.3
    spectra = [np.abs(np.fft.fft2(x, axes=(1, 2))) for x in (targets, changes["phases scrambled"])]
    np.testing.assert_allclose(*spectra, atol=1e-4)
    np.testing.assert_array_equal(changes[ANOTHER][1], np.float64(targets[0]))
    line = changes["line drawing"]
    assert (line >= 0).all() and (line <= 1).all() and np.ptp(line, axis=-1).max() == 0
    assert changes["noise alone"].std() == pytest.approx(targets.std(), rel=0.2)
    again = changed(targets)
    assert all((again[name] == images).all() for name, images in changes.items())
    other = changed(targets, seed=1)
    assert (other["noise alone"] != changes["noise alone"]).any()


def test_r2_sees_the_picture_and_not_what_is_no_picture(means):
    seen = ["blur, σ = 4", "noise of 0.3", "paler", "hue turned", "edges"]
    unseen = ["phases scrambled", "noise alone", ANOTHER, "negative"]
    least = min(means[name]["luminance_r2"] for name in seen)
    assert least > 4 * max(means[name]["luminance_r2"] for name in unseen)
    # D does not tell the two kinds apart.
    assert means["paler"]["input_ratio"] > means["phases scrambled"]["input_ratio"]


def test_only_edges_are_seen_in_drawings_and_negatives(means):
    for name in ("line drawing", "negative"):
        assert means[name]["luminance_r2"] < 0.1 < 0.15 < means[name]["gradient_r2"]
    nothing = ("phases scrambled", "noise alone", ANOTHER)
    assert all(means[name]["gradient_r2"] < 0.05 for name in nothing)


def test_gradient_similarity_is_high_for_what_has_nothing_of_the_picture(means):
    assert means["noise alone"]["gradient_similarity"] > means["noise of 1"]["gradient_similarity"]


def test_the_table_has_a_line_for_each_change_and_a_column_for_each_measure(rows):
    lines = measures_table(rows).splitlines()
    assert len(lines) == 2 + len(CHANGES) + 1
    measured = [words for column, words in COLUMNS.items() if column != "perceptual_distance"]
    assert [cell.strip() for cell in lines[0].split("|")[2:-1]] == measured
    (paler,) = [line for line in lines if "paler" in line]
    assert paler.split("|")[3].strip() == "1"


def test_the_figure_shows_the_first_two_photographs(targets, changes, rows):
    ((name, figure),) = draw(NAMES, targets, changes, rows)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert name == "changes" and "start" not in texts
    assert {"astronaut", "coffee"} <= set(texts) and "chelsea" not in texts
    assert sum(text.startswith("D ") for text in texts) >= 2 * len(changes)
