"""What the figures of a run have in common: all of it can be read, and errors say what is wrong."""

import jax.numpy as jnp
import numpy as np
import pytest
from figure_arguments import (
    KINDS,
    SHAPES,
    depth_arguments,
    gallery_arguments,
    matrix_arguments,
    trajectory_arguments,
)
from reading_figures import assert_readable, everything_said, words

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


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

    def as_jax(value):
        if isinstance(value, dict):
            return {name: as_jax(inner) for name, inner in value.items()}
        return jnp.asarray(value) if isinstance(value, np.ndarray) else value

    expected, found = words(draw(*given)), words(draw(*map(as_jax, given)))
    assert found == expected


def _changed(arguments, index, value):
    return [*arguments[:index], value, *arguments[index + 1 :]]


G, D = gallery_arguments(), depth_arguments()
T, M = trajectory_arguments(), matrix_arguments()


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("gallery", _changed(G, 0, ["a"]), ["1 image label", "(2, 12, 12, 3)"]),
        ("gallery", _changed(G, 0, []), ["at least one image"]),
        ("gallery", _changed(G, 1, G[1][..., :2]), ["targets", "(2, 12, 12, 2)"]),
        ("gallery", _changed(G, 1, G[1][..., :1]), ["starts", "(2, 12, 12, 1)"]),
        ("gallery", _changed(G, 1, G[1][:, :5]), ["starts", "(2, 5, 12, 3)", "(2, 12, 12, 3)"]),
        ("gallery", _changed(G, 1, (G[1] * 255).astype(np.uint8)), ["targets", "uint8", "[0, 1]"]),
        ("gallery", _changed(G, 3, ["a"]), ["recovered", "(1, 2, 12", "(3, 2, 12"]),
        ("gallery", _changed(G, 5, {"D": G[5]["D"].T}), ["D has shape (2, 3)", "3 and 2"]),
        ("gallery", _changed(G, 5, {"ρ": G[5]["ρ"][0]}), ["ρ has shape (2,)", "3 and 2"]),
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
