"""Of several restarts the one with the least objective is taken, for each image by itself."""

import jax
import numpy as np
import pytest

import depthjax
from depthjax import InversionConfig, Layer, autoencode
from depthjax.folders.layer_arrays import layer_arrays
from depthjax.folders.restarts import best_restart


@pytest.fixture(scope="module")
def arrays():
    model = depthjax.build_model("mlp", widths=(20, 8))
    variables = depthjax.init_variables(model, jax.random.key(0), 4)
    images = jax.random.uniform(jax.random.key(1), (4, 4, 4, 3))
    config = InversionConfig(steps=6, restarts=3, start=("flat", "uniform", "gaussian"))
    run = autoencode(jax.random.key(2), Layer(model, "fc2"), variables, images, config, frames=3)
    return layer_arrays(run)


@pytest.mark.parametrize("last", [False, True])
def test_each_image_has_the_restart_of_its_least_objective(arrays, last):
    found = best_restart(arrays, last=last)
    objective = arrays["trajectory_objective"][-1] if last else arrays["objective"]
    assert len(set(found["restart"])) > 1  # or it would not matter
    for b, r in enumerate(found["restart"]):
        assert objective[r, b] == objective[:, b].min()
        for name in ("images", "final_images", "embedding_ratio", "status", "luminance_r2"):
            np.testing.assert_array_equal(found[name][0, b], arrays[name][r, b])
        for name in ("trajectory_embedding_ratio", "matched_input_ratio", "frames"):
            np.testing.assert_array_equal(found[name][:, 0, b], arrays[name][:, r, b])
    for name in ("trajectory_step", "frame_step", "baseline_flat", "batch_split"):
        np.testing.assert_array_equal(found[name], arrays[name])
    again = best_restart(found, last=last)
    assert (again.pop("restart") == 0).all()
    for name, values in again.items():
        np.testing.assert_array_equal(values, found[name])


def test_one_that_is_not_finite_is_not_taken(arrays):
    broken = dict(arrays)
    broken["objective"] = arrays["objective"].copy()
    broken["objective"][0] = np.nan
    assert (best_restart(broken)["restart"] > 0).all()


def test_what_is_of_targets_stays_whole_where_it_has_the_shape_of_restarts(arrays):
    restarts, count = arrays["objective"].shape
    classes = np.arange(restarts * count).reshape(restarts, count)
    found = best_restart({**arrays, "target_top_classes": classes})
    np.testing.assert_array_equal(found["target_top_classes"], classes)
