"""Does a state dict fit a model? Other people's names become ours, and all that differs is told."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from depthjax.models import MODELS, Network
from depthjax.models.initialization import variable_shapes
from depthjax.models.network import graph_of
from depthjax.models.operations.description import describe
from depthjax.weights.mismatch import Differences, Shapes, WeightsMismatch, differences, some
from depthjax.weights.prefixes import (
    fitting_prefixes,
    located,
    normalizer_names,
    under,
    unwrapped,
)
from depthjax.weights.renaming import module_spellings, weight_spellings
from depthjax.weights.state_dict import IGNORED, named_once, to_torch_state_dict

_PARAMETRIZED = ("weight.original0", "weight.original", "weight_g", "weight_orig")
"""How the names of what PyTorch computes a weight from end."""


def head_of(model: Network) -> str:
    """The name of the operation that makes the output."""
    return graph_of(model)[-1].name


def torch_shapes(model: Network, image_size: int | tuple[int, int] | None) -> Shapes:
    """PyTorch's names and shapes of a model's weights, without making any."""
    shapes, _ = variable_shapes(model, image_size)
    zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), shapes)
    state = named_once(to_torch_state_dict(zeros, model), model)
    return {name: array.shape for name, array in state.items()}


class Fitting(NamedTuple):
    """The arrays that a model needs, and the prefix under which a file has them.

    Fields:
        state: torchvision's names to arrays in PyTorch's layout, at least float32.
        prefix: of their names in the file, such as `module.`; mostly empty.
    """

    state: dict[str, np.ndarray]
    prefix: str


def fit(
    model: Network,
    state: Mapping[str, np.ndarray],
    *,
    what: str = "the state dict",
    drop_head: bool = False,
    image_size: int | tuple[int, int] | None = None,
    prefix: str | None = None,
) -> Fitting:
    """The arrays that a model needs under torchvision's names, at least float32, checked.

    Args:
        model: a model of `depthjax.models`.
        state: torchvision's or timm's names to arrays in PyTorch's layout.
        what: how messages call the state dict.
        drop_head: leave the head out, whatever the state dict holds of it.
        image_size: height and width of the images, by default those that the model is made for,
            else 224; it matters to MLPs alone.
        prefix: of the network's names in the state dict; by default the only one that fits.

    Raises:
        WeightsMismatch: naming every missing and unexpected name and wrong shape.
        ValueError: for arrays that are not floating, not finite, or negative variances; if the
            network fits under several prefixes.
    """
    expected = torch_shapes(model, image_size)
    body = _without_head(expected, model) or expected
    others: dict[str, list[str]] = {}
    for other, name in model.other_names().items():
        others.setdefault(name, []).append(other)
    known = weight_spellings(body)
    wanted = [(*spellings, *others.get(name, ())) for name, spellings in known.items()]
    chosen, held = located(state, wanted, body, prefix, f"{what} holds {_name(model)}")
    given = _our_names(named_once(held, model, what), expected)
    if drop_head:
        given, expected = _without_head(given, model), _without_head(expected, model)
    if found := differences(given, expected):
        hint = _hint(model, given, found) or _other_model(unwrapped(state), image_size)
        raise WeightsMismatch(what, _name(model), *found, hint)
    return Fitting(_checked_values(what, {name: given[name] for name in expected}), chosen)


def _our_names(state: Mapping[str, np.ndarray], expected: Shapes) -> dict[str, np.ndarray]:
    """The state dict under torchvision's names, without what is no weight of any network.

    That is what PyTorch counts, and the normaliser that may stand before the network.
    """
    beside = {name for name in state if name.rpartition(".")[2] in IGNORED}
    beside |= normalizer_names(state)
    ours = {}
    for name, spellings in weight_spellings(expected).items():
        held = [spelling for spelling in spellings if spelling in state]
        if held:
            beside.add(held[0])
            array = state[held[0]]
            # VGGs of timm end with convolutions that cover all positions: torchvision's matrices.
            matrix = array.ndim == 4 and len(expected[name]) == 2 and held[0] != name
            ours[name] = array.reshape(len(array), -1) if matrix else array
    return {**ours, **{name: array for name, array in state.items() if name not in beside}}


def _without_head(entries: Mapping[str, Any], model: Network) -> dict[str, Any]:
    head = head_of(model)
    # A head of several modules, nn.Sequential, has names such as fc.1.weight.
    return {name: entry for name, entry in entries.items() if not name.startswith(f"{head}.")}


def _hint(model: Network, given: Mapping[str, np.ndarray], found: Differences) -> str:
    """What the user can do, if the differences tell it."""
    shapes = found.shapes
    names = {*found.missing, *found.unexpected, *shapes}
    head = f"{head_of(model)}."
    if names == {"pos_embed"} and hasattr(model, "patch"):
        return _positions_hint(shapes["pos_embed"][0][-2], model.patch)
    if shapes and all(sorted(theirs) == sorted(ours) for theirs, ours in shapes.values()):
        return "it looks transposed: PyTorch keeps kernels as [out, in, height, width]"
    wrapped = [name for name in found.unexpected if name.endswith(_PARAMETRIZED)]
    if wrapped:
        return (
            f"{wrapped[0]} is of a parametrization (weight_norm, spectral_norm): take it off before"
            " saving, torch.nn.utils.parametrize.remove_parametrizations(module, 'weight'), or"
            " remove_weight_norm and remove_spectral_norm of older ones"
        )
    if all(name.startswith(head) for name in names):
        kind = "differs, of other modules:" if found.unexpected else "is missing:"
        if shapes and not found.missing and not found.unexpected:
            classes = given[max(shapes)].shape[0]
            kind = f"differs, with {classes} classes: build the model with as many, or"
        return f"only the head {kind} leave it out with drop_head=True (--drop_head)"
    if all("running_" in name for name in names):
        return "BatchNorm needs its statistics: save state_dict(), not only parameters"
    return ""


def _positions_hint(tokens: int, patch: int) -> str:
    """What the number of a ViT's positions says of its images."""
    side = math.isqrt(max(0, tokens - 1))
    if side**2 != tokens - 1:
        return f"{tokens} positions are not those of square images and one class token"
    size = side * patch
    return (
        f"the weights are for images of {size}×{size}: build the model with image_size={size}"
        f" (--model_field=image_size={size} --size={size})"
    )


def _other_model(state: Mapping[str, np.ndarray], image_size: int | tuple[int, int] | None) -> str:
    """The model of `MODELS` that these weights are of, whatever its number of classes."""
    held = {name.rpartition(".")[0] for name in state}
    for name, build in MODELS.items():
        model = build()
        modules = _modules(model)
        wanted = list(module_spellings(modules).values())
        known = set().union(*wanted)
        for prefix in fitting_prefixes({*state, *held}, wanted):
            given = under(prefix, state, ())
            found = {key if key in known else key.rpartition(".")[0] for key in given}
            if len(found) != len(modules):
                continue  # told without tracing the model, which takes a quarter of a second
            try:
                expected = torch_shapes(model, image_size)
            except ValueError:  # of a ViT, which takes images of its own size only
                continue
            theirs = _our_names(given, expected)
            shapes = {key: array.shape for key, array in theirs.items()}
            if _without_head(shapes, model) == _without_head(expected, model):
                return f"did you mean {name}?"
    return "check the architecture, and fields such as width and num_classes"


def _modules(model: Network) -> list[str]:
    """What comes before the last dot in a state dict; a weight may also have such a name itself."""
    named = {node: name.rpartition(".")[0] for (node, _), name in model.weight_names().items()}
    holders = [node.name for node in graph_of(model) if describe(node.operation).holds_weights]
    return list(dict.fromkeys(named.get(holder, holder) for holder in holders))


def _name(model: Network) -> str:
    names = [name for name, build in MODELS.items() if build() == model]
    return names[0] if names else f"this {type(model).__name__}"


def _checked_values(what: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    def refuse(kind: str, names: list[str], way_out: str) -> None:
        if names:
            raise ValueError(f"{what} holds {kind} in {some(names)}; {way_out}")

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
