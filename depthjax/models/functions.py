"""A plain function of all activations by name, of any library, as a `Network`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from depthjax.models.named import Activations, named_layers
from depthjax.models.network import INPUT, Network, Node, graph_of
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.parameter import Parameter
from depthjax.ops.rewriting import rewrite
from depthjax.typing import Embedding, Images, Variables

_WEIGHTS = "weights"


def as_network(
    function: Activations, variables: Variables, images: Any
) -> tuple["FunctionNetwork", dict[str, Any]]:
    """A `Network` whose layers are the activations that a function returns.

    So that scripts, sweeps and reports take a model of any library: what this returns is what the
    function behind a model's name, `package.module:function`, has to return.

    Each layer is one operation from the images, so the accounting counts nothing within it, and no
    layer begins at another (`from_layer`). On CPUs its convolutions and max poolings are replaced
    by ours, as in `depthjax.invert` of a plain function.

    Args:
        function: a pure function `(variables, images [B, H, W, C]) -> {name: activation [B, …]}`,
            in depth order; a name may be that of a block, `stage1`, or inside it, `stage1.conv`.
        variables: its weights, any tree of arrays.
        images: `[B, H, W, C]`, or their shape and dtype; only to ask for the names.

    Returns:
        The network and its variables. Networks of the same function are equal if their trees differ
        in weights alone.

    Raises:
        ValueError: if the function returns anything but arrays by name, or one named `input`, as
            the images are.
    """
    names = tuple(named_layers(function, variables, images))
    paths, structure = jax.tree_util.tree_flatten_with_path(variables)
    labels = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in paths]
    if len(set(labels)) < len(labels):  # some keys have dots of their own
        labels = [jax.tree_util.keystr(path) for path, _ in paths]
    held = {f"{_WEIGHTS}.{label}": leaf for label, (_, leaf) in zip(labels, paths, strict=True)}
    learned = tuple(name for name, leaf in held.items() if _is_learned(leaf))
    others = tuple(None if _is_learned(leaf) else leaf for leaf in held.values())
    whole = _Whole(function, structure, others)
    shapes = tuple((name, tuple(held[name].shape)) for name in learned)
    model = FunctionNetwork(whole, names, shapes)
    graph_of(model)  # refuses names that the images have, for one
    return model, {"params": {name: {"value": jnp.asarray(held[name])} for name in learned}}


def _is_learned(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.inexact)


@dataclass(frozen=True, eq=False)
class _Whole:
    """The function, and what in its variables is no weight: keys, counters; compared by value.

    Fields:
        function: as `as_network` takes it.
        structure: of its variables.
        others: their leaves, None for each weight.
    """

    function: Activations
    structure: Any
    others: tuple[Any, ...]

    def __call__(self, weights: tuple[Array, ...], images: Images) -> Mapping[str, Array]:
        rest = iter(weights)
        leaves = [next(rest) if leaf is None else leaf for leaf in self.others]
        return self.function(jax.tree.unflatten(self.structure, leaves), images)

    def __hash__(self) -> int:
        return hash((_identity(self.function), self.structure))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Whole)
            and _identity(self.function) == _identity(other.function)
            and self.structure == other.structure
            and all(map(_is_same, self.others, other.others))
        )


def _identity(function: Activations) -> Any:
    """What a function is compared by: itself, or the object where it has no hash."""
    try:
        hash(function)
    except TypeError:
        return id(function)
    return function


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if not all(isinstance(leaf, jax.Array | np.ndarray) for leaf in (one, other)):
        return type(one) is type(other) and bool(one == other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
        one, other = map(jax.random.key_data, (one, other))
    return bool(np.array_equal(one, other))


@dataclass(frozen=True)
class Activation:
    """One of the activations of a function, as an operation of images and weights."""

    whole: _Whole
    name: str

    def __call__(self, images: Images, *weights: Shaped[Array, "1 ..."]) -> Embedding:
        """Images `[B, H, W, C]` to the activation `[B, …]`."""
        return self.of(tuple(weight[0] for weight in weights), images)

    def of(self, weights: tuple[Array, ...], images: Images) -> Embedding:
        """The same, as a layer."""
        return self.whole(weights, images)[self.name]


@describes(Activation)
@dataclass(frozen=True)
class ActivationDescription(Description):
    """Computed with our convolutions on CPUs, where XLA's are slow within a loop."""

    operation: Activation
    kind = "function"

    @property
    def is_rewritten(self) -> bool:
        """Whether some of it is computed by our operations."""
        return jax.default_backend() == "cpu"

    def run(self, weights: Any, *inputs: Array) -> Array:
        """The function, its convolutions and max poolings replaced."""
        if not self.is_rewritten:
            return super().run(weights, *inputs)
        images, *held = inputs
        made = rewrite(self.operation.of, tuple(weight[0] for weight in held), images)
        return made.layer(made.weights, images)


class FunctionNetwork(Network):
    """The activations of a function as layers; made by `as_network`.

    Fields:
        whole: the function.
        names: of the activations, in depth order.
        weights: name and shape of each weight.
    """

    whole: _Whole
    names: tuple[str, ...]
    weights: tuple[tuple[str, tuple[int, ...]], ...]

    def graph(self) -> tuple[Node, ...]:
        """The weights, then an operation for each activation."""
        held = [Node(name, Parameter(shape, parent=None), ()) for name, shape in self.weights]
        inputs = INPUT, *(node.name for node in held)
        return *held, *(Node(name, Activation(self.whole, name), inputs) for name in self.names)

    @property
    def is_ours(self) -> bool:
        """What computes is the user's function."""
        return False
