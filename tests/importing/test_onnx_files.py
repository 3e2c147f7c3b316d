"""Small files of PyTorch's exporters, against onnxruntime (`tests/golden/make_onnx.py`)."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax.models.layers import Layer
from depthjax.models.network import node_names
from depthjax.models.operations import GELU

FOLDER = Path(__file__).parents[1] / "golden" / "onnx"
NAMES = [
    *("convnet_traced", "convnet_exported", "transformer_traced", "transformer_exported"),
]


@pytest.mark.parametrize("name", NAMES)
def test_the_output_is_onnxruntimes(name: str) -> None:
    """Of one image, and of two at once."""
    network, variables = depthjax.load_onnx(FOLDER / f"{name}.onnx")
    held = np.load(FOLDER / f"{name}.npz")
    images = jnp.asarray(np.concatenate([held["images"], 1 - held["images"]]))
    output, _ = network.apply(variables, images)
    np.testing.assert_allclose(output[:1], held["output"], rtol=1e-5, atol=1e-6)
    assert np.abs(output[1] - output[0]).max() > 1e-3


@pytest.mark.parametrize("exporter", ["traced", "exported"])
def test_layers_are_the_modules(exporter: str) -> None:
    """Whatever the exporter writes into the nodes."""
    network, _ = depthjax.load_onnx(FOLDER / f"transformer_{exporter}.onnx")
    names = depthjax.layer_names(network)
    assert [n for n in names if n.startswith("blocks")] == ["blocks.0", "blocks.1"]
    inner = node_names(network)
    for name in ("attn.qkv", "attn.proj", "norm1", "norm2", "mlp.0", "mlp.1", "mlp.2"):
        assert f"blocks.1.{name}" in inner
    kinds = {node.name: type(node.operation).__name__ for node in network.graph()}
    assert kinds["blocks.0.mlp.1"] == "GELU"  # one operation, however it was spelled
    assert kinds["blocks.0.norm1"] == "LayerNorm"
    assert kinds["blocks.0.attn.qkv"] == "Dense"
    assert GELU() in [node.operation for node in network.graph()]
    assert "pos_embed" in inner


def test_a_convnet_has_its_blocks() -> None:
    network, variables = depthjax.load_onnx(FOLDER / "convnet_exported.onnx")
    names = depthjax.layer_names(network)
    assert names[0] == "conv1"
    assert names[-1] == "fc"
    assert {"maxpool", "layer1.0", "layer1.1"} <= set(names)
    assert Layer(network, "layer1") == Layer(network, "layer1.1")
    assert network.image_size is None  # it holds no size
    kernel = variables["params"]["layer1.0.conv"]["kernel"]
    assert kernel.shape == (3, 3, 1, 8)
    assert "hard_swish" in [getattr(n.operation, "name", "") for n in network.graph()]
