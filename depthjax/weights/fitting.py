"""Does a state dict fit a model? Other people's names become ours, and all that differs is told."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from depthjax.models import MODELS, Network
from depthjax.models.initialization import variable_shapes
from depthjax.models.network import graph_of
from depthjax.models.operations.description import describe
from depthjax.weights.state_dict import IGNORED, to_torch_state_dict

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

_TIMM_VGG = {
    "pre_logits.fc1": "classifier.0",
    "pre_logits.fc2": "classifier.3",
    "head.fc": "classifier.6",
}
_MOST = 8  # names of each kind that a message lists


class WeightsMismatch(ValueError):
    """Weights that do not fit a model; the message is one line, the fields hold everything.

    Fields:
        missing: names that the model has and the weights do not.
        unexpected: names that the weights have and the model does not.
        shapes: name -> (shape in the weights, shape in the model), where these differ.
    """

    def __init__(
        self,
        what: str,
        model: str,
        missing: list[str],
        unexpected: list[str],
        shapes: dict[str, tuple[Shape, Shape]],
        hint: str,
    ) -> None:
        self.missing, self.unexpected, self.shapes = missing, unexpected, shapes
        differing = [f"{n} {[*theirs]} not {[*ours]}" for n, (theirs, ours) in shapes.items()]
        parts = [
            f"{len(names)} {kind} ({_some(names)})"
            for kind, names in (
                (f"missing from {what}", missing),
                (f"unknown to {model}", unexpected),
                ("of another shape", differing),
            )
            if names
        ]
        super().__init__(f"{what} does not fit {model}: {'; '.join(parts)}; {hint}")


def head_of(model: Network) -> str:
    """The name of the operation that makes the output."""
    return graph_of(model)[-1].name


def torch_shapes(model: Network, image_size: int | tuple[int, int]) -> Shapes:
    """PyTorch's names and shapes of a model's weights, without making any."""
    shapes, _ = variable_shapes(model, image_size)
    zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), shapes)
    return {name: array.shape for name, array in to_torch_state_dict(zeros, model).items()}


def fit(
    model: Network,
    state: Mapping[str, np.ndarray],
    *,
    what: str = "the state dict",
    drop_head: bool = False,
    image_size: int | tuple[int, int] = 224,
) -> dict[str, np.ndarray]:
    """The arrays that a model needs under torchvision's names, at least float32, checked.

    Args:
        model: a model of `depthjax.models`.
        state: torchvision's or timm's names to arrays in PyTorch's layout.
        what: how messages call the state dict.
        drop_head: leave the head out, whatever the state dict holds of it.
        image_size: height and width of the images; it matters to MLPs alone.

    Raises:
        WeightsMismatch: naming every missing and unexpected name and wrong shape.
        ValueError: for arrays that are not floating, not finite, or negative variances.
    """
    given = _our_names(state, _operations(model))
    expected = torch_shapes(model, image_size)
    if drop_head:
        given, expected = _without_head(given, model), _without_head(expected, model)
    _check_fits(what, model, given, expected, image_size)
    return _checked_values(what, {name: given[name] for name in expected})


def _operations(model: Network) -> set[str]:
    """The names of the operations that hold weights."""
    return {node.name for node in graph_of(model) if describe(node.operation).holds_weights}


def _modules(model: Network) -> set[str]:
    """What comes before the last dot in a state dict; a weight may also have such a name itself."""
    named = {node: name.rpartition(".")[0] for (node, _), name in model.weight_names().items()}
    return {named.get(operation, operation) for operation in _operations(model)}


def _our_names(state: Mapping[str, np.ndarray], operations: set[str]) -> dict[str, np.ndarray]:
    """The state dict under torchvision's names."""
    given = {
        name: np.asarray(array)
        for name, array in state.items()
        if name.rpartition(".")[2] not in IGNORED
    }
    known = {operation.partition(".")[0] for operation in operations}
    # What wraps a model wraps all its names: `module.` (DataParallel), `_orig_mod.`, `model.`.
    while len(first := {name.partition(".")[0] for name in given}) == 1 and not first & known:
        if not all("." in name for name in given):
            break
        given = {name.partition(".")[2]: array for name, array in given.items()}
    return dict(_torchvisions(name, array, given, operations) for name, array in given.items())


def _torchvisions(
    name: str, array: np.ndarray, given: Mapping[str, Any], operations: set[str]
) -> tuple[str, np.ndarray]:
    """VGGs of timm end with convolutions that cover all positions: torchvision's matrices."""
    operation, _, leaf = name.rpartition(".")
    renamed = f"{_TIMM_VGG.get(operation)}.{leaf}"
    if _TIMM_VGG.get(operation) not in operations or renamed in given:
        return name, array
    return renamed, array.reshape(len(array), -1) if array.ndim == 4 else array


def _without_head(entries: Mapping[str, Any], model: Network) -> dict[str, Any]:
    head = head_of(model)
    return {name: entry for name, entry in entries.items() if name.rpartition(".")[0] != head}


def _check_fits(
    what: str,
    model: Network,
    given: Mapping[str, np.ndarray],
    expected: Shapes,
    image_size: int | tuple[int, int],
) -> None:
    missing = [name for name in expected if name not in given]
    unexpected = [name for name in given if name not in expected]
    shapes = {
        name: (given[name].shape, shape)
        for name, shape in expected.items()
        if name in given and given[name].shape != shape
    }
    if not (missing or unexpected or shapes):
        return
    differing = {*missing, *unexpected, *shapes}
    head = {f"{head_of(model)}.{leaf}" for leaf in ("weight", "bias")}
    if shapes and all(sorted(theirs) == sorted(ours) for theirs, ours in shapes.values()):
        hint = "it looks transposed: PyTorch keeps kernels as [out, in, height, width]"
    elif differing <= head:
        classes = given[max(shapes)].shape[0] if shapes else "no"
        hint = (
            f"only the head differs, with {classes} classes: build the model with as many, or leave"
            " the head out with drop_head=True (--drop_head)"
        )
    elif all("running_" in name for name in differing):
        hint = "BatchNorm needs its statistics: save state_dict(), not only parameters"
    elif other := _model_that_fits(given, image_size):
        hint = f"did you mean {other}?"
    else:
        hint = "check the architecture, and fields such as width and num_classes"
    raise WeightsMismatch(what, _name(model), missing, unexpected, shapes, hint)


def _model_that_fits(
    given: Mapping[str, np.ndarray], image_size: int | tuple[int, int]
) -> str | None:
    """The model of `MODELS` that these weights are of, whatever its number of classes."""
    for name, build in MODELS.items():
        model = build()
        theirs = _our_names(given, _operations(model))
        modules = _modules(model)
        if {key if key in modules else key.rpartition(".")[0] for key in theirs} != modules:
            continue  # told without tracing the model, which takes a quarter of a second
        shapes = {key: array.shape for key, array in theirs.items()}
        expected = torch_shapes(model, image_size)
        if _without_head(shapes, model) == _without_head(expected, model):
            return name
    return None


def _name(model: Network) -> str:
    names = [name for name, build in MODELS.items() if build() == model]
    return names[0] if names else f"this {type(model).__name__}"


def _checked_values(what: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    def refuse(kind: str, names: list[str], way_out: str) -> None:
        if names:
            raise ValueError(f"{what} holds {kind} in {_some(names)}; {way_out}")

    integral = [n for n, array in state.items() if not jnp.issubdtype(array.dtype, jnp.floating)]
    refuse("no floating numbers", integral, "quantised weights must be made float32 first")
    with np.errstate(over="ignore"):  # what float64 says and float32 cannot counts as infinite
        values = {name: _widened(array) for name, array in state.items()}
    refuse(
        "NaN or infinite values",
        [name for name, array in values.items() if not np.isfinite(array).all()],
        "use a checkpoint from before training diverged",
    )
    refuse(
        "negative variances",
        [n for n, array in values.items() if n.endswith("running_var") and (array < 0).any()],
        "the file is damaged; get it again",
    )
    return values


def _widened(array: np.ndarray) -> np.ndarray:
    """Half precision as float32, exactly; float64 stays only where x64 is on."""
    wanted = jnp.promote_types(array.dtype, jnp.float32)
    return array.astype(jax.dtypes.canonicalize_dtype(wanted), copy=False)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f", … {len(listed) - _MOST} more" if len(listed) > _MOST else ""
    return ", ".join(listed[:_MOST]) + more
