"""An imported network in a folder, which needs neither PyTorch nor ONNX to be read.

    network.json           the graph as data, and what is known of the network
    arrays.safetensors     its weights, `params/NODE/LEAF`, and constants, `constants/HASH`

Nothing in these files is ever run or unpickled.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from depthjax.errors import require
from depthjax.files import file_sha256, json_bytes, write_atomically
from depthjax.importing.encoding import array_sha256, decoded, encoded
from depthjax.importing.network import Graph, ImportedNetwork
from depthjax.importing.values import Value
from depthjax.models.initialization import variable_shapes
from depthjax.models.network import INPUT, Network, Node
from depthjax.models.normalization import Normalization, as_normalization
from depthjax.typing import Variables
from depthjax.weights.mismatch import WeightsMismatch, differences
from depthjax.weights.reading import read_state_dict
from depthjax.weights.writing import safetensors_bytes

FILES = ("network.json", "arrays.safetensors")
FORMAT = "depthjax network"
VERSION = 1


@dataclass(frozen=True)
class SavedNetwork:
    """What a folder of `save_network` holds.

    Fields:
        model: the network.
        variables: its weights.
        normalization: of the pixels, as these weights expect it.
        origin: where it came from, as it was told to `save_network`.
    """

    model: ImportedNetwork
    variables: Variables
    normalization: Normalization | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)


def save_network(
    folder: str | os.PathLike[str],
    model: Network,
    variables: Variables,
    *,
    normalization: Any = None,
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Writes an imported network and its weights into a folder, replacing one that is there.

    Args:
        folder: is made; the files in it are network.json and arrays.safetensors.
        model: from `from_torch` or `load_onnx`.
        variables: its weights.
        normalization: as for `Layer`.
        origin: what else is known of where it came from (JSON).

    Raises:
        ValueError: for a model that is none of these, and if the files cannot be written.
    """
    if not isinstance(model, ImportedNetwork):
        raise ValueError(
            f"only imported networks are saved with their graph, and a {type(model).__name__} is"
            " built by build_model; save_weights saves its weights"
        )
    constants: dict[str, np.ndarray] = {}
    graph = encoded(model.content, constants.__setitem__)
    arrays = {f"constants/{name}": array for name, array in constants.items()}
    arrays |= dict(_leaves(jax.device_get(variables)))
    place = Path(folder)
    write_atomically(place / "arrays.safetensors", safetensors_bytes(arrays, {"format": FORMAT}))
    known = as_normalization(normalization)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "origin": dict(origin or {}),
        "normalization": known and known._asdict(),
        # Two files cannot be replaced at once: a kill in between is seen by this.
        "arrays_sha256": file_sha256(place / "arrays.safetensors"),
        "graph": graph,
    }
    write_atomically(place / "network.json", json_bytes(content))


def load_network(folder: str | os.PathLike[str]) -> SavedNetwork:
    """The network in a folder of `save_network`, with the same hash and the same weights.

    Raises:
        ValueError: in one line, if there is none, its format is of another version, or it is
            damaged: an unknown operation, weights missing or of another shape.
    """
    place = Path(folder)
    content = _read(place)
    where = str(place / "arrays.safetensors")
    arrays = read_state_dict(where)
    if content.get("arrays_sha256") != file_sha256(where):
        raise ValueError(f"{where} is not the file that network.json was written with; save again")
    constants = {n.partition("/")[2]: a for n, a in arrays.items() if n.startswith("constants/")}
    try:
        graph = _graph(content["graph"], constants)
        model = ImportedNetwork(graph)
        shapes, _ = variable_shapes(model, graph.image_shape[:2])
        normalization = as_normalization(content["normalization"])
        origin = dict(content["origin"])
    except Exception as error:  # what was tampered with can fail anywhere
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{str(place / 'network.json')!r} is damaged: {reason:.300}") from error
    given = {name: array for name, array in arrays.items() if not name.startswith("constants/")}
    return SavedNetwork(model, _variables(where, shapes, given), normalization, origin)


def _read(place: Path) -> dict[str, Any]:
    file = place / "network.json"
    if not file.is_file():
        reason = (
            "it has no network.json; see save_network"
            if place.is_dir()
            else "there is no such folder; a network of timm is timm:NAME, of torchvision"
            " torchvision:NAME"
        )
        raise ValueError(f"no network in {str(place)!r}: {reason}")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{str(file)!r} is damaged: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{str(file)!r} was not written by save_network")
    if content.get("version") != VERSION:
        raise ValueError(
            f"{str(file)!r} has version {content.get('version')!r} of the format, and this depthjax"
            f" reads version {VERSION}; import the network anew"
        )
    return content


def _graph(data: Mapping[str, Any], constants: Mapping[str, np.ndarray]) -> Graph:
    for name, array in constants.items():
        require(array_sha256(array) == name, "a constant's hash", array_sha256(array), name)
    nodes, known = [], {INPUT}
    for name, operation, inputs in data["nodes"]:
        if not known.issuperset(inputs):
            raise ValueError(f"{name} takes {inputs}, which are not all before it")
        known.add(name)
        nodes.append(Node(name, decoded(operation, constants), tuple(inputs)))
    settings = {name: decoded(value, constants) for name, value in data.items() if name in _PLAIN}
    values = tuple((name, Value(**_tuples(value))) for name, value in data["values"])
    return Graph(nodes=tuple(nodes), values=values, **settings)


_PLAIN = ("source", "aliases", "stages", "image_shape", "any_size", "weights")


def _tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}


# ----------------------------------------------------------------------------------------- weights


def _leaves(variables: Variables) -> Iterator[tuple[str, np.ndarray]]:
    """Each weight as `group/node/leaf`."""
    for group, nodes in variables.items():
        for node, leaves in nodes.items():
            for leaf, array in leaves.items():
                yield f"{group}/{node}/{leaf}", np.asarray(array)


def _variables(what: str, shapes: Any, given: Mapping[str, np.ndarray]) -> dict[str, Any]:
    expected = {
        f"{group}/{node}/{leaf}": spec.shape
        for group, nodes in shapes.items()
        for node, leaves in nodes.items()
        for leaf, spec in leaves.items()
    }
    if found := differences(given, expected):
        raise WeightsMismatch(what, "its graph", *found, "save it again")
    variables: dict[str, Any] = {"params": {}}
    for name in expected:
        group, _, rest = name.partition("/")
        node, _, leaf = rest.rpartition("/")
        variables.setdefault(group, {}).setdefault(node, {})[leaf] = jax.device_put(given[name])
    return variables
