"""A layer linearised at some images: products `J v` and `Jᵀ u` with its Jacobians."""

import dataclasses
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.devices.memory import gigabytes, require, tree_bytes
from depthjax.devices.precision import matmul_precision, widened
from depthjax.devices.sharding import IMAGES, PROBES, grid_of, is_default, local_mesh, replicate
from depthjax.errors import name_of_layer
from depthjax.models.embeddings import checked_embedding
from depthjax.models.fast import prepare_layer
from depthjax.ops.programs import primitives_of
from depthjax.typing import LayerFn, PerExample, Variables


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinearizedLayer:
    """The Jacobians of a layer at B images, as one block-diagonal linear map; a pytree.

    Fields:
        pushforward: the map `v ↦ J v`, `[B, H, W, C]` -> `[B, …]`, with the activations it needs.
        input_shape: `(H, W, C)`; n is the product.
        output_shape: of the embedding of one image; m is the product.
        images: B.
        dtype: of the products.
        grid: the devices, `images × probes`, over which products are distributed; None for one
            device.
    """

    pushforward: Any
    input_shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    output_shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    images: int = dataclasses.field(metadata={"static": True})
    dtype: str = dataclasses.field(metadata={"static": True})
    grid: Mesh | None = dataclasses.field(default=None, metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n): the elements of an embedding and of an image."""
        return math.prod(self.output_shape), math.prod(self.input_shape)

    def jvp(self, v: Float[Array, "images n"]) -> Float[Array, "images m"]:
        """`J v` for one vector per image."""
        with matmul_precision():
            pushed = self.pushforward(v.reshape(self.images, *self.input_shape))
        return pushed.reshape(self.images, -1)

    def vjp(self, u: Float[Array, "images m"]) -> Float[Array, "images n"]:
        """`Jᵀ u` for one vector per image."""
        like = jax.ShapeDtypeStruct((self.images, *self.input_shape), self.dtype)
        with matmul_precision():
            pull = jax.linear_transpose(self.pushforward, like)
            (pulled,) = pull(u.reshape(self.images, *self.output_shape))
        return pulled.reshape(self.images, -1)


def linearize(
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    from_layer: str | None = None,
    mesh: Mesh | None = None,
) -> LinearizedLayer:
    """Linearises a layer at some images; the forward pass is done here, once.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`; examples of a batch must be independent.
        images: `[B, H, W, C]`, or one `[H, W, C]`; floats. Those of two bytes become float32.
        from_layer: the name of an earlier layer. The Jacobian is then taken with respect to the
            activation of that layer, at these images. For a `depthjax.Layer`, or any other layer
            with a method `split`.
        mesh: the devices that images and probes are distributed over; by default all of this
            process. If the number of devices does not divide the images, each image's probes are
            distributed; some devices are then idle in products with few vectors (`block`).

    Raises:
        ValueError: for images that are not finite floats with three or four axes; for a layer that
            does not depend on its input; if some path to `layer` does not pass through
            `from_layer`; if the stored activations do not fit into memory.
    """
    x = jnp.asarray(images)
    x = x[None] if x.ndim == 3 else x
    if x.ndim != 4 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"images must be floats [batch, height, width, channels], got {x.dtype} {x.shape};"
            " divide 8-bit pixels by 255"
        )
    x = widened(x)
    if not np.isfinite(np.asarray(x)).all():
        raise ValueError("images hold NaN or infinite pixels; there is no derivative there")
    if from_layer is not None:
        split = getattr(layer, "split", None)
        if split is None:
            raise ValueError(
                f"layer {name_of_layer(layer)!r} cannot be split at {from_layer!r}; give a"
                " depthjax.Layer, or the function of that activation and the activation in"
                " place of images"
            )
        before, layer = split(from_layer)
        with matmul_precision():
            x = before(variables, x)
    return _linearized_at(layer, variables, x, mesh or local_mesh())


def _linearized_at(layer: LayerFn, variables: Variables, x: Array, mesh: Mesh) -> LinearizedLayer:
    fast, weights = prepare_layer(layer, variables, x)
    count = x.shape[0]
    grid = None if is_default(mesh) else grid_of(mesh, count)
    if grid is not None:
        weights = replicate(weights, grid)
        x = jax.device_put(x, NamedSharding(grid, PartitionSpec(IMAGES)))
    traced = _linearized.trace(fast, grid, weights, x)
    kept = tree_bytes(traced.out_info) // (grid.shape[IMAGES] if grid else 1)
    require(
        f"linearising layer {name_of_layer(layer)!r} at {count} image{'s' if count > 1 else ''} of"
        f" {'×'.join(map(str, x.shape[1:]))}",
        kept,
        f"take fewer images at once (about {gigabytes(kept // count)} each), smaller ones, or an"
        " earlier layer",
    )
    embedding, pushforward = _linearized(fast, grid, weights, x)
    shape = tuple(map(int, embedding.shape))
    maps = LinearizedLayer(pushforward, x.shape[1:], shape[1:], count, str(embedding.dtype), grid)
    program = _program(maps)
    if _BACK_ALONE in primitives_of(program):
        raise ValueError(
            f"layer {name_of_layer(layer)!r} has a derivative of its own that goes back alone"
            " (jax.custom_vjp), and a Jacobian goes forward, too; write it as jax.custom_jvp"
        )
    if not any(_reached(program, [True] * len(program.invars))):
        raise ValueError(
            f"layer {name_of_layer(layer)!r} does not depend on the image at all, so its Jacobian"
            " says nothing; choose a layer that images reach"
        )
    return maps


@partial(jax.jit, static_argnums=(0, 1))
def _linearized(
    layer: LayerFn, grid: Mesh | None, variables: Variables, images: Array
) -> tuple[Any, Any]:
    function = layer
    if grid is not None:
        replicated, split = PartitionSpec(), PartitionSpec(IMAGES)
        function = jax.shard_map(layer, mesh=grid, in_specs=(replicated, split), out_specs=split)

    def embedded(images: Array) -> Array:  # in one dtype with the images, as vectors are
        embedding = checked_embedding(layer, function(variables, images), len(images))
        return embedding.astype(images.dtype)

    with matmul_precision():
        return jax.linearize(embedded, images)


_BACK_ALONE = "custom_lin"
"""What JAX writes for the forward derivative of a `jax.custom_vjp`, and cannot run."""


def _program(maps: LinearizedLayer) -> Jaxpr:
    """The program of `J v`."""
    v = jax.ShapeDtypeStruct((maps.images, *maps.input_shape), maps.dtype)
    with matmul_precision():
        return jax.make_jaxpr(maps.pushforward)(v).jaxpr


def _reached(program: Any, given: list[bool]) -> list[bool]:
    """Which outputs of a program depend on one of the inputs for which `given` is true."""
    reached = {var for var, reads in zip(program.invars, given, strict=True) if reads}

    def reads(atom: Any) -> bool:
        return not hasattr(atom, "val") and atom in reached

    for equation in program.eqns:
        inputs = [reads(atom) for atom in equation.invars]
        outputs = [any(inputs)] * len(equation.outvars)
        if equation.primitive.name == "shard_map":
            outputs = _reached(equation.params["jaxpr"], inputs)
        reached.update(
            var for var, is_read in zip(equation.outvars, outputs, strict=True) if is_read
        )
    return [reads(atom) for atom in program.outvars]


def push(
    maps: LinearizedLayer, v: Float[Array, "block images n"]
) -> Float[Array, "block images m"]:
    """`J v` for a block of vectors per image, distributed over the devices."""
    return _distributed(_push, maps, v)


def pull(
    maps: LinearizedLayer, u: Float[Array, "block images m"]
) -> Float[Array, "block images n"]:
    """`Jᵀ u` for a block of vectors per image, distributed over the devices."""
    return _distributed(_pull, maps, u)


@jax.jit
def _push(maps: LinearizedLayer, v: Array) -> Array:
    return jax.vmap(maps.jvp, spmd_axis_name=PROBES if maps.grid else None)(v)


@jax.jit
def _pull(maps: LinearizedLayer, u: Array) -> Array:
    return jax.vmap(maps.vjp, spmd_axis_name=PROBES if maps.grid else None)(u)


def _distributed(product: Any, maps: LinearizedLayer, vectors: Array) -> Array:
    """A product whose vectors are split over the devices; zeros fill up the last devices."""
    if maps.grid is None:
        return product(maps, vectors)
    missing = -len(vectors) % maps.grid.shape[PROBES]
    if missing:
        vectors = jnp.pad(vectors, ((0, missing), (0, 0), (0, 0)))
    place = NamedSharding(maps.grid, PartitionSpec(PROBES, IMAGES))
    products = product(maps, jax.device_put(vectors, place))
    return products[:-missing] if missing else products


def dot_test(maps: LinearizedLayer, key: Array) -> PerExample:
    """`|⟨u, J v⟩ − ⟨Jᵀ u, v⟩| / (‖u‖ ‖J v‖)` for random u and v; a rounding error if all is well.

    A layer with its own derivative rule (`custom_jvp`, `custom_vjp`) may have products that are not
    transposes of each other. All results of this package would then be wrong.

    Args:
        maps: from `linearize`.
        key: a `jax.random.key`.

    Returns:
        `[B]`; below 1e-5 in float32 and 1e-13 in float64.
    """
    m, n = maps.shape
    for_u, for_v = jax.random.split(key)
    u = jax.random.normal(for_u, (1, maps.images, m), maps.dtype)
    v = jax.random.normal(for_v, (1, maps.images, n), maps.dtype)
    pushed, pulled = push(maps, v), pull(maps, u)
    difference = jnp.abs((u * pushed).sum(-1) - (pulled * v).sum(-1))[0]
    size = jnp.linalg.norm(u, axis=-1) * jnp.linalg.norm(pushed, axis=-1)
    return difference / jnp.maximum(size[0], jnp.finfo(maps.dtype).tiny)


def resolution(maps: LinearizedLayer) -> float:
    """σ / σ₁ below which a singular value cannot be told from 0: ten times the dtype's epsilon.

    1.2e-6 in float32, as measured for Golub–Kahan; 2.2e-15 in float64.
    """
    return 10 * float(jnp.finfo(maps.dtype).eps)
