"""timm's families at full size beside timm itself, and their untrained weights."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from make_timm import watch
from parity import build, pixels, timm

from depthjax import Layer, init_variables, load_weights
from depthjax.compat import enable_x64
from depthjax.models import TIMM_MODELS, build_model, layer_names, resolve
from depthjax.weights import to_torch_state_dict
from depthjax.weights.fitting import torch_shapes

NETWORKS = ("efficientnet_lite0", "tf_efficientnet_lite0", "convnext_tiny", "vit_tiny_patch16_224")


def trained_looking(name: str) -> torch.nn.Module:
    """With factors of a layer scale and a class token that are not nearly 0."""
    module, _ = build(f"timm:{name}")
    generator = torch.Generator().manual_seed(1)
    for key, tensor in module.state_dict().items():
        if key.endswith(("gamma", "cls_token", "bias")):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) - 0.3)
    return module.requires_grad_(False)


def state_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def relative(ours: Any, theirs: np.ndarray) -> float:
    difference = np.asarray(ours, float).reshape(theirs.shape) - theirs
    return float(np.linalg.norm(difference) / np.linalg.norm(theirs))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_module_gives_what_timms_gives(name: str) -> None:
    """In float32, at 224×224; relative in norm."""
    module, model = trained_looking(name), build_model(name)
    theirs: dict[str, np.ndarray] = {}
    watch(module, lambda layer, output: theirs.update({layer: output.clone().numpy()}))
    x = pixels((3, 224, 224))
    module(x)
    variables = load_weights(model, state_of(module))
    _, ours = jax.jit(model.apply)(variables, jnp.asarray(x.movedim(1, -1).numpy()))
    assert set(model.stages()) <= {*theirs, "stem", *model.aliases()}
    compared = {resolve(model, layer) for layer in theirs}
    assert set(layer_names(model)) - compared <= {"cls_token", "pos_embed", "fc_norm"}
    for layer, expected in theirs.items():
        assert relative(ours[resolve(model, layer)], expected) <= 1e-4, layer


@pytest.mark.parametrize("name", NETWORKS[:3])  # a ViT's is compared in test_timm_golden
def test_the_gradient_of_the_pixels_is_timms(name: str) -> None:
    """In float64, of the prepared network."""
    module, model = trained_looking(name).double(), build_model(name)
    x = pixels((3, 96, 96)).double().requires_grad_()
    logits = module(x)
    cotangent = torch.cos(torch.arange(logits.numel(), dtype=logits.dtype)).reshape(logits.shape)
    (expected,) = torch.autograd.grad((logits * cotangent).sum(), x)
    with enable_x64(True):
        layer = Layer(model, layer_names(model)[-1])
        prepared, weights = layer.prepare(load_weights(model, state_of(module)))
        images = jnp.asarray(x.detach().movedim(1, -1).numpy())
        loss: Callable[..., Any] = lambda images, w: (prepared(w, images) * cotangent.numpy()).sum()  # noqa: E731
        gradient = jax.jit(jax.grad(loss))(images, weights)
    assert gradient.dtype == np.float64
    assert relative(gradient, expected.movedim(1, -1).numpy()) <= 1e-8


@pytest.mark.parametrize("name", TIMM_MODELS)
def test_names_and_shapes_are_timms(name: str) -> None:
    with torch.device("meta"):
        theirs = timm.create_model(name).state_dict()
    shapes = {k: tuple(v.shape) for k, v in theirs.items() if not k.endswith("_tracked")}
    assert torch_shapes(build_model(name), 224) == shapes


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "convnext_tiny", "vit_tiny_patch16_224"])
def test_untrained_weights_are_distributed_as_timms(name: str) -> None:
    """Constants are the same; of all others mean and spread agree to six standard errors."""
    torch.manual_seed(0)
    theirs = state_of(timm.create_model(name))
    model = build_model(name)
    ours = to_torch_state_dict(init_variables(model, jax.random.key(0)), model)
    for key, array in ours.items():
        other, n = theirs[key], array.size
        assert array.shape == other.shape
        if other.std() == 0:
            assert np.array_equal(array, other), key
            continue
        assert abs(array.mean() - other.mean()) <= 6 * other.std() * (2 / n) ** 0.5, key
        assert abs(array.std() / other.std() - 1) <= 6 * n**-0.5, key
