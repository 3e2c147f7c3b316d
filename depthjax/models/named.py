"""Layers by name of a plain function that returns all its activations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
from jaxtyping import Array

from depthjax.errors import unknown
from depthjax.typing import Embedding, Images, Variables

Activations: TypeAlias = Callable[[Variables, Images], Mapping[str, Array]]
"""`f(variables, images) -> {name: activation [B, …]}`, pure, in depth order."""


@dataclass(frozen=True)
class NamedLayer:
    """`layer(variables, images)` is one of the activations that a function returns.

    It hashes, and equals another of the same function and name, so it can be a static argument of
    `jit`. The function is traced as a whole, but only what the activation needs is compiled.

    Args:
        function: `f(variables, images [B, H, W, C]) -> {name: activation [B, …]}`.
        name: of the activation.
    """

    function: Activations
    name: str

    def __call__(self, variables: Variables, images: Images) -> Embedding:
        """Images `[B, H, W, C]` to the activation `[B, …]`.

        Raises:
            ValueError: if the function returns no activation of that name, with the nearest ones.
        """
        activations = self.function(variables, images)
        if self.name not in activations:
            raise unknown("layer", self.name, activations)
        return activations[self.name]


def named_layers(function: Activations, variables: Variables, images: Any) -> dict[str, NamedLayer]:
    """All layers of a function that returns its activations by name; nothing is computed.

    Args:
        function: as `NamedLayer` takes it.
        variables: its weights, or their shapes.
        images: `[B, H, W, C]`, or their shape and dtype.

    Returns:
        A layer for each activation, in the order that the function returns them in.

    Raises:
        ValueError: if it returns anything but arrays by name.
    """
    found: list[tuple[str, ...]] = []

    def names_of(variables: Variables, images: Images) -> Any:
        activations = function(variables, images)
        if problem := _problem(activations):
            raise ValueError(
                "named_layers takes a function that returns {name: activation}, got one that"
                f" returns {problem}"
            )
        found.append(tuple(activations))
        return ()

    jax.eval_shape(names_of, variables, images)
    return {name: NamedLayer(function, name) for name in found[-1]}


def _problem(activations: Any) -> str:
    """What is returned in place of arrays by name; "" if nothing is."""
    if not isinstance(activations, Mapping):
        return "one array" if hasattr(activations, "shape") else f"a {type(activations).__name__}"
    for name, value in activations.items():
        if not isinstance(name, str):
            return f"the name {name!r}; names are text"
        if not hasattr(value, "shape"):
            return f"a {type(value).__name__} as {name!r}; leave it out, or give its first array"
    return ""
