"""PyTorch's weights in and out, by names and layouts that the operations' descriptions give.

Our operations carry torchvision's names, so `layer1.0.conv1.weight` is the leaf `kernel` of
`layer1.0.conv1`; kernels are stored outputs first there (OIHW, or [out, in]) and last here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from depthjax.models.initialization import variable_shapes
from depthjax.models.network import Network, graph_of
from depthjax.models.operations.description import Description, describe
from depthjax.typing import Variables
from depthjax.weights.mismatch import some

_LEAVES = {  # torch's name -> (collection, our name); `weight` is a scale where it is a vector
    "weight": ("params", "kernel"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}
IGNORED = ("num_batches_tracked",)  # PyTorch counts batches; nothing reads it in evaluation
_UNKNOWN = Description(None)
_NAMED = {*_LEAVES.values(), ("params", "scale")}
"""What of our variables has the same name in every network."""


class _Place(NamedTuple):
    """Where a weight lies among our variables, and the description of its operation."""

    group: str
    operation: str
    path: tuple[str, ...]
    description: Description


def from_torch_state_dict(
    state: Mapping[str, np.ndarray],
    model: Network | None = None,
    image_size: int | tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The variables that a state dict holds (float64 stays so only where x64 is on).

    Args:
        state: torchvision's names to arrays in PyTorch's layout.
        model: whose weights they are. Without it the state dict must be of convolutions, fully
            connected layers and normalisations.
        image_size: height and width of the images, by default those that the model is made for,
            else 224; it matters to MLPs alone.

    Raises:
        ValueError: for a name that is no weight or statistic of ours.
    """
    known: dict[str, list[_Place]] = {}
    if model is not None:
        known = _places(variable_shapes(model, image_size)[0], model)
        state = named_once(state, model)
    variables: dict[str, Any] = {}
    for key, array in state.items():
        if key.rpartition(".")[2] in IGNORED:
            continue
        array = np.asarray(array)
        if model is not None and key not in known:
            raise ValueError(f"{key!r} is no weight of this {type(model).__name__}")
        for place in known[key] if known else [_guessed(key, array)]:
            leaves = variables.setdefault(place.group, {}).setdefault(place.operation, {})
            for name in place.path[:-1]:
                leaves = leaves.setdefault(name, {})
            converted = place.description.from_torch(place.path, array)
            leaves[place.path[-1]] = jax.numpy.asarray(converted)
    return variables


def named_once(
    state: Mapping[str, np.ndarray], model: Network, what: str = "the state dict"
) -> dict[str, np.ndarray]:
    """The state dict with one name for each weight that modules of the network share.

    Args:
        state: arrays by name; of a weight it may have one name, or several with the same array.
        model: whose weights they are.
        what: how messages call the state dict.

    Raises:
        ValueError: if the arrays differ.
    """
    named = dict(state)
    for other, name in model.other_names().items():
        if other in named:
            array = named.pop(other)
            if not _are_equal(named.setdefault(name, array), array):
                raise ValueError(
                    f"{name} and {other} are one weight of this {type(model).__name__} and differ"
                    f" in {what}; give both the same, or import a module that does not share it"
                )
    return named


def _guessed(key: str, array: np.ndarray) -> _Place:
    name, _, leaf = key.rpartition(".")
    if leaf not in _LEAVES:
        raise ValueError(f"{key!r} is no weight of a torchvision network: {sorted(_LEAVES)}")
    group, ours = _LEAVES[leaf]
    path = ("scale",) if leaf == "weight" and array.ndim == 1 else (ours,)
    return _Place(group, name, path, _UNKNOWN)


def to_torch_state_dict(
    variables: Variables, model: Network | None = None
) -> dict[str, np.ndarray]:
    """The way back: torchvision's names to numpy arrays in PyTorch's layout.

    Args:
        variables: of a model of `depthjax.models`.
        model: the model, if it has other operations than torchvision's networks.

    Raises:
        ValueError: without the model, for weights that only it has a name for; if operations of one
            weight hold different ones.
    """
    state: dict[str, np.ndarray] = {}
    for key, places in _places(variables, model).items():
        for place in places:
            array = variables[place.group][place.operation]
            for name in place.path:
                array = array[name]
            array = place.description.to_torch(place.path, np.asarray(array))
            if not _are_equal(state.setdefault(key, array), array):
                raise ValueError(
                    f"{key} is the weight of {' and '.join(p.operation for p in places)}, which"
                    " differ in it; a state dict holds it once, so make them equal"
                )
    for other, key in ({} if model is None else model.other_names()).items():
        if key in state:  # variables may be those of a part of the network
            state[other] = state[key]
    return state


def _are_equal(one: np.ndarray, other: np.ndarray) -> bool:
    floating = np.asarray(one).dtype.kind == "f"
    return one is other or np.array_equal(one, other, equal_nan=floating)


def _places(variables: Variables, model: Network | None) -> dict[str, list[_Place]]:
    """Where each entry of a state dict lies: in several operations, if a module is called again."""
    operations = {} if model is None else {node.name: node.operation for node in graph_of(model)}
    own = {} if model is None else model.weight_names()
    places: dict[str, list[_Place]] = {}
    for group, held in variables.items():
        for operation, leaves in held.items():
            description = describe(operations[operation]) if operations else _UNKNOWN
            paths = list(_paths(leaves))
            unnamed = [".".join(path) for path in paths if (group, *path) not in _NAMED]
            if model is None and unnamed:
                raise ValueError(
                    f"the {some(unnamed)} of {operation} has a name of PyTorch's only as a part of"
                    " its network; give that, too: model=…"
                )
            names = description.torch_names(paths)
            for path, name in names.items():
                key = f"{operation}.{name}" if name else operation
                key = own.get((operation, ".".join(path)), key)
                places.setdefault(key, []).append(_Place(group, operation, path, description))
    return places


def _paths(leaves: Any) -> Iterator[tuple[str, ...]]:
    for name, leaf in leaves.items():
        if isinstance(leaf, Mapping):
            yield from ((name, *path) for path in _paths(leaf))
        else:
            yield (name,)
