"""A linear map with both directions written out, as one primitive.

`jax.custom_vjp` would forbid `jvp`, `jax.linear_transpose` lets XLA choose how the transpose is
computed (badly, inside loops on the CPU), and `jax.custom_derivatives.linear_call` cannot be
batched. This one can do all: `jvp`, `vjp`, `vmap`, `linearize`, `jit`, in any nesting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array

from depthjax.compat import precision_of_products


@runtime_checkable
class LinearMap(Protocol):
    """A map of a batch of examples, hashable by value."""

    def forward(self, parameters: Any, x: Array) -> Array:
        """The map: `[B, …]` -> `[B, …]`."""
        ...

    def transpose(self, parameters: Any, y: Array) -> Array:
        """Its transpose: `⟨y, forward(x)⟩ = ⟨transpose(y), x⟩`."""
        ...


@dataclass(frozen=True)
class Transposed:
    """A linear map the other way round."""

    inner: LinearMap

    def forward(self, parameters: Any, x: Array) -> Array:
        """The transpose of the inner map."""
        return self.inner.transpose(parameters, x)

    def transpose(self, parameters: Any, y: Array) -> Array:
        """The inner map."""
        return self.inner.forward(parameters, y)


@dataclass(frozen=True)
class Batched:
    """A linear map under `vmap`: over `x`, and over the parameters whose axis is not None."""

    inner: LinearMap
    axes: tuple[int | None, ...]

    def forward(self, parameters: Any, x: Array) -> Array:
        """The inner map of every entry of the first axis."""
        return jax.vmap(self.inner.forward, (self._axes(parameters), 0))(parameters, x)

    def transpose(self, parameters: Any, y: Array) -> Array:
        """The inner transpose of every entry of the first axis."""
        return jax.vmap(self.inner.transpose, (self._axes(parameters), 0))(parameters, y)

    def _axes(self, parameters: Any) -> Any:
        return jax.tree.unflatten(jax.tree.structure(parameters), self.axes)


def apply(linear: LinearMap, parameters: Any, x: Array) -> Array:
    """`linear.forward(parameters, x)`, differentiable with respect to `x` alone.

    Args:
        linear: the map and its transpose.
        parameters: a pytree of arrays, taken as constants: to train them, use the model itself.
        x: `[B, …]`.

    Products within have the precision of matrix products that is set where this is called, also
    those of derivatives that are taken elsewhere.

    Raises:
        ValueError: on differentiation with respect to the parameters.
    """
    leaves, structure = jax.tree.flatten(parameters)
    # The map is traced when the program is lowered, and a context that was set here has ended then.
    precision = precision_of_products()
    settings = {"linear": linear, "structure": structure, "precision": precision}
    (y,) = _linear_map_p.bind(x, *leaves, **settings)
    return y


def _like(x: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype)


_linear_map_p = Primitive("linear_map")
_linear_map_p.multiple_results = True


def _run(
    x: Any, *leaves: Any, linear: LinearMap, structure: Any, precision: str | None
) -> list[Any]:
    with jax.default_matmul_precision(precision):
        return [linear.forward(jax.tree.unflatten(structure, leaves), x)]


_compiled = jax.jit(_run, static_argnames=("linear", "structure", "precision"), inline=True)


def _abstract(x: Any, *leaves: Any, **settings: Any) -> list[Any]:
    # Of the compiled map, which is traced once for all convolutions that are alike.
    (y,) = _compiled.eval_shape(_like(x), *map(_like, leaves), **settings)
    return [x.update(shape=y.shape, dtype=y.dtype)]


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **settings: Any) -> tuple[Any, Any]:
    if any(not isinstance(tangent, ad.Zero) for tangent in tangents[1:]):
        raise ValueError(
            "a prepared layer holds its weights constant: differentiate the layer itself"
        )
    x, *leaves = primals
    y = _linear_map_p.bind(x, *leaves, **settings)
    return y, _linear_map_p.bind(tangents[0], *leaves, **settings)


def _transpose(
    cotangents: Sequence[Any], x: Any, *leaves: Any, linear: LinearMap, **settings: Any
) -> list[Any]:
    (cotangent,) = cotangents
    none = [None] * len(leaves)
    if isinstance(cotangent, ad.Zero):
        return [ad.Zero(x.aval), *none]
    back = linear.inner if isinstance(linear, Transposed) else Transposed(linear)
    y = _linear_map_p.bind(cotangent, *leaves, linear=back, **settings)
    return [*y, *none]


def _batch(
    arguments: Sequence[Any], axes: Sequence[Any], *, linear: LinearMap, **settings: Any
) -> tuple[Any, Any]:
    x, *leaves = arguments
    if axes[0] is None:
        size = next(
            leaf.shape[axis]
            for leaf, axis in zip(leaves, axes[1:], strict=True)
            if axis is not None
        )
        x = jnp.broadcast_to(x, (size, *x.shape))
    else:
        x = jnp.moveaxis(x, axes[0], 0)
    batched = Batched(linear, tuple(axes[1:]))
    return _linear_map_p.bind(x, *leaves, linear=batched, **settings), [0]


_linear_map_p.def_impl(_compiled)
_linear_map_p.def_abstract_eval(_abstract)
mlir.register_lowering(_linear_map_p, mlir.lower_fun(_compiled, multiple_results=True))
ad.primitive_jvps[_linear_map_p] = _jvp
ad.primitive_transposes[_linear_map_p] = _transpose
batching.primitive_batchers[_linear_map_p] = _batch
