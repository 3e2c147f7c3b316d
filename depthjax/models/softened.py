"""Networks whose ReLUs and max poolings have a soft derivative in descents; values are the same."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.models.derived import Derived
from depthjax.models.functions import Activation
from depthjax.models.network import Network, Node, graph_of
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.max_pool import MaxPool
from depthjax.models.operations.relu import relu, relu6
from depthjax.models.operations.shared import Leaves
from depthjax.ops.pooling import Windows, window
from depthjax.ops.soft_gates import TEMPERATURE, soft_gate, soft_max_pool
from depthjax.typing import AnyArray

_HIGHEST = {relu: np.inf, relu6: 6.0}


@dataclass(frozen=True)
class Soft:
    """A ReLU, a ReLU6 or a max pooling. Only the prepared one is soft: its weight is T."""

    operation: Any

    def __call__(self, x: Array) -> Array:
        """The operation as it is."""
        return jnp.asarray(self.operation(x))


@describes(Soft)
@dataclass(frozen=True)
class SoftDescription(Description):
    """Its temperature is a weight, so that it can fall during a descent."""

    operation: Soft
    kind = "soft"

    @property
    def is_rewritten(self) -> bool:
        """Its derivative is another one."""
        return True

    def freeze(self, leaves: Leaves, after: tuple[AnyArray, AnyArray] | None = None) -> Any:
        """T, which is 0 until `at_temperature` says otherwise."""
        return {TEMPERATURE: np.zeros((), np.float32)}

    def run(self, weights: Any, *inputs: Array) -> Array:
        """The same values, with a soft derivative."""
        (x,), temperature = inputs, weights[TEMPERATURE]
        inner = self.operation.operation
        if not isinstance(inner, MaxPool):
            return soft_gate(_HIGHEST[inner], temperature, x)
        moves = window(inner.window, inner.strides, inner.padding, inner.dilation, inner.ceil)
        return soft_max_pool(Windows(moves, *x.shape[1:3]), temperature, x)


class Softened(Derived):
    """A network with soft ReLUs and max poolings."""

    def graph(self) -> tuple[Node, ...]:
        """That of the network, with soft operations."""
        return tuple(
            node._replace(operation=Soft(node.operation)) if _is_gate(node) else node
            for node in graph_of(self.network)
        )


def softened(network: Network) -> Network:
    """A network whose ReLUs and max poolings have a soft derivative once it is prepared.

    Args:
        network: any; one that has neither is given back.

    Raises:
        ValueError: for a function as a network (`as_network`), whose gates are not known.
    """
    nodes = graph_of(network)
    if any(isinstance(node.operation, Activation) for node in nodes):
        raise ValueError(
            "soft_gates changes nothing of a function whose ReLUs and max poolings are not known;"
            " set soft_gates=0, or change them in the function"
        )
    return Softened(network.clone(parent=None)) if any(map(_is_gate, nodes)) else network


def _is_gate(node: Node) -> bool:
    operation = node.operation
    return isinstance(operation, MaxPool) or operation in (relu, relu6)
