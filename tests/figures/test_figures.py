"""What the figures say and show, and that all of it can be read."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from reading_figures import assert_readable, everything_said, pictures, shown, words

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")

SHAPES = [(1, 1, True), (2, 5, False), (5, 10, True), (3, 24, True)]
LONG = ("layer3.22.downsample.0", "layer1.0.conv1", "features.14", "fc", "a" * 60)
BASELINES = {"start": [7.9, 8.1], "flat": [4.0, 5.0], "blur": [2.0, 3.0]}


def names(count, long=False):
    return [LONG[i % 5] if long else f"features.{i}" for i in range(count)]


def gallery_arguments(images=2, layers=3, long=False, size=(12, 12)):
    rng = np.random.default_rng(0)
    target = rng.random((images, *size, 3)).astype(np.float32)
    recovered = rng.normal(0.5, 0.5, (layers, *target.shape)).astype(np.float32)
    d, rho = 10 ** rng.uniform(-7, 1, (2, layers, images))
    image_names = ["a photograph/of_some-length.jpg" if long else f"im{i}" for i in range(images)]
    return [image_names, target, target[:, ::-1], names(layers, long), recovered, d, rho]


def depth_arguments(images=2, layers=3, long=False):
    d, rho = 10 ** np.random.default_rng(0).uniform(-4, 1, (2, layers, images))
    return [names(layers, long), d, rho, BASELINES]


def trajectory_arguments(images=2, layers=3, long=False):
    steps = np.arange(8) * 50
    fall = (1 + steps[:, None]) ** -np.linspace(0.5, 1, images)
    return [names(layers, long), steps, [8 * fall] * layers, [5 * fall] * layers]


def matrix_arguments(rows=2, columns=3, long=False):
    ratio = 10 ** np.random.default_rng(0).uniform(-2, 1, (rows, columns))
    return [names(rows, long), names(columns, long), ratio]


KINDS = {
    "gallery": (figures.gallery, gallery_arguments),
    "distances_against_depth": (figures.distances_against_depth, depth_arguments),
    "trajectories": (figures.trajectories, trajectory_arguments),
    "ratio_matrix": (figures.ratio_matrix, matrix_arguments),
}


# -------------------------------------------------------------------------------------- all kinds


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_is_on_the_page_and_covers_no_other(kind, shape):
    draw, arguments = KINDS[kind]
    assert_readable(draw(*arguments(*shape)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_title_is_shown_whole_and_on_the_page(kind):
    draw, arguments = KINDS[kind]
    title = "The quick brown fox jumps over the lazy dog, " * 4 + "twice"
    figure = draw(*arguments(), title=title)
    assert title in everything_said(figure)
    assert_readable(figure)


@pytest.mark.parametrize("values", [0.0, np.nan, 1e-30, [0.0, np.inf, np.nan, -1.0]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_degenerate_values_are_drawn_without_a_word(kind, values):
    """All values are such, or the first ones."""
    draw, arguments = KINDS[kind]
    assert_readable(draw(*(_replaced(given, values) for given in arguments(4, 2))))


def _replaced(argument, values):
    """Puts `values` in distances and ratios: floats of two axes, in lists or not."""
    if isinstance(argument, list) and isinstance(argument[0], np.ndarray):
        return [_replaced(one, values) for one in argument]
    if isinstance(argument, np.ndarray) and argument.ndim == 2:
        argument = argument.copy()
        argument.flat[: len(values) if isinstance(values, list) else None] = values
    return argument


@pytest.mark.parametrize("kind", KINDS)
def test_odd_names_are_taken_literally(kind):
    draw, arguments = KINDS[kind]
    given = arguments(1, 1)
    given[0] = [r"$\x$\n猫"]
    figure = draw(*given)
    assert r"$\x$\n□" in everything_said(figure).replace(r"\x$ ", r"\x$")
    assert_readable(figure)


@pytest.mark.parametrize("kind", KINDS)
def test_jax_arrays_are_arrays(kind, tmp_path):
    draw, arguments = KINDS[kind]
    given = arguments(2, 3)
    as_jax = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in given]
    expected, found = words(draw(*given)), words(draw(*as_jax))
    assert found == expected


# ---------------------------------------------------------------------------------------- gallery


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
    given[5] = np.array([[0.11, 0.12], [0.21, 0.22], [0.31, 0.32]])
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
    given[5:] = [[d]], [[rho]]
    assert caption in words(figures.gallery(*given))


def test_gallery_explains_its_letters_on_the_page():
    said = everything_said(figures.gallery(*gallery_arguments()))
    assert "D: " in said
    assert "ρ: " in said
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


# ---------------------------------------------------------------------------------- against depth


def lines_of(axes: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata(), float) for line in axes.lines]


def test_depth_draws_each_restart_and_the_median_of_what_is_finite():
    d = np.array([[[1, 2], [3, np.nan]], [[4, 4], [np.inf, 6]]])
    figure = figures.distances_against_depth(names(2), d, d / 10, BASELINES)
    above, below = figure.axes
    drawn = lines_of(above)
    for column in ([1, 4], [2, 4], [3, np.nan], [np.nan, 6]):
        assert any(np.array_equal(line, column, equal_nan=True) for line in drawn)
    assert any(np.array_equal(line, [2, 4]) for line in drawn if len(line) == 2)
    thickest = max(above.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thickest.get_ydata(), [2, 4])
    thickest = max(below.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thickest.get_ydata(), [0.2, 0.4])
    assert "4 of 16 values not finite" in everything_said(figure)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((3,), "n = 1 image × 1 start"),
        ((3, 2), "n = 2 images × 1 start"),
        ((3, 4, 2), "n = 2 images × 4 starts"),
    ],
)
def test_depth_states_n(shape, size):
    figure = figures.distances_against_depth(names(3), np.ones(shape), np.ones(shape), {})
    said = everything_said(figure)
    assert size in said
    assert "not finite" not in said
    assert ("median" in said) == (np.prod(shape[1:]) > 1)


def test_depth_names_each_baseline_at_its_median_with_a_band():
    given = {**BASELINES, "my own": [0.3, 0.1, 0.2], "unknown": [np.nan]}
    figure = figures.distances_against_depth(names(2), np.ones((2, 1)), np.ones((2, 1)), given)
    said = words(figure)
    for text in ("start D₀  8", "mean colour  4.5", "blurred target  2.5", "my own  0.2"):
        assert text in said
    assert not any("unknown" in text for text in said)
    assert said.count("noisy copy") == 2
    above, below = figure.axes
    heights = [line[0] for line in lines_of(above)]
    assert {8.0, 4.5, 2.5, 0.2, 1.0} <= set(np.round(heights, 9))
    bands = [patch for patch in above.patches if isinstance(patch, Rectangle)]
    spans = {(round(b.get_y(), 9), round(b.get_y() + b.get_height(), 9)) for b in bands}
    assert spans == {(7.9, 8.1), (4.0, 5.0), (2.0, 3.0), (0.1, 0.3)}
    assert 1.0 in {line[0] for line in lines_of(below)}


def test_depth_keeps_the_names_of_near_baselines_apart():
    close = {name: [8 + i / 1000] for i, name in enumerate(("start", "flat", "blur", "x", "y"))}
    d = np.array([[1e-6], [9.0]])
    assert_readable(figures.distances_against_depth(names(2), d, d, close))


@pytest.mark.parametrize("least", [0.0, 1e-6], ids=str)
def test_depth_reaches_from_recovered_to_the_start(least):
    d = np.array([[1e-6, least], [0.5, 8.0]])
    figure = figures.distances_against_depth(names(2), d, d, {"start": [8.0]})
    for axes in figure.axes:
        bottom, top = axes.get_ylim()
        assert bottom < least
        assert top > 8
        _, pixels = axes.transData.transform([(0, least), (0, 1e-6), (0, 8)]).T
        assert np.isfinite(pixels).all()
        height = axes.get_window_extent().height
        # Neither end squeezed into the other; zero has a place of its own.
        assert pixels[2] - pixels[1] > 0.6 * height
        assert least or pixels[1] - pixels[0] > 0.02 * height
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert ("0" in labels) == (least == 0)
    assert {"1e-6", "1"} <= set(labels)


def test_depth_labels_the_layers_in_order():
    layers = ["z", "a", *names(10)]
    figure = figures.distances_against_depth(layers, np.ones(12), np.ones(12), {})
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == layers
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


# ----------------------------------------------------------------------------------- trajectories


def test_trajectories_show_each_descent_and_the_median_against_step_and_ratio():
    rho = np.array([[8.0, 4, 6], [2, np.nan, 1], [0.5, 0.1, 0.2]])
    d = np.array([[6.0, 5, 4], [3, 2, 1], [0.3, 0.2, 0.1]])
    figure = figures.trajectories(["conv1"], [0, 10, 20], [rho], [d])
    left, right = figure.axes
    assert "n = 3 descents per layer" in everything_said(figure)
    thick = max(left.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thick.get_ydata(), [6, 1.5, 0.2])
    np.testing.assert_array_equal(thick.get_xdata(), [0, 10, 20])
    assert any(np.array_equal(line, rho[:, 1], equal_nan=True) for line in lines_of(left))
    thick = max(right.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thick.get_xdata(), [6, 1.5, 0.2])
    np.testing.assert_allclose(thick.get_ydata(), [5, 2, 0.2])
    first, last = right.get_xlim()
    assert first > 8 > 0.1 > last, "a better match lies to the right"
    assert left.get_xlim()[0] < 0 < 20 < left.get_xlim()[1]


def test_trajectories_take_steps_for_each_layer():
    rho = [np.ones((3, 1)), np.ones((2, 4))]
    figure = figures.trajectories(names(2), [[0, 1, 2], [0, 50]], rho, rho)
    drawn = [list(line.get_xdata()) for line in figure.axes[0].lines]
    assert [0, 1, 2] in drawn
    assert [0, 50] in drawn
    assert "n = 1–4 descents per layer" in everything_said(figure)


@pytest.mark.parametrize("layers", [3, 12, 13, 40])
def test_trajectories_colour_layers_by_depth_and_say_which_is_which(layers):
    figure = figures.trajectories(*trajectory_arguments(1, layers))
    thick = [line for line in figure.axes[0].lines if line.get_linewidth() > 1.5]
    thick = [line for line in thick if len(line.get_xdata()) == 8]
    colours = [to_hex(line.get_color()) for line in thick]
    assert len(set(colours)) == len(colours) == layers
    red_green_blue = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours])
    brightness = red_green_blue @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) > 0).all()
    named = [text for text in words(figure) if text.startswith("features.")]
    if layers <= 12:
        assert named == names(layers)
        handles = figure.legends[0].legend_handles
        assert [to_hex(handle.get_color()) for handle in handles] == colours
    else:
        assert named[0] == "features.0"
        assert 6 <= len(named) <= 14


def test_trajectories_say_when_there_is_no_distance():
    rho = np.ones((2, 1))
    figure = figures.trajectories(["a"], [0, 1], [rho], [rho * np.nan])
    assert "D was not recorded" in everything_said(figure)


# ----------------------------------------------------------------------------------------- matrix


def mesh_of(figure: Figure) -> QuadMesh:
    return next(found for found in figure.axes[0].collections if isinstance(found, QuadMesh))


def test_matrix_rows_are_where_from_and_columns_where_measured():
    ratio = np.array([[0.11, 2.0, 30.0], [np.nan, 0.0, np.inf]])
    figure = figures.ratio_matrix(["r0", "r1"], ["c0", "c1", "c2"], ratio)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "image recovered from"
    assert axes.get_xlabel() == "measured at"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["r0", "r1"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["c0", "c1", "c2"]
    assert axes.yaxis_inverted(), "shallow above deep"
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {
        (0, 0): "0.11", (1, 0): "2", (2, 0): "30", (0, 1): "–", (1, 1): "0", (2, 1): "∞",
    }  # fmt: skip
    assert "Grey" in everything_said(figure)


def test_matrix_colours_are_centred_on_the_noisy_copy():
    mesh = mesh_of(figures.ratio_matrix(["a"], ["b", "c", "d"], [[0.01, 1.0, 2.0]]))
    assert mesh.norm(1.0) == pytest.approx(0.5)
    assert mesh.norm(0.01) == pytest.approx(0)
    assert mesh.norm(0.1) == pytest.approx(0.25)
    blue, white, reddish = mesh.cmap(mesh.norm([0.01, 1.0, 2.0]))[:, :3]
    assert blue[2] > blue[0]
    assert white.min() > 0.9
    assert reddish[0] > reddish[2]


@pytest.mark.parametrize(("columns", "written"), [(14, 28), (15, 0)])
def test_matrix_writes_values_while_there_is_room(columns, written):
    figure = figures.ratio_matrix(*matrix_arguments(2, columns))
    assert len(figure.axes[0].texts) == written


def test_matrix_outlines_where_the_layers_are_the_same():
    figure = figures.ratio_matrix(["a", "b"], ["b", "c", "a"], np.ones((2, 3)))
    outlines = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    assert {patch.get_xy() for patch in outlines} == {(1.5, -0.5), (-0.5, 0.5)}
    assert "Outlined" in everything_said(figure)
    figure = figures.ratio_matrix(["a"], ["b"], [[1.0]])
    assert "Outlined" not in everything_said(figure)


# ----------------------------------------------------------------------------------------- errors


def _changed(arguments, index, value):
    return [*arguments[:index], value, *arguments[index + 1 :]]


G, D, T, M = (make() for make in (
    gallery_arguments, depth_arguments, trajectory_arguments, matrix_arguments,
))  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("gallery", _changed(G, 0, ["a"]), ["1 image label", "(2, 12, 12, 3)"]),
        ("gallery", _changed(G, 0, []), ["at least one image"]),
        ("gallery", _changed(G, 1, G[1][..., :1]), ["targets", "(2, 12, 12, 1)"]),
        ("gallery", _changed(G, 1, G[1][:, :5]), ["starts", "(2, 5, 12, 3)", "(2, 12, 12, 3)"]),
        ("gallery", _changed(G, 1, (G[1] * 255).astype(np.uint8)), ["targets", "uint8", "[0, 1]"]),
        ("gallery", _changed(G, 3, ["a"]), ["recovered", "(1, 2, 12", "(3, 2, 12"]),
        ("gallery", _changed(G, 5, G[5].T), ["input_ratio", "3 and 2", "(2, 3)"]),
        ("gallery", _changed(G, 6, G[6][0]), ["embedding_ratio", "3 and 2", "(2,)"]),
        ("distances_against_depth", _changed(D, 0, ["a"]), ["1 layer", "input_ratio", "(3, 2)"]),
        ("distances_against_depth", _changed(D, 2, D[2][:, :1]), ["(3, 2)", "(3, 1)"]),
        ("distances_against_depth", [["a"], [[]], [[]], {}], ["no values", "(1, 0)"]),
        ("trajectories", _changed(T, 1, [0, 1]), ["features.0", "(2,)", "(8, 2)"]),
        ("trajectories", _changed(T, 1, [[0], [1]]), ["3 layer", "steps", "2 layers"]),
        ("trajectories", _changed(T, 2, T[2][:1]), ["3 layer", "embedding_ratio", "1 layers"]),
        ("trajectories", _changed(T, 3, [T[3][0][:, :1]] * 3), ["(8, 2)", "(8, 1)"]),
        ("trajectories", [["a"], [], [[]], [[]]], ["no values"]),
        ("ratio_matrix", _changed(M, 2, M[2].T), ["2 and 3", "(3, 2)"]),
        ("ratio_matrix", _changed(M, 1, []), ["at least one column"]),
    ],
)
def test_errors_name_both_sides_in_one_line(kind, arguments, said):
    with pytest.raises(ValueError, match=r"\w") as error:
        KINDS[kind][0](*arguments)
    message = str(error.value)
    assert "\n" not in message
    for part in said:
        assert part in message


# ------------------------------------------------------------------------------------------ files


def test_save_figure_writes_png_and_pdf_and_nothing_else(tmp_path):
    figure = figures.gallery(*gallery_arguments())
    png, pdf = figures.save_figure(tmp_path / "features.14", figure)
    assert {png, pdf} == set(tmp_path.iterdir())
    assert (png.name, pdf.name) == ("features.14.png", "features.14.pdf")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    width = int.from_bytes(png.read_bytes()[16:20], "big")
    assert width == int(figure.get_figwidth() * 150)


@pytest.mark.parametrize("kind", ["gallery", "trajectories"])
def test_the_same_bytes_whatever_is_set_globally(kind, tmp_path):
    draw, arguments = KINDS[kind]
    given = arguments(1, 2)
    first = [path.read_bytes() for path in figures.save_figure(tmp_path / "a", draw(*given))]
    odd = {"font.size": 30, "axes.grid": True, "savefig.bbox": "tight", "font.family": "serif"}
    with matplotlib.rc_context(odd):
        before = dict(matplotlib.rcParams)
        afresh = figures.save_figure(str(tmp_path / "b"), draw(*given))
        assert dict(matplotlib.rcParams) == before
    assert first == [path.read_bytes() for path in afresh]
    png, pdf = first
    for word in (b"Date", b"Matplotlib", b"tIME", b"tEXt"):
        assert word not in png
        assert word not in pdf
    assert b"/Type3" not in pdf, "fonts are embedded as TrueType, which can be edited"


def test_the_same_figure_makes_the_same_bytes_twice(tmp_path):
    figure = figures.distances_against_depth(*depth_arguments(1, 2))
    first = [path.read_bytes() for path in figures.save_figure(tmp_path / "a", figure)]
    assert first == [path.read_bytes() for path in figures.save_figure(tmp_path / "a", figure)]


def test_another_process_writes_the_same_bytes_without_pyplot(tmp_path):
    script = (
        "import sys, numpy as np; from depthjax import figures\n"
        "ratio = np.array([[0.25, 2.0], [1.0, 0.5]])\n"
        "figure = figures.ratio_matrix(['a', 'b'], ['a', 'b'], ratio)\n"
        f"figures.save_figure({str(tmp_path / 'there')!r}, figure)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    root = Path(figures.__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    ratio = np.array([[0.25, 2.0], [1.0, 0.5]])
    here = figures.save_figure(
        tmp_path / "here", figures.ratio_matrix(["a", "b"], ["a", "b"], ratio)
    )
    for path in here:
        assert path.read_bytes() == (tmp_path / f"there{path.suffix}").read_bytes()


def test_pictures_go_into_the_pdf_as_they_are_and_the_figure_stays_as_it_was(tmp_path):
    figure = figures.gallery(*gallery_arguments(1, 1, size=(10, 11)))
    before = [picture.get_interpolation() for picture in pictures(figure)]
    _, pdf = figures.save_figure(tmp_path / "a", figure)
    content = pdf.read_bytes()
    assert content.count(b"/Width 11") == 3
    assert content.count(b"/Height 10") == 3
    assert [picture.get_interpolation() for picture in pictures(figure)] == before


def test_a_figure_that_cannot_be_drawn_leaves_no_file_and_spoils_none(tmp_path, monkeypatch):
    figure = figures.ratio_matrix(*matrix_arguments())
    (tmp_path / "a.png").write_text("old")

    def savefig(content, *, format, **options):
        content.write(b"half")
        if format == "pdf":
            raise RuntimeError("no ink")

    monkeypatch.setattr(figure, "savefig", savefig)
    with pytest.raises(RuntimeError, match="no ink"):
        figures.save_figure(tmp_path / "a", figure)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_text() == "old"


def test_a_write_that_fails_leaves_no_temporary_file(tmp_path, monkeypatch):
    def replace(source, target):
        assert Path(source).parent == tmp_path, "a rename is atomic within one folder"
        assert Path(source).stat().st_size > 0
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(ValueError, match=r"^cannot write .*a\.png' \(No space left on device\)"):
        figures.save_figure(tmp_path / "a", figures.ratio_matrix(*matrix_arguments()))
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named_in_one_line(tmp_path):
    figure = figures.ratio_matrix(*matrix_arguments())
    with pytest.raises(ValueError, match=r"^cannot write .*no folder .*nowhere; create it first$"):
        figures.save_figure(tmp_path / "nowhere" / "a", figure)
