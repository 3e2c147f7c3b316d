"""How far apart images are to another network, which sees likeness where pixels do not.

The unlearned distance of Zhang, Isola, Efros, Shechtman & Wang (2018), "The unreasonable
effectiveness of deep features as a perceptual metric", section 3.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.models.catalogue import find_model
from depthjax.models.layers import Layer, select_layers
from depthjax.typing import Embedding, Images, LayerFn, Variables
from depthjax.weights import weights_of

_LEAST_LENGTH = 1e-10  # of a vector, so that one of zeros can be divided by its length


class Judge(NamedTuple):
    """A network that compares images.

    Fields:
        layers: those of its layers that are compared.
        variables: its weights.
        record: what it is, for the config of a run (JSON).
    """

    layers: tuple[LayerFn, ...]
    variables: Variables
    record: dict[str, Any]

    def distance(self, a: ArrayLike, a_g: ArrayLike) -> Float[np.ndarray, "*leading"]:
        """`perceptual_distance` of images."""
        return perceptual_distance(self.layers, self.variables, a, a_g)


def load_judge(
    model: str, model_fields: Mapping[str, Any], weights: str, layers: str, image_size: int
) -> Judge:
    """A judge from names.

    Args:
        model, model_fields: as `build_model` takes them.
        weights: as `weights_of` takes their source.
        layers: as `select_layers` takes them, such as `all-stages`.
        image_size: height and width of the images, in pixels.

    Raises:
        ValueError: for a model, layer or weights that do not exist or do not fit.
    """
    found = find_model(model, model_fields)
    given = weights_of(found, weights, 0, image_size)
    names = select_layers(found.model, layers)
    chosen = tuple(Layer(found.model, name, given.normalization) for name in names)
    record = {"model": model, "model_fields": dict(model_fields), "layers": list(names)}
    return Judge(chosen, given.variables, record | given.record)


def check_other(judge: Judge, sha256: str | None) -> None:
    """Returns if the judge is another network than the one with weights of this hash.

    Raises:
        ValueError: if it is the same: the descent has made its embeddings equal.
    """
    if sha256 is not None and sha256 == judge.record.get("sha256"):
        raise ValueError(
            f"judge={judge.record.get('source', sha256[:12])} is the network that is inverted; take"
            " another"
        )


def perceptual_distance(
    layers: Sequence[LayerFn], variables: Variables, a: ArrayLike, a_g: ArrayLike
) -> Float[np.ndarray, "*leading"]:
    """The mean over layers and places of `|u − u_g|²`, u the unit vectors of channels.

    At each place of a layer's embedding `[B, …, C]` the vector of channels is divided by its
    length. So 0 is for equal images, 2 for vectors at right angles, and 4 for opposite ones; after
    a ReLU 2 is the most. A layer without places, `[B, C]`, has one.

    Args:
        layers, variables: the other network, see `depthjax.typing.LayerFn`; layers are hashable.
        a: targets `[B, H, W, C]` in [0, 1].
        a_g: recovered images, `[B, H, W, C]` or `[restarts, B, H, W, C]`; clipped to [0, 1], as
            the network has seen no others.

    Returns:
        `[B]` or `[restarts, B]`, float32; NaN for an image that is not finite.
    """
    targets, images = jnp.asarray(a), jnp.asarray(a_g)
    restarts = images.reshape(-1, *targets.shape)
    units = partial(_units, tuple(layers), variables)
    wanted = units(targets)
    found = [_distance(wanted, units(jnp.clip(restart, 0, 1))) for restart in restarts]
    finite = np.isfinite(np.asarray(a_g)).all((-3, -2, -1))
    return np.where(finite, np.reshape(found, finite.shape), np.nan).astype(np.float32)


@partial(jax.jit, static_argnums=0)
def _units(layers: tuple[LayerFn, ...], variables: Variables, images: Images) -> list[Embedding]:
    """The vectors of channels at each layer, of length 1."""
    # One program: what the layers share of the network is computed once.
    with matmul_precision():
        return [_unit(layer(variables, images)) for layer in layers]


@jax.jit
def _distance(wanted: list[Array], found: list[Array]) -> Float[Array, " batch"]:
    distances = [
        jnp.square(u - u_g).sum(-1).reshape(len(u), -1).mean(1)
        for u, u_g in zip(wanted, found, strict=True)
    ]
    return jnp.stack(distances).mean(0)


def _unit(embedding: Embedding) -> Embedding:
    length = jnp.linalg.norm(embedding, axis=-1, keepdims=True)
    return embedding / (length + _LEAST_LENGTH)
