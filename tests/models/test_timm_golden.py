"""timm's families against timm's recorded numbers (tests/golden), plain and prepared."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.formula import formula_cotangent, formula_image, formula_state_dict, relative_error

from depthjax import Layer
from depthjax.compat import enable_x64
from depthjax.devices.precision import matmul_precision
from depthjax.models import TIMM_MODELS, Network, build_model, layer_names, resolve
from depthjax.models.efficientnet_lite import scaled
from depthjax.weights import load_weights
from depthjax.weights.fitting import torch_shapes

FILE = Path(__file__).parents[1] / "golden" / "timm.npz"
_LITE = {**scaled(0.25, 0.5), "num_classes": 10}
TINY: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {  # fields, size of the images
    "efficientnet_lite0": (_LITE, (65, 70)),
    "tf_efficientnet_lite0": (_LITE, (65, 70)),
    "convnext_tiny": (
        {"stage_sizes": (1, 2, 1, 1), "widths": (8, 16, 16, 24), "num_classes": 10},
        (67, 70),
    ),
    "vit_tiny_patch16_224": (
        {"image_size": 32, "patch": 8, "width": 24, "depth": 2, "heads": 3, "num_classes": 10},
        (32, 32),
    ),
}


class Case(NamedTuple):
    """A tiny network, its state dict from the formula (float64), and what timm made of it."""

    model: Network
    state: dict[str, np.ndarray]
    images: np.ndarray
    activations: dict[str, np.ndarray]  # layer -> [norm, entries...]
    gradients: dict[str, np.ndarray]


@pytest.fixture(scope="module", params=TINY)
def case(request: pytest.FixtureRequest) -> Case:
    fields, size = TINY[request.param]
    model = build_model(request.param, **fields)
    kinds: dict[str, dict[str, np.ndarray]] = {"activations": {}, "gradients": {}}
    with np.load(FILE) as file:
        for key in file.files:
            network, _, rest = key.partition("/")
            if network == request.param:
                kind, _, layer = rest.partition("/")
                kinds[kind][layer] = file[key]
    state = formula_state_dict(torch_shapes(model, size))
    images = np.moveaxis(formula_image(*size), 1, -1)
    return Case(model, state, images, kinds["activations"], kinds["gradients"])


def test_activations_in_float32(case: Case) -> None:
    state = {name: array.astype(np.float32) for name, array in case.state.items()}
    variables = load_weights(case.model, state, image_size=case.images.shape[1:3])
    with matmul_precision("float32"):
        _, ours = jax.jit(case.model.apply)(variables, jnp.asarray(case.images, jnp.float32))
    compared = {resolve(case.model, name) for name in case.activations}
    # What else there is holds no layer of timm's.
    rest = {name.partition(".")[0] for name in set(layer_names(case.model)) - compared}
    assert rest <= {"cls_token", "pos_embed", "fc_norm"}
    for name, golden in case.activations.items():
        value = np.asarray(ours[resolve(case.model, name)])
        assert relative_error(value, (golden[0], golden[1:])) <= 1e-5, name


def test_input_gradients_in_float64(case: Case) -> None:
    """Of the prepared layers, whose derivatives are ours; the plain ones have JAX's."""
    with enable_x64(True):
        variables = load_weights(case.model, case.state, image_size=case.images.shape[1:3])
        for name, golden in case.gradients.items():
            prepared, weights = Layer(case.model, name).prepare(variables)
            gradient = input_gradient(partial(prepared, weights), case.images)
            assert gradient.dtype == np.float64
            error = relative_error(np.asarray(gradient), (golden[0], golden[1:]))
            assert error <= 1e-10, name


def input_gradient(function: Callable[[jax.Array], jax.Array], images: np.ndarray) -> jax.Array:
    """The gradient of `sum(function(images) * cotangent)`."""

    @jax.jit
    def gradient(images: jax.Array) -> jax.Array:
        value, pullback = jax.vjp(function, images)
        return pullback(jnp.asarray(formula_cotangent((value.size,)).reshape(value.shape)))[0]

    return gradient(images)


def test_every_family_was_recorded() -> None:
    with np.load(FILE) as file:
        assert {key.partition("/")[0] for key in file.files} == {"versions", *TINY}
    families = {type(build_model(name)) for name in TIMM_MODELS}
    assert {type(build_model(name)) for name in TINY} == families
