"""BatchNorm's statistics on crops of photographs, also where it was folded into convolutions."""

import jax
import numpy as np
import pytest
from drawn_weights import FIELDS, leaves
from error_messages import error_of

import depthjax
from depthjax.images.crops import natural_crops
from depthjax.images.luminance import luminance
from depthjax.models.catalogue import find_model
from depthjax.models.network import graph_of
from depthjax.models.normalization import as_normalization
from depthjax.models.operations import BatchNorm
from depthjax.weights import (
    calibrated,
    crops_for,
    save_weights,
    unfolded,
    weights_of,
)


def normalised_inputs(model, variables, images):
    """What each BatchNorm makes of its input, before scale and bias, `[…, C]`."""
    _, activations = jax.jit(model.apply)(variables, images)
    variables = jax.tree.map(np.asarray, variables)
    made = {}
    for node in graph_of(model):
        if isinstance(node.operation, BatchNorm):
            statistics = variables["batch_stats"][node.name]
            x = np.asarray(activations[node.inputs[0]], np.float64) - statistics["mean"]
            made[node.name] = x / np.sqrt(np.asarray(statistics["var"], np.float64) + 1e-12)
    return made


def check_exact(model, variables, images):
    made = normalised_inputs(model, variables, images)
    assert made
    for name, x in made.items():
        axes = tuple(range(x.ndim - 1))
        alive = x.std(axes) > 0.1
        assert alive.mean() > 0.5, name
        np.testing.assert_allclose(x.mean(axes), 0, atol=2e-3, err_msg=name)
        np.testing.assert_allclose(x.std(axes)[alive], 1, rtol=2e-3, err_msg=name)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("resnet18", FIELDS),
        ("tf_efficientnet_lite0", {"stage_sizes": (1, 2), "widths": (4, 6), "num_classes": 3}),
        ("resnet50_thin", {"stage_sizes": (1, 1), "width": 4}),
    ],
)
def test_after_calibration_every_batch_norm_has_inputs_of_mean_0_and_variance_1(name, fields):
    found = find_model(name, fields)
    weights = weights_of(found, "calibrated:untrained", 5, 32)
    images, record = crops_for(found.model, 32)
    assert images.shape == (record["count"], 32, 32, 3)
    check_exact(found.model, weights.variables, images)
    plain = weights_of(found, "untrained", 5, 32)
    before, after = leaves(plain.variables), leaves(weights.variables)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("batch_stats")}
    assert weights.record == {"source": "calibrated:untrained", "seed": 5, "crops": record}


def test_statistics_are_of_grey_crops_where_images_are_grey():
    """In colour they would be of other images than the network is shown."""
    found = find_model("resnet18", FIELDS)
    weights = weights_of(found, "calibrated:untrained", 5, 16, grey=True)
    grey = np.asarray(luminance(crops_for(found.model, 16)[0]))
    check_exact(found.model, weights.variables, np.float32(grey[..., None].repeat(3, -1)))
    plain = weights_of(found, "calibrated:untrained", 5, 16).record["crops"]
    assert weights.record["crops"] == {**plain, "grey": True}


def test_calibration_sees_the_pixels_as_the_network_does(trained):
    found, variables = trained
    images, _ = crops_for(found.model, 16)
    half = as_normalization("half")
    made = calibrated(found.model, variables, images, half)
    check_exact(found.model, made, half(images))
    jax.tree.map(
        np.testing.assert_array_equal,
        weights_of(found, "calibrated:untrained", 5, 16, normalization="half").variables,
        calibrated(
            found.model, depthjax.init_variables(found.model, jax.random.key(5)), images, half
        ),
    )


def test_calibration_forgets_the_old_statistics_and_keeps_all_else(trained):
    found, variables = trained
    images, _ = crops_for(found.model, 16)
    reset = {
        **variables,
        "batch_stats": jax.tree.map(lambda x: 7.0 * np.ones_like(x), variables["batch_stats"]),
    }
    once, again = (calibrated(found.model, v, images) for v in (variables, reset))
    jax.tree.map(np.testing.assert_array_equal, once, again)
    jax.tree.map(np.testing.assert_array_equal, once["params"], variables["params"])


def folded(model, variables):
    """The same function, BatchNorm folded as a file of another library has it."""
    variables = jax.tree.map(np.asarray, variables)
    params, statistics = {**variables["params"]}, {**variables["batch_stats"]}
    for node in graph_of(model):
        if isinstance(node.operation, BatchNorm):
            held, moments = params[node.name], statistics[node.name]
            gain = held["scale"] / np.sqrt(moments["var"] + node.operation.epsilon)
            convolution = params[node.inputs[0]]
            params[node.inputs[0]] = {**convolution, "kernel": convolution["kernel"] * gain}
            ones = np.ones_like(moments["mean"])
            params[node.name] = {"scale": ones, "bias": held["bias"] - moments["mean"] * gain}
            statistics[node.name] = {
                "mean": 0 * ones,
                "var": ones - np.float32(node.operation.epsilon),
            }
    return {"params": params, "batch_stats": statistics}


def test_unfolding_changes_no_output_and_gives_back_scale_and_bias(trained):
    """Of a network calibrated on the same images, the statistics, scales and biases return."""
    found, variables = trained
    images, _ = crops_for(found.model, 16)
    original = calibrated(found.model, variables, images)
    without = folded(found.model, original)
    back = unfolded(found.model, without, images)
    outputs = [found.model.apply(v, images)[0] for v in (original, without, back)]
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(outputs[2], outputs[1], rtol=1e-3, atol=1e-4)
    for norm, held in original["params"].items():
        if "scale" in held:
            np.testing.assert_allclose(
                back["params"][norm]["scale"], np.abs(held["scale"]), rtol=2e-2, atol=1e-3
            )
            np.testing.assert_allclose(
                back["params"][norm]["bias"], held["bias"], rtol=1e-2, atol=1e-3
            )


def test_controls_of_a_folded_network_are_those_of_the_network_before(trained, tmp_path):
    """Shuffled, a channel's mean and deviation behind BatchNorm are what training gave it."""
    found, variables = trained
    images, record = crops_for(found.model, 16)
    original = calibrated(found.model, variables, images)
    file = str(tmp_path / "folded.safetensors")
    save_weights(file, folded(found.model, original), normalization=None)
    weights = weights_of(found, f"calibrated:shuffled:{file}", 3, 16)
    assert weights.record["crops"] == record and weights.record["seed"] == 3
    check_exact(found.model, weights.variables, images)
    _, activations = found.model.apply(weights.variables, images)
    for norm, held in original["params"].items():
        if "scale" in held:
            x = np.asarray(activations[norm], np.float64)
            np.testing.assert_allclose(x.mean((0, 1, 2)), held["bias"], atol=5e-3)
            np.testing.assert_allclose(x.std((0, 1, 2)), held["scale"], atol=5e-2)
    # Nothing to do for the trained network itself: its statistics are those of natural images.
    same = weights_of(found, f"calibrated:{file}", 3, 16).variables
    outputs = [found.model.apply(v, images)[0] for v in (same, original)]
    np.testing.assert_allclose(*outputs, rtol=1e-2, atol=1e-3)


def test_without_batch_norm_there_is_nothing_to_calibrate():
    found = find_model("mlp", {"widths": (4, 2)})
    message = error_of(lambda: weights_of(found, "calibrated:untrained", 0, 8))
    assert "MLP has no BatchNorm" in message


def test_unnormalized_is_said_of_the_source_wherever_it_stands(trained, tmp_path):
    found, variables = trained
    file = str(tmp_path / "w.safetensors")
    save_weights(file, variables, normalization="half")
    one, other = (
        weights_of(found, source, 3, 16)
        for source in (f"unnormalized:calibrated:{file}", f"calibrated:unnormalized:{file}")
    )
    jax.tree.map(np.testing.assert_array_equal, one.variables, other.variables)
    assert one.normalization is other.normalization is None
    assert one.has_trained_head
    images, _ = crops_for(found.model, 16)
    check_exact(found.model, one.variables, images)


def test_crops_are_always_the_same_and_of_all_photographs():
    first = natural_crops(20, 12, 16)
    natural_crops.cache_clear()
    again, other = natural_crops(20, 12, 16), natural_crops(20, 12, 16, seed=1)
    np.testing.assert_array_equal(first.images, again.images)
    assert first.record == again.record
    assert first.record["sha256"] != other.record["sha256"]
    assert first.images.shape == (20, 12, 16, 3) and first.images.dtype == np.uint8
    assert len(np.unique(first.images.reshape(20, -1), axis=0)) == 20
    assert not first.images.flags.writeable
