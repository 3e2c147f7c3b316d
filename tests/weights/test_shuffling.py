"""`shuffled:SOURCE`: each kernel keeps its values and loses their order; all else stays."""

import jax
import numpy as np
import pytest
from error_messages import error_of

import depthjax
from depthjax.models.catalogue import find_model
from depthjax.weights import save_weights, shuffled, weights_of

FIELDS = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3}


@pytest.fixture(scope="module")
def trained():
    """A model, and weights of which no two are equal."""
    found = find_model("resnet18", FIELDS)
    variables = depthjax.init_variables(found.model, jax.random.key(5), 16)
    random = np.random.default_rng(0)
    return found, jax.tree.map(lambda x: x + np.float32(random.uniform(0, 0.1, x.shape)), variables)


def leaves(variables):
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables)
    }


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


def test_the_seed_and_the_name_decide(trained):
    _, variables = trained
    first, again, other = (leaves(shuffled(variables, seed)) for seed in (3, 3, 4))
    same = {"params": {name: {"kernel": np.arange(12.0).reshape(3, 4)} for name in "ab"}}
    two = shuffled(same, 3)["params"]
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


def test_of_nothing(trained):
    found, _ = trained
    for source in ("shuffled", "shuffled:"):
        assert "write shuffled:pretrained" in error_of(lambda s=source: weights_of(found, s, 0, 16))
    assert "unknown weights 'no_such'" in error_of(
        lambda: weights_of(found, "shuffled:no_such", 0, 16)
    )
