"""All that the package knows about an operation, in one object.

A `Description` answers five questions: how the operation is computed, how it is prepared (rewritten
for speed, with frozen weights), how its weights are initialised, what PyTorch's state dicts call
them, and what the operation does to the rank of a layer. The base class answers all of them for any
Linen module and any function, because it runs them as they are. A file of this package that knows
more about an operation overrides some answers and registers itself with `describes`. Descriptions
are found by the exact type, or by the function itself. No other module looks at types.
"""

import inspect
import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.models.initializers import Stream
from depthjax.models.operations.shared import (
    Leaves,
    Path,
    keeping_sentence,
    mapping_sentence,
    outputs_first,
    outputs_last,
    torch_name,
)
from depthjax.typing import AnyArray


@dataclass(frozen=True)
class EveryInput:
    """Joins every input to every output: what is taken of an operation that is not counted."""

    shape: tuple[int, ...]

    def __call__(self, *inputs: Array) -> Array:
        """The sum of all, at every place of the output."""
        return jnp.broadcast_to(sum(x.sum() for x in inputs), self.shape)


@dataclass(frozen=True)
class Description:
    """An operation of which nothing is known, and which is therefore run as it is.

    Fields:
        operation: an unbound Linen module, or a pure function.
        kind: what the accounting calls it.
        joined: which inputs reach an output: all ("by all"), the same element ("by element"), or
            those that the operation's own derivative, of zeros and ones, leads to ("as it is").
        verb: of the sentence about what it loses; what only "keeps" its inputs loses nothing.
        counts_unread: whether the accounting counts inputs on which no output depends: losers of
            max pooling, closed gates of ReLU.
    """

    operation: Any
    kind: ClassVar[str] = "other"
    joined: ClassVar[Literal["by all", "by element", "as it is"]] = "by all"
    verb: ClassVar[str] = "maps"
    counts_unread: ClassVar[bool] = False

    # --------------------------------------------------------------------------------- computed

    def call(self, bound: Any, inputs: list[Array], train: bool) -> Array:
        """The value of the operation.

        Args:
            bound: the operation; a module is bound to its variables.
            inputs: its inputs.
            train: whether in training mode; told to modules whose `__call__` asks for it.
        """
        return bound(*inputs, **self.mode(train))

    def check_inputs(self, leaves: Leaves, x: Array) -> str:
        """Why the weights do not fit these inputs; "" if they do, or if it is not known."""
        return ""

    def mode(self, train: bool) -> dict[str, bool]:
        """The arguments that tell a module whether it trains.

        Only those that its `__call__` takes and its fields leave open.
        """
        if not isinstance(self.operation, nn.Module):
            return {}
        said = {"train": train, "deterministic": not train, "use_running_average": not train}
        accepted = inspect.signature(type(self.operation).__call__).parameters
        return {
            name: value
            for name, value in said.items()
            if name in accepted and getattr(self.operation, name, None) is None
        }

    # --------------------------------------------------------------------------------- prepared

    @property
    def is_rewritten(self) -> bool:
        """Whether `run` computes in another way than the operation itself."""
        return False

    @property
    def absorbs(self) -> bool:
        """Whether `freeze` can take an affine map of the output channels into the weights."""
        return False

    @property
    def is_affine(self) -> bool:
        """Whether it is `scale · x + shift` for each channel; then `affine` says which."""
        return False

    def affine(self, leaves: Leaves) -> tuple[AnyArray, AnyArray]:
        """Scale and shift, each `[C]`."""
        raise NotImplementedError(f"{self.kind} is no affine map")

    def freeze(self, leaves: Leaves, after: tuple[AnyArray, AnyArray] | None = None) -> Any:
        """The weights that `run` takes.

        Args:
            leaves: the operation's variables.
            after: scale and shift of an affine map that follows, if `absorbs`.
        """
        return leaves

    def read_by(self, readers: Collection[Any]) -> Any:
        """The operation to run in its place, with the same weights, where these read its output."""
        return self.operation

    def run(self, weights: Any, *inputs: Array) -> Array:
        """The operation in evaluation mode, of frozen weights."""
        if isinstance(self.operation, nn.Module):
            mode: dict[str, Any] = self.mode(False)
            return jnp.asarray(self.operation.apply(weights, *inputs, **mode))
        return jnp.asarray(self.operation(*inputs))

    # ------------------------------------------------------------------------------ initialised

    def initialize(self, stream: Stream, shapes: Leaves, inputs: list[Any]) -> Leaves:
        """The variables of an untrained operation, by default from the module's own `init`.

        Args:
            stream: where random numbers come from.
            shapes: shape and dtype of each variable.
            inputs: shape and dtype of each input.
        """
        given = tuple((x.shape, x.dtype) for x in inputs)
        try:
            hash(self)
        except TypeError:  # it holds arrays, and is compiled anew
            return jax.jit(partial(_drawn, self, given))(stream.jax_key())
        return _compiled(self, given, stream.jax_key())

    # ----------------------------------------------------------------------------------- named

    @property
    def holds_weights(self) -> bool:
        """Whether state dicts may have entries of it."""
        return isinstance(self.operation, nn.Module)

    def torch_names(self, paths: Collection[Path]) -> dict[Path, str]:
        """PyTorch's name of each weight, to follow the operation's name and a dot.

        "" for a weight that has the operation's own name.
        """
        names = {path: torch_name(path) for path in paths}
        if len(set(names.values())) < len(names):  # a kernel and a scale would both be a weight
            names = {path: ".".join(path) for path in paths}
        return names

    def to_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """A weight in PyTorch's layout."""
        return outputs_first(array) if path[-1] == "kernel" else array

    def from_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """A weight of PyTorch's layout in ours."""
        return outputs_last(array) if path[-1] == "kernel" else array

    # ------------------------------------------------------------------------------- accounted

    @property
    def stride(self) -> int:
        """The distance between two windows, vertically; 1 for operations without windows."""
        strides = getattr(self.operation, "strides", 1)
        return int(strides if isinstance(strides, int) else (strides or (1,))[0])

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """A function whose derivative counts the paths from each input to each output.

        It is the operation with every weight other than 0 replaced by 1, unless `joined` says what
        it is. Where all are joined to all, the bound on the rank is loose, but still a bound.

        Args:
            shape: of the output.
            leaves: the operation's variables.
        """
        if self.joined == "by element":
            return lambda x: x
        return self.operation if self.joined == "as it is" else EveryInput(shape)

    def zero_scales(self, leaves: Leaves, dtype: Any) -> int:
        """How many channels a normalisation multiplies by nearly 0."""
        return 0

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """What an operation of this kind loses, in words; `loss` is an `OperationLoss`."""
        return keeping_sentence(loss) if cls.verb == "keeps" else mapping_sentence(loss, cls.verb)


def _drawn(description: Description, inputs: tuple[tuple[Any, Any], ...], key: Array) -> Leaves:
    mode: dict[str, Any] = description.mode(False)
    return description.operation.init(key, *itertools.starmap(jnp.zeros, inputs), **mode)


_compiled = jax.jit(_drawn, static_argnums=(0, 1))
"""Once for all seeds. `init` also computes the output; compilation removes that."""

# ------------------------------------------------------------------------------------ registering

_BY_OPERATION: dict[Any, type[Description]] = {}
_BY_KIND: dict[str, type[Description]] = {}


def describes(*operations: Any) -> Callable[[type[Description]], type[Description]]:
    """Registers a description for some types of operations, or for some functions.

    It does not hold for subclasses of these types, which may compute something else.
    """

    def register(description: type[Description]) -> type[Description]:
        _BY_OPERATION.update(dict.fromkeys(operations, description))
        _BY_KIND.setdefault(description.kind, description)
        return description

    return register


def describe(operation: Any) -> Description:
    """What is known of an operation."""
    try:
        known = _BY_OPERATION.get(type(operation)) or _BY_OPERATION.get(operation)
    except TypeError:  # it holds arrays, such as a mask, and does not hash
        known = None
    return (known or Description)(operation)


def described_operations() -> dict[str, Any]:
    """All types and functions that have a description, by package and name (`flax.Conv`)."""
    return {
        f"{found.__module__.partition('.')[0]}.{found.__name__}": found for found in _BY_OPERATION
    }


def description_of_kind(kind: str) -> type[Description]:
    """The description whose `kind` this is."""
    return _BY_KIND.get(kind, Description)
