"""Small ONNX graphs for tests, made in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Sizes = Sequence[int | str | None]


def model(
    nodes: Sequence[Any],
    weights: dict[str, np.ndarray] | None = None,
    *,
    images: Sizes = (1, 3, 8, 8),
    output: Sizes | None = None,
    opset: int = 17,
    functions: Sequence[Any] = (),
    domains: dict[str, int] | None = None,
) -> Any:
    """A model of one input, `images`, and of the last node's output."""
    last = nodes[-1].output[0]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, images)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, output)],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    versions = [helper.make_opsetid("", opset)]
    versions += [helper.make_opsetid(d, v) for d, v in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=versions, functions=list(functions), ir_version=8)


def saved(folder: Path, made: Any, name: str = "model.onnx") -> Path:
    """The model as a file."""
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    """A node whose inputs are written with spaces between them."""
    name = attributes.pop("name", "")
    return helper.make_node(kind, inputs.split(" "), [output], name=name, **attributes)


def kernel(*shape: int, seed: int = 0) -> np.ndarray:
    """Weights of unit variance for each output."""
    array = np.random.default_rng(seed).normal(size=shape)
    return (array / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


__all__ = ["kernel", "model", "node", "onnx", "saved"]
