"""The layers of an ONNX graph: paths of modules, where the exporter wrote them into the nodes."""

import ast
import re
from collections.abc import Sequence
from typing import Any

_SCOPES = "pkg.torch.onnx.name_scopes"


def scopes(node: Any) -> list[str]:
    """The paths of the modules that a node lies in, outermost first; none if it does not say.

    PyTorch's exporters write `/layer1/layer1.0/conv1/Conv` as the node's name, or a list of paths
    as metadata; TensorFlow's converters `model/block1/conv/Conv2D`.

    >>> from types import SimpleNamespace
    >>> scopes(SimpleNamespace(name="/layer1/layer1.0/conv1/Conv", metadata_props=()))
    ['layer1', 'layer1.0', 'layer1.0.conv1']
    """
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            return _listed(entry.value)
    *steps, _ = node.name.strip("/").split("/")
    parts: list[str] = []
    paths = []
    for step in steps:
        if parts and step.startswith(f"{parts[-1]}."):
            parts[-1] = step  # an element of a sequence is written with the name of the sequence
        else:
            parts.append(step)
        paths.append(".".join(parts))
    return paths


def _listed(text: str) -> list[str]:
    try:
        paths = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return []
    if not isinstance(paths, list):
        return []
    return [str(path) for path in paths[:-1] if path]


def shared_scopes(of_nodes: Sequence[Sequence[str]]) -> str:
    """The outermost module, where all nodes that lie in any lie in it; else ""."""
    inner = [paths for paths in of_nodes if paths]
    common = ""
    for depth in range(min((len(paths) for paths in inner), default=0)):
        if len({paths[depth] for paths in inner}) > 1 or any(len(p) <= depth + 1 for p in inner):
            break
        common = inner[0][depth]
    return common


def clean(name: str) -> str:
    """A tensor's name as a layer's: dots for slashes, and no colons."""
    return re.sub(r"[^\w.\-]", "_", re.sub(r":0$", "", name).strip("/").replace("/", "."))
