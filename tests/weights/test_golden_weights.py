"""State dicts as torchvision and timm make them, from their recorded names and logits."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from golden.formula import formula_image, formula_state_dict

import depthjax
from depthjax.devices.precision import matmul_precision
from depthjax.weights import load_weights
from depthjax.weights.fitting import fit

FILE = Path(__file__).parents[1] / "golden" / "weights.npz"
FAMILIES = ("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d", "vgg16", "vgg16_bn")


def recorded(key):
    with np.load(FILE) as file:
        array = file[key]
    return json.loads(str(array)) if array.ndim == 0 else array


def test_every_family_was_recorded():
    with np.load(FILE) as file:
        assert {key.split("/")[1] for key in file.files if "/" in key} == set(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_torchvisions_names_and_shapes_fit(name):
    """Of whole networks; their numbers are compared in test_golden_parity."""
    shapes = recorded(f"torchvision/{name}/shapes")
    state = {key: np.broadcast_to(np.float32(1), shape) for key, shape in shapes.items()}
    fitting = fit(depthjax.build_model(name), state).state
    counters = {key for key in shapes if key.endswith("num_batches_tracked")}
    assert fitting.keys() == shapes.keys() - counters
    assert all(array.shape == tuple(shapes[key]) for key, array in fitting.items())


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_of_a_timm_network(name):
    shapes = recorded(f"timm/{name}/shapes")
    state = {key: array.astype("f") for key, array in formula_state_dict(shapes).items()}
    vgg = name.startswith("vgg")
    small = {"stage_sizes": (1, 1), "width": 4} if vgg else {"stage_sizes": (1, 1, 1, 1)}
    model = depthjax.build_model(name, num_classes=10, **small)
    variables = load_weights(model, state)
    images = jnp.asarray(np.moveaxis(formula_image(29, 31, batch=2), 1, -1), jnp.float32)
    head = depthjax.Layer(model, depthjax.layer_names(model)[-1])
    with matmul_precision():
        logits = np.asarray(head(variables, images), float)
    expected = recorded(f"timm/{name}/logits")
    assert np.linalg.norm(logits - expected) <= 1e-5 * np.linalg.norm(expected)
