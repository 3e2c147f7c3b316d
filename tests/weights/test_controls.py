"""Controls of weights: kernels shuffled or rotated, BatchNorm calibrated, pixels as they are."""

import jax
import numpy as np
import pytest
from drawn_weights import leaves
from error_messages import error_of

import depthjax
from depthjax.weights import (
    CONTROLS,
    rotated,
    save_weights,
    shuffled,
    weights_of,
)
from depthjax.weights.controls import controls_in, has_trained_head, is_drawn, is_untrained


def test_kernels_keep_their_values_and_all_else_stays(trained):
    _, variables = trained
    before, after = leaves(variables), leaves(shuffled(variables, 3))
    assert list(before) == list(after)
    kernels = [name for name in before if name.endswith("/kernel")]
    assert len(kernels) > 5
    for name, array in before.items():
        if name in kernels:
            assert not np.array_equal(array, after[name])
            np.testing.assert_array_equal(np.sort(array, None), np.sort(after[name], None))
            assert array.shape == after[name].shape
        else:
            np.testing.assert_array_equal(array, after[name])


@pytest.mark.parametrize("control", [shuffled, rotated])
def test_the_seed_and_the_name_decide(trained, control):
    _, variables = trained
    first, again, other = (leaves(control(variables, seed)) for seed in (3, 3, 4))
    same = {"params": {name: {"kernel": np.arange(12.0).reshape(3, 4)} for name in "ab"}}
    two = control(same, 3)["params"]
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert not np.array_equal(first["params/conv1/kernel"], other["params/conv1/kernel"])
    assert not np.array_equal(two["a"]["kernel"], two["b"]["kernel"])


def test_of_a_file_of_untrained_weights_and_of_shuffled_ones(trained, tmp_path):
    found, variables = trained
    file = str(tmp_path / "w.safetensors")
    save_weights(file, variables, normalization="half")
    of_file = weights_of(found, f"shuffled:{file}", 3, 16)
    plain = weights_of(found, file, 0, 16)
    assert of_file.normalization == plain.normalization
    assert (plain.has_trained_head, of_file.has_trained_head) == (True, False)
    assert of_file.record == {**plain.record, "source": f"shuffled:{file}", "seed": 3}
    jax.tree.map(np.testing.assert_array_equal, of_file.variables, shuffled(variables, 3))
    untrained = weights_of(found, "shuffled:untrained:7", 3, 16)
    expected = shuffled(depthjax.init_variables(found.model, jax.random.key(7), 16), 3)
    jax.tree.map(np.testing.assert_array_equal, untrained.variables, expected)
    assert untrained.record["source"] == "shuffled:untrained:7"


def test_rotated_kernels_keep_their_singular_values_and_nothing_else(trained):
    _, variables = trained
    before, after = leaves(variables), leaves(rotated(variables, 3))
    for name, array in before.items():
        if not name.endswith("/kernel"):
            np.testing.assert_array_equal(array, after[name])
            continue
        pair = [np.moveaxis(k, -1, 0).reshape(k.shape[-1], -1) for k in (array, after[name])]
        values = [np.linalg.svd(matrix, compute_uv=False) for matrix in pair]
        np.testing.assert_allclose(*values, rtol=1e-5, atol=1e-6)
        assert after[name].dtype == array.dtype
        cosine = (array * after[name]).sum() / (array**2).sum()
        assert abs(cosine) < 0.9


@pytest.mark.parametrize("shape", [(3, 3, 1, 8), (3, 3, 5, 1), (1, 1, 1, 8), (1, 1, 4, 4)])
def test_depthwise_kernels_and_those_of_one_output_are_matrices_too(shape):
    """Depthwise ones of channels × places; of one row or column the norm is kept alone."""
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    turned = [
        np.asarray(rotated({"params": {"a": {"kernel": kernel}}}, seed)["params"]["a"]["kernel"])
        for seed in range(300)
    ]
    assert turned[0].shape == shape
    for each in turned[:5]:
        values = [np.linalg.svd(k.reshape(-1, shape[-1]), compute_uv=False) for k in (kernel, each)]
        np.testing.assert_allclose(*values, rtol=1e-5)
    # Singular vectors are uniform: no entry is likelier to be positive, nor larger than others.
    mean, square = np.mean(turned, 0), np.square(turned).mean(0)
    expected = np.square(kernel).sum() / kernel.size
    assert np.abs(mean).max() < 6 * np.sqrt(expected / len(turned))
    np.testing.assert_allclose(square, expected, rtol=0.5)


def test_what_a_source_says():
    assert controls_in("calibrated:shuffled:pip:a") == (("calibrated", "shuffled"), "pip:a")
    assert controls_in("hf://calibrated:x") == ((), "hf://calibrated:x")
    sources = ("untrained", "untrained:7", "calibrated:pip:a", "rotated:pip:a", "w.safetensors")
    assert [is_untrained(s) for s in sources] == [True, True, False, False, False]
    assert [is_drawn(s) for s in sources] == [True, False, False, True, False]
    assert [has_trained_head(s) for s in sources] == [False, False, True, False, True]
    assert is_untrained("calibrated:untrained") and is_drawn("unnormalized:untrained")


def test_of_nothing(trained):
    found, _ = trained
    for control in CONTROLS:
        for source in (control, f"{control}:"):
            message = error_of(lambda s=source: weights_of(found, s, 0, 16))
            assert f"write {control}:pretrained" in message
    message = error_of(lambda: weights_of(found, "shufled:untrained", 0, 16))
    assert "or 'shuffled:SOURCE'?" in message
    assert "unknown weights 'no_such'" in error_of(
        lambda: weights_of(found, "shuffled:no_such", 0, 16)
    )
