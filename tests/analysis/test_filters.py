"""Filters as pictures, and their smoothness and direction where they are known."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import depthjax
from depthjax.analysis.filters import anisotropy, filter_images, kernel_of, low_frequency_power

MODEL = depthjax.build_model("resnet18", width=4, stage_sizes=(1, 1), num_classes=3)


@pytest.fixture(scope="module")
def variables():
    return depthjax.init_variables(MODEL, jax.random.key(0), 16)


def test_first_filters_are_in_colour(variables):
    pictures = filter_images(variables, "conv1")
    kernel = np.asarray(variables["params"]["conv1"]["kernel"])
    assert pictures.shape == (4, 7, 7, 3) and pictures.dtype == np.float32
    expected = kernel[..., 2]
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    np.testing.assert_allclose(pictures[2], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("output", [0, 7])
def test_deeper_filters_are_those_of_one_output_channel(variables, output):
    pictures = filter_images(variables, "layer2.0.conv2", output=output)
    kernel = np.asarray(variables["params"]["layer2.0.conv2"]["kernel"])
    assert pictures.shape == (8, 3, 3, 1)
    assert (pictures.min((1, 2, 3)) == 0).all() and (pictures.max((1, 2, 3)) == 1).all()
    for index, picture in enumerate(pictures):
        one = kernel[:, :, index, output]
        np.testing.assert_array_equal(np.argsort(picture.ravel()), np.argsort(one.ravel()))


def test_a_constant_filter_is_grey():
    variables = {"params": {"conv": {"kernel": np.full((3, 3, 2, 1), 7.0)}}}
    np.testing.assert_array_equal(filter_images(variables, "conv"), np.full((2, 3, 3, 1), 0.5))


def test_what_is_no_convolution(variables):
    with pytest.raises(ValueError, match=r"unknown convolution 'layer2.0.conv3'.*did you mean"):
        kernel_of(variables, "layer2.0.conv3")
    with pytest.raises(ValueError, match="unknown convolution 'bn1'"):
        kernel_of(variables, "bn1")
    with pytest.raises(ValueError, match="unknown convolution 'fc'"):
        kernel_of(variables, "fc")
    with pytest.raises(ValueError, match="no output channel 8; it has 0 to 7"):
        filter_images(variables, "layer2.0.conv2", output=8)


MEASURES = (low_frequency_power, anisotropy)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_independent_weights_are_neither_smooth_nor_directed(size):
    kernel = np.random.default_rng(0).normal(size=(size, size, 100, 40)) + 7
    found = low_frequency_power(kernel)
    assert found.shape == (40,) and found.mean() == pytest.approx(1, abs=0.03)
    # The mean of a random walk of as many steps as there are gradients, which are not independent.
    assert anisotropy(kernel).mean() < 1.4 / (size - 1)


def test_known_filters():
    flat, edge = np.full((3, 3), 2.0), np.array([[1.0, 0, -1]] * 3)
    checkers = np.array([[1.0, -1, 1], [-1, 1, -1], [1, -1, 1]])
    spot = np.outer([1, 2, 1], [1, 2, 1])
    kernel = np.stack([edge, edge.T, checkers, spot, flat], axis=-1)[:, :, None] + 5
    # Of the eight frequencies above 0 an edge has those along one axis alone.
    np.testing.assert_allclose(low_frequency_power(kernel)[[0, 1, 4]], [2, 2, np.nan], atol=1e-12)
    np.testing.assert_allclose(anisotropy(kernel), [1, 1, np.nan, 0, np.nan], atol=1e-12)
    smooth, rough = low_frequency_power(kernel)[[3, 2]]
    assert smooth > 1.5 > 1 > rough


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("degrees", [0, 22.5, 45, 90, 135])
def test_edges_and_ramps_of_every_direction_are_directed(size, degrees):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    across = np.round(x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees)), 9)
    ramp, edge = anisotropy(np.stack([across, np.sign(across)], -1)[:, :, None])
    assert ramp == pytest.approx(1)
    assert edge > (0.999 if degrees % 45 == 0 else 0.7)  # a pixelated edge


def test_filters_of_one_output_count_by_their_power():
    edge = np.array([[1.0, 0, -1]] * 3)
    ring = np.outer([1.0, 2, 1], [1, 2, 1])
    kernel = np.stack([3 * edge, ring], -1)[..., None]

    def power(filters):
        (down, right) = (np.diff(filters, axis=axis) for axis in (0, 1))
        return ((right[1:] + right[:-1]) ** 2 + (down[:, 1:] + down[:, :-1]) ** 2).sum()

    first, second = power(3 * edge), power(ring)
    assert anisotropy(kernel)[0] == pytest.approx(first / (first + second))
    # Directions of several filters do not cancel.
    crossed = np.stack([edge, edge.T], -1)[..., None]
    assert anisotropy(crossed)[0] == pytest.approx(1)


@given(st.integers(3, 7), st.integers(3, 7), st.floats(1e-3, 1e3), st.floats(-9, 9))
def test_measures_have_bounds_and_know_neither_scale_nor_mean(height, width, scale, mean):
    kernel = np.random.default_rng(height).normal(size=(height, width, 2, 3))
    for measure, most in zip(MEASURES, (height * width, 1), strict=True):
        found = measure(kernel)
        assert (found >= 0).all() and (found <= most + 1e-9).all()
        np.testing.assert_allclose(measure(scale * (kernel + mean)), found, rtol=1e-6)
        np.testing.assert_allclose(measure(kernel[::-1, ::-1]), found, rtol=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("kernel", "message"),
    [(np.ones((1, 1, 2, 2)), "1×1|below 3"), (np.full((3, 3, 2, 2), np.nan), "not finite")],
)
def test_what_cannot_be_measured(measure, kernel, message):
    with pytest.raises(ValueError, match=message):
        measure(kernel)
