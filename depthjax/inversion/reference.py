"""The reference: how far a lightly noised copy a' lies from its image, in pixels and in embeddings.

A distance says little by itself; m_r and m_i' are what it is divided by. All are measured at
`highest` precision.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array
from numpy.typing import ArrayLike

from depthjax.devices.precision import widened
from depthjax.devices.spreading import SpreadLayer
from depthjax.errors import name_of_layer
from depthjax.inversion.objectives import distances, norms
from depthjax.inversion.preparing import Prepared, prepare_for_measuring
from depthjax.models.embeddings import embed
from depthjax.models.fast import quick_to_embed
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables

REFERENCE_STD = 1 / 18
"""Standard deviation of the reference noise in the author's code (the text says 1/25)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ReferenceNoise:
    """The noise that makes a' of a: `σ_r·ε`, ε standard normal, not clipped.

    Fields:
        key: a `jax.random.key`; give the same to every layer and network.
        std: σ_r, in pixel units of [0, 1].
        draws: noisy copies that distances are averaged over, 1 or more.
    """

    key: Array
    std: Scalar = REFERENCE_STD
    draws: int = field(default=8, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, got {self.draws}; 8 is the default")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Reference:
    """Distances from the target to its noisy copies, means over the draws; each `[batch]`.

    Fields:
        embedding_distance: m_r.
        embedding_distance_std: its standard deviation from draw to draw; NaN of one draw.
        input_distance: m_i'.
        embedding_norm: ‖O(a)‖₂.
    """

    embedding_distance: Array
    embedding_distance_std: Array
    input_distance: Array
    embedding_norm: Array


def reference_distances(
    layer: LayerFn, variables: Variables, a: Images, noise: ReferenceNoise
) -> Reference:
    """m_r and m_i': how far noise moves images and their embeddings.

    Args:
        layer, variables: the embedding, see `depthjax.typing.LayerFn`.
        a: target images `[B, H, W, C]` in [0, 1].
        noise: drawn for each image by itself.

    Raises:
        ValueError: if the layer gives no embedding.
    """
    target = embed(layer, variables, a)
    embedding, inputs = [], []
    # One draw after the other: memory stays that of one batch, and one program embeds them all.
    for key in jax.random.split(noise.key, noise.draws):
        noisy, moved = _with_noise(a, key, noise.std)
        embedding.append(distances(embed(layer, variables, noisy), target))
        inputs.append(moved)
    return _summary(embedding, inputs, target)


@jax.jit
def _with_noise(a: Images, key: Array, std: Scalar) -> tuple[Images, PerExample]:
    """A noisy copy of each image, and how far it is moved."""
    added = std * jax.random.normal(key, a.shape, a.dtype)
    return a + added, norms(added)


@jax.jit
def _summary(embedding: list[PerExample], inputs: list[PerExample], target: Embedding) -> Reference:
    """Of the distances of each draw."""
    moved = jnp.stack(embedding)
    return Reference(moved.mean(0), moved.std(0, ddof=1), jnp.stack(inputs).mean(0), norms(target))


def shared_input_distance(shape: tuple[int, ...], noise: ReferenceNoise) -> float:
    """m_i' where all images get the same noise: a single number; no layer is needed.

    Args:
        shape: of one image, `(H, W, C)`.
        noise: whose draws are averaged over.
    """
    drawn = jax.random.normal(noise.key, (noise.draws, *shape))
    return float(norms(noise.std * drawn).mean())


def expected_input_distance(count: int, std: float = REFERENCE_STD) -> float:
    """The root mean square of m_i' over all noise: `σ_r·√n`. No noise is drawn.

    Args:
        count: n, the numbers in one image.
        std: σ_r.
    """
    return std * count**0.5


def checked_reference(
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    noise: ReferenceNoise,
    *,
    mesh: Mesh | None = None,
    spread_weights: bool | None = None,
) -> Reference:
    """`reference_distances`, but a layer whose embedding cannot be inverted is refused.

    Where depthwise convolutions would make eight copies of each image take as long as a whole
    descent, they are measured with the layer's fast form (`depthjax.models.fast.quick_to_embed`).
    What a descent finds is measured with the layer as it is.

    Args:
        layer, variables, noise: as there.
        images: as `checked_images` takes them.
        mesh, spread_weights: as in `depthjax.invert`.

    Raises:
        ValueError: if noise on an image does not move its embedding, or moves it out of range, or
            as `prepare_layer`.
    """
    images = checked_images(images)
    measured = prepare_for_measuring(layer, variables, mesh=mesh, spread_weights=spread_weights)
    if not isinstance(measured.layer, SpreadLayer):
        measured = Prepared(*quick_to_embed(layer, variables, images))
    reference = reference_distances(*measured, images, noise)
    scale = np.asarray(reference.embedding_distance)
    usable = np.isfinite(scale) & (scale > 0)
    if not usable.all():
        first = int(np.argmin(usable))
        what = "constant" if scale[first] == 0 else "not finite"
        raise ValueError(
            f"the embedding of layer {name_of_layer(layer)!r} is {what} around image"
            f" {first}: noise on the input moves it by {scale[first]:g}; choose an earlier layer or"
            " other weights"
        )
    return reference


def checked_images(images: ArrayLike) -> Images:
    """The images as a JAX array; half precision becomes float32.

    Raises:
        ValueError: unless they are finite floats `[B, H, W, C]` in [0, 1], and one at least.
    """
    values = np.asarray(images)
    if values.ndim != 4 or not jnp.issubdtype(values.dtype, jnp.floating):
        raise ValueError(
            f"images must be floats [batch, height, width, channels] in [0, 1], got"
            f" {values.dtype} {values.shape}"
        )
    if not len(values):
        raise ValueError(f"there are no images to recover: they have the shape {values.shape}")
    values = widened(values)
    if not np.isfinite(values).all():
        raise ValueError("images hold NaN or infinite pixels; check how they were made")
    if values.size and (values.min() < -0.01 or values.max() > 1.01):
        normalized = values.min() < -0.01 and values.max() <= 16
        way = (
            "give them as they are before normalisation, which a layer does itself:"
            " depthjax.Layer(model, name, normalization='imagenet')"
            if normalized
            else "divide 8-bit pixels by 255"
        )
        raise ValueError(
            f"images must lie in [0, 1], got {values.min():g} to {values.max():g}; {way}"
        )
    return widened(jnp.asarray(images))
