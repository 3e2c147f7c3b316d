"""OpenNSFW's ONNX file as a ResNet of ours, against the same file as an imported network."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest
from error_messages import error_of
from onnx_files import kernel, model, node, saved

import depthjax
from depthjax.importing.onnx import load_onnx
from depthjax.models.resnet import ResNet
from depthjax.weights import load_weights
from depthjax.weights.open_nsfw import PIXELS, read_open_nsfw

SIZE = 32
SMALL = ResNet(
    stage_sizes=(2, 1), block="bottleneck", width=8, width_per_group=32, expansion=2,
    origin="caffe", num_classes=2,
)  # fmt: skip


class Graph:
    """The operations of the file, made as tf2onnx wrote them."""

    def __init__(self):
        self.nodes, self.weights, self.draw = [], {}, np.random.default_rng(0)

    def add(self, kind, inputs, output, **attributes):
        self.nodes.append(node(kind, inputs, output, **attributes))
        return output

    def conv(self, x, name, shape, strides=1):
        self.weights[f"{name}_w"] = kernel(*shape, seed=len(self.weights))
        self.weights[f"{name}_b"] = self.draw.normal(size=shape[0]).astype(np.float32)
        size, pad = shape[-1], shape[-1] // 2
        settings = {"kernel_shape": [size, size], "pads": [pad] * 4, "strides": [strides] * 2}
        inputs = f"{x} {name}_w {name}_b"
        return self.add("Conv", inputs, f"bn_{name}/FusedBatchNormV3:0", **settings)

    def relu(self, x):
        return self.add("Relu", x, f"Relu_{len(self.nodes)}:0")

    def block(self, x, name, inputs, inner, strides=1, projects=False):
        skip = x
        if projects:
            skip = self.conv(x, f"{name}_proj_shortcut", (4 * inner, inputs, 1, 1), strides)
        y = self.relu(self.conv(x, f"{name}_branch2a", (inner, inputs, 1, 1), strides))
        y = self.relu(self.conv(y, f"{name}_branch2b", (inner, inner, 3, 3)))
        y = self.conv(y, f"{name}_branch2c", (4 * inner, inner, 1, 1))
        return self.add("Relu", self.add("Add", f"{y} {skip}", f"add_{name}"), name)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Two stages at 32×32: of it 16 after the stem, 8 after pooling, 4 after the second stage."""
    graph = Graph()
    x = graph.add("Transpose", "input:0", "channels_first", perm=[0, 3, 1, 2])
    x = graph.relu(graph.conv(x, "1", (8, 3, 7, 7), 2))
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}
    x = graph.add("MaxPool", x, "pooled", **window)
    x = graph.block(x, "stage0_block0", 8, 4, projects=True)
    x = graph.block(x, "stage0_block1", 16, 4)
    x = graph.block(x, "stage1_block0", 16, 8, 2, projects=True)
    x = graph.add("AveragePool", x, "averaged", kernel_shape=[4, 4])
    x = graph.add("Flatten", x, "flat")
    graph.weights["fc_nsfw/MatMul/ReadVariableOp:0"] = kernel(32, 2, seed=99)
    graph.weights["fc_nsfw/BiasAdd/ReadVariableOp:0"] = np.float32([0.5, -0.5])
    x = graph.add("MatMul", f"{x} fc_nsfw/MatMul/ReadVariableOp:0", "product")
    graph.add("Add", f"{x} fc_nsfw/BiasAdd/ReadVariableOp:0", "logits")
    graph.weights["conv1/scale"] = np.float32([1])  # one that no convolution has
    made = model(graph.nodes, graph.weights, images=(1, SIZE, SIZE, 3), output=(1, 2))
    made.graph.input[0].name = "input:0"
    return saved(tmp_path_factory.mktemp("onnx"), made)


LAYERS = {
    "maxpool": "pooled",
    "layer1.0": "stage0_block0",
    "layer1": "stage0_block1",
    "layer2": "stage1_block0",
    "fc": "logits",
}


def test_it_computes_what_the_file_computes_of_other_pixels(file):
    images = np.random.default_rng(1).uniform(size=(2, SIZE, SIZE, 3)).astype(np.float32)
    theirs, weights = load_onnx(file)
    of_caffe = 255 * images[..., ::-1] - np.float32([104, 117, 123])
    variables = load_weights(SMALL, read_open_nsfw(file), image_size=SIZE)
    for ours, its in LAYERS.items():
        expected = depthjax.Layer(theirs, its)(weights, jnp.asarray(of_caffe))
        found = depthjax.Layer(SMALL, ours, PIXELS)(variables, jnp.asarray(images))
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max(), ours


def test_what_cannot_be_read_is_said(tmp_path, monkeypatch, file):
    (tmp_path / "w.onnx").write_bytes(b"no protocol buffer")
    assert "install it again" in error_of(lambda: read_open_nsfw(tmp_path / "w.onnx"))
    other = model([node("Relu", "images", "out")])
    assert "is not the network" in error_of(lambda: read_open_nsfw(saved(tmp_path, other)))
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert error_of(lambda: read_open_nsfw(file)).endswith("pip install onnx")
