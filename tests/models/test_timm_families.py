"""timm's families: untrained weights, sizes, and what their operations join and absorb."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from error_messages import error_of

import depthjax
from depthjax.analysis.accounting import account
from depthjax.models import Network, build_model, init_variables, layer_names
from depthjax.models.network import INPUT, GraphBuilder, Node
from depthjax.models.operations import (
    ClassToken,
    LayerScale,
    PositionEmbedding,
    SelfAttention,
    batch_norm,
    describe,
    first_token,
    linear,
    relu6,
)
from depthjax.models.prepared import plan

KEY = jax.random.key(0)
VIT = {"image_size": 32, "patch": 8, "width": 24, "depth": 2, "num_classes": 50}


# ----------------------------------------------------------------------------- untrained weights


def lite(leaf: str, shape: tuple[int, ...]) -> tuple[str, float]:
    """The TPU models' initialisation: fan-out within a group."""
    if len(shape) == 4:
        depthwise = shape[2] == 1
        return "normal", (2 / (shape[0] * shape[1] * (1 if depthwise else shape[3]))) ** 0.5
    if leaf == "classifier.kernel":
        return "uniform", shape[-1] ** -0.5
    return "constant", float(leaf.endswith("scale"))


def convnext(leaf: str, shape: tuple[int, ...]) -> tuple[str, float]:
    if leaf.endswith("kernel"):
        return "normal", 0.02
    return "constant", 1e-6 if leaf.endswith("gamma") else float(leaf.endswith("scale"))


def vit(leaf: str, shape: tuple[int, ...]) -> tuple[str, float]:
    if leaf.startswith("patch_embed"):  # PyTorch's default for convolutions
        return "uniform", (8 * 8 * 3) ** -0.5
    if leaf.startswith(("cls_token", "pos_embed")):
        return "normal", 1e-6 if leaf.startswith("cls") else 0.02
    return convnext(leaf, shape)


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("tf_efficientnet_lite0", {"stage_sizes": (1, 1), "widths": (16, 24)}, lite),
        ("convnext_tiny", {"stage_sizes": (1, 1), "widths": (48, 64)}, convnext),
        ("vit_tiny_patch16_224", VIT, vit),
    ],
)
def test_untrained_weights_are_distributed_as_timms(
    name: str, fields: dict[str, Any], expected: Any
) -> None:
    """Mean, spread and largest element; five standard errors."""
    variables = init_variables(build_model(name, **fields), KEY, 32)
    for layer, leaves in variables["params"].items():
        for leaf, value in leaves.items():
            array, label = np.asarray(value, float).ravel(), f"{layer}.{leaf}"
            kind, scale = expected(label, value.shape)
            if kind == "constant":
                assert (array == np.float32(scale)).all(), label
                continue
            std, kurtosis = (scale, 3.0) if kind == "normal" else (scale / 3**0.5, 1.8)
            z, n = array / std, len(array)
            assert abs(z.mean()) < 5 / n**0.5, label
            assert abs((z**2).mean() - 1) < 5 * ((kurtosis - 1) / n) ** 0.5, label
            # A uniform variable ends at √3; 200 normal ones go beyond with probability 1 - 1e-8.
            assert n < 200 or (np.abs(z).max() > 3**0.5 + 1e-6) == (kind == "normal"), label


# ----------------------------------------------------------------------------- sizes and names


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("vit_tiny_patch16_224", {"image_size": 100}, "100 is no multiple of patch 16"),
        ("vit_tiny_patch16_224", {"image_size": 8}, "8 is no multiple of patch 16"),
        ("vit_tiny_patch16_224", {"heads": 5}, "192 is no multiple of heads 5"),
        ("convnext_tiny", {"widths": (8, 8)}, "got (3, 3, 9, 3) and (8, 8)"),
        ("tf_efficientnet_lite0", {"widths": (8, 8)}, "got (1, 2, 2, 3, 3, 4, 1) and (8, 8)"),
        ("tf_efficientnet_lite0", {"origin": "torch"}, "did you mean 'pytorch'"),
    ],
)
def test_fields_that_do_not_go_together(name: str, fields: dict[str, Any], told: str) -> None:
    assert told in error_of(lambda: build_model(name, **fields))


def test_a_vit_takes_images_of_its_size() -> None:
    model = build_model("vit_tiny_patch16_224", **VIT)
    variables = init_variables(model, KEY, 32)
    layer = depthjax.Layer(model, "blocks.1")
    prepared, weights = layer.prepare(variables)
    for call in (lambda x: layer(variables, x), lambda x: prepared(weights, x)):
        assert call(jnp.zeros((2, 32, 32, 3))).shape == (2, 17, 24)
        message = error_of(lambda call=call: call(jnp.zeros((1, 40, 32, 3))))
        assert (
            "takes images of 32×32, got 40×32; resize them, or build it with image_size=40"
            in message
        )
    assert "32×32, got 224×224" in error_of(lambda: init_variables(model, KEY, 224))


def test_layers_are_the_blocks() -> None:
    inner = r"(blocks\.\d+|stages\.\d\.blocks\.\d+)\.[a-z]"
    for name in ("tf_efficientnet_lite0", "convnext_tiny", "vit_tiny_patch16_224"):
        assert not [layer for layer in layer_names(build_model(name)) if re.match(inner, layer)]
    assert build_model("vit_tiny_patch16_224", **VIT | {"depth": 3}).stages() == (
        *("patch_embed", "blocks.0", "blocks.1", "blocks.2"),
    )
    full = build_model("vit_tiny_patch16_224").stages()
    assert full == ("patch_embed", "blocks.2", "blocks.5", "blocks.8", "blocks.11")


# ----------------------------------------------------------------------------- operations


class Chain(Network):
    """Operations one after the other."""

    operations: tuple[Any, ...] = ()

    def graph(self) -> tuple[Node, ...]:
        net, x = GraphBuilder(), INPUT
        for index, operation in enumerate(self.operations):
            x = net(f"op{index}", operation, x)
        return tuple(net.nodes)


def test_self_attention_is_attention_of_three_parts(x64: None) -> None:
    """Head by head, as timm cuts the channels."""
    qkv = np.random.default_rng(0).normal(size=(2, 5, 18))
    heads = []
    for head in range(2):
        q, k, v = (qkv[..., 6 * part + 3 * head :][..., :3] for part in range(3))
        weights = np.exp(q @ k.swapaxes(1, 2) / 3**0.5)
        heads.append(weights / weights.sum(-1, keepdims=True) @ v)
    got = SelfAttention(2)(jnp.asarray(qkv))
    np.testing.assert_allclose(got, np.concatenate(heads, -1), rtol=1e-12)


@pytest.mark.parametrize(
    "operation",
    [
        SelfAttention(2),
        LayerScale(0.5, parent=None),
        ClassToken(parent=None),
        PositionEmbedding(parent=None),
        first_token,
    ],
    ids=lambda operation: getattr(operation, "__name__", type(operation).__name__),
)
def test_what_is_joined_is_what_the_derivative_says(operation: Any) -> None:
    """Elements are joined just where the derivative is other than 0 at some point."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 3, 12)))
    description = describe(operation)
    leaves: Any = {}
    if description.holds_weights:
        leaves = operation.init(KEY, x)
        leaves = jax.tree.map(lambda leaf: leaf.at[..., 1].set(0), leaves)
    function = operation.bind(leaves) if leaves else operation
    derivative = jax.jit(jax.jacobian(function))(x)
    joined = jax.jit(jax.jacobian(description.joins(function(x).shape, leaves)))(x)
    assert np.array_equal(np.asarray(derivative) != 0, np.asarray(joined) != 0)


def test_the_gates_of_relu6() -> None:
    x = jnp.asarray([-1.0, 0.0, 1.0, 6.0, 7.0])
    assert np.array_equal(relu6(x), [0, 0, 1, 6, 6])
    assert np.array_equal(jax.vmap(jax.grad(relu6))(x), [0, 0, 1, 0, 0])
    images = jnp.asarray([-1.0, 2.0, 8.0, 3.0]).reshape(1, 2, 2, 1)
    (loss,) = account(depthjax.Layer(Chain((relu6,)), "op0"), {"params": {}}, images[0])
    assert (loss.inputs, loss.unread) == (4, 2)


@pytest.mark.parametrize("after", [LayerScale(0.5, parent=None), batch_norm()])
def test_a_linear_layer_takes_a_factor_for_each_channel(x64: None, after: Any) -> None:
    model = Chain((linear(4), after))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 5)))
    variables = model.init(KEY, x)
    leaves, tree = jax.tree.flatten(variables)
    rng = np.random.default_rng(1)
    variables = tree.unflatten([jnp.asarray(rng.uniform(0.5, 2, leaf.shape)) for leaf in leaves])
    layer = depthjax.Layer(model, "op1")
    prepared, weights = layer.prepare(variables)
    assert [step.source for step in plan(model, "op1")] == ["op0"]
    np.testing.assert_allclose(prepared(weights, x), layer(variables, x), rtol=1e-12)
