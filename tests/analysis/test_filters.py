"""Filters as pictures, and their smoothness where it is known."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import depthjax
from depthjax.analysis.filters import filter_images, kernel_of, low_frequency_energy

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


@pytest.mark.parametrize("size", [3, 5, 7])
def test_independent_weights_have_1(size):
    kernel = np.random.default_rng(0).normal(size=(size, size, 100, 40))
    found = low_frequency_energy(kernel)
    assert found.shape == (40,)
    assert found.mean() == pytest.approx(1, abs=4 * found.std() / np.sqrt(40))
    assert found.mean() == pytest.approx(1, abs=0.05)


def test_known_filters():
    flat, edge = np.ones((3, 3)), np.array([[1.0, 0, -1]] * 3)
    checkers = np.array([[1.0, -1, 1], [-1, 1, -1], [1, -1, 1]])
    kernel = np.stack([flat, edge, checkers, np.zeros((3, 3))], axis=-1)[:, :, None]
    found = low_frequency_energy(kernel)
    # The mean's power: (Σw)² / (9 Σw²) of all; over a ninth.
    np.testing.assert_allclose(found, [9, 0, 1 / 9, np.nan], atol=1e-12)


def test_filters_of_one_output_count_by_their_power():
    kernel = np.zeros((3, 3, 2, 1))
    kernel[..., 0, 0] = 3.0
    kernel[:, :, 1, 0] = np.array([[1.0, 0, -1]] * 3)
    assert low_frequency_energy(kernel)[0] == pytest.approx(9 * 81 / (81 + 6))


@given(st.integers(2, 7), st.integers(2, 7), st.floats(1e-3, 1e3))
def test_energy_has_its_bounds_and_no_scale(height, width, scale):
    kernel = np.random.default_rng(height).normal(size=(height, width, 2, 3))
    found = low_frequency_energy(kernel)
    assert (found >= 0).all() and (found <= height * width + 1e-9).all()
    np.testing.assert_allclose(low_frequency_energy(scale * kernel), found, rtol=1e-9)
    turned = low_frequency_energy(kernel[::-1, ::-1])
    np.testing.assert_allclose(turned, found, rtol=1e-9)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [(np.ones((1, 1, 2, 2)), "1×1"), (np.full((3, 3, 2, 2), np.nan), "not finite")],
)
def test_what_has_no_energy(kernel, message):
    with pytest.raises(ValueError, match=message):
        low_frequency_energy(kernel)
