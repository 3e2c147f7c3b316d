"""Networks whose ReLUs let more of the gradient through than is true; their values are the same.

A gate that is closed, and at the matched layer closed gates alone can hold a descent, passes no
gradient. These are the two ways of the field to let a descent open it again.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.errors import one_of
from depthjax.models.derived import Derived
from depthjax.models.joined import BETWEEN
from depthjax.models.network import Network, Node, graph_of
from depthjax.models.operations.relu import relu, relu6

RELU_GRADIENTS = {
    "true": "as it is",
    "fake": "1 also through the closed gates of the layer itself (Engstrom et al. 2019)",
    "fake_everywhere": "1 through all gates of all layers",
    "redirected": "of an example to which all gates of a ReLU are closed, through those that the"
    " step would open (Olah, Mordvintsev & Schubert 2017)",
}
"""Ways to let a gradient through ReLUs, and what each does."""

_GATES = (relu, relu6)


class Regated(Derived):
    """A network with another gradient of some of its ReLUs.

    Fields:
        nodes: ReLUs of that network.
        how: one of `RELU_GRADIENTS`.
    """

    nodes: tuple[str, ...]
    how: str

    def graph(self) -> tuple[Node, ...]:
        """That of the network, with the other ReLUs."""
        return tuple(
            node._replace(operation=_other(node.operation, self.how))
            if node.name in self.nodes
            else node
            for node in graph_of(self.network)
        )


def regated(network: Network, node: str, how: str) -> Network:
    """A network whose ReLUs have another gradient.

    Args:
        network: any.
        node: the layer that is matched, whose own ReLU `fake` changes; `a+b` of several.
        how: one of `RELU_GRADIENTS`.

    Raises:
        ValueError: for another way, or where no ReLU is there to change.
    """
    one_of("gradient of ReLUs", how, RELU_GRADIENTS)
    if how == "true":
        return network
    chosen = node.split(BETWEEN) if how == "fake" else [one.name for one in graph_of(network)]
    gates = tuple(
        one.name for one in graph_of(network) if one.name in chosen and one.operation in _GATES
    )
    if not gates:
        where = f"{node} is no ReLU" if how == "fake" else "it has no ReLU that is known"
        raise ValueError(
            f"relu_gradient={how!r} changes nothing of {type(network).__name__}: {where}; set"
            " relu_gradient='true'"
        )
    return Regated(network.clone(parent=None), gates, how)


def _other(operation: Callable[[Array], Array], how: str) -> Callable[[Array], Array]:
    fake, redirected = (
        (fake_relu6, redirected_relu6) if operation is relu6 else (fake_relu, redirected_relu)
    )
    return redirected if how == "redirected" else fake


def fake_relu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """ReLU with gradient 1 everywhere (Engstrom et al. 2019, `fake_relu`)."""
    return jax.lax.stop_gradient(relu(x)) + (x - jax.lax.stop_gradient(x))


def fake_relu6(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """ReLU6 with gradient 1 everywhere."""
    return jax.lax.stop_gradient(relu6(x)) + (x - jax.lax.stop_gradient(x))


def _redirected(operation: Callable[[Array], Array], highest: float) -> Callable[[Array], Array]:
    """An operation with the redirected gradient of lucid (`redirected_relu_grad`).

    It cannot be pushed forward: what it passes depends on the cotangent.
    """

    def backward(x: Array, cotangent: Array) -> tuple[Array]:
        true = jnp.where((x > 0) & (x < highest), cotangent, 0)
        # A descent moves against the gradient: these it would push farther out.
        away = ((x < 0) & (cotangent > 0)) | ((x > highest) & (cotangent < 0))
        other = jnp.where(away, 0, cotangent)
        closed = (true == 0).all(tuple(range(1, x.ndim)), keepdims=True)
        return (jnp.where(closed, other, true),)

    changed = jax.custom_vjp(operation)
    changed.defvjp(lambda x: (operation(x), x), backward)
    return changed


redirected_relu = _redirected(relu, jnp.inf)
redirected_relu6 = _redirected(relu6, 6.0)
