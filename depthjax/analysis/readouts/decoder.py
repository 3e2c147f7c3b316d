"""A convolutional decoder from embeddings to images, trained on examples.

Not linear, so it may know what images are like: edges go on, colours are of things. What it shows
of an image that it was not trained on is in the embedding, or likely of any image (Dosovitskiy &
Brox, *Inverting visual representations with convolutional networks*, CVPR 2016).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.errors import require
from depthjax.models.decoder import Decoder

BATCH = 8
"""Examples in a step."""

RATE = 1e-3
"""Of the first step."""


class DecoderReadout(NamedTuple):
    """A trained decoder.

    Fields:
        decoder, variables: the network.
        mean, std: of the channels of the embeddings that it was trained on, `[1, …, C]`.
        mean_image: what is added to its output, `[1, H, W, K]`.
        error: root mean square error of the examples' pixels in the last tenth of training.
    """

    decoder: Decoder
    variables: Any
    mean: Float[Array, "1 *features"]
    std: Float[Array, "1 *features"]
    mean_image: Float[Array, "1 h w k"]
    error: float


def fit_decoder(
    key: Array,
    embeddings: ArrayLike,
    images: Float[np.ndarray, "n h w k"],
    *,
    channels: int = 32,
    steps: int = 1000,
) -> DecoderReadout:
    """Trains a decoder on examples: mean squared error, Adam, a rate that falls along a cosine.

    Args:
        key: of its first weights and of the order of examples, a `jax.random.key`.
        embeddings: of the examples, `[N, …]`.
        images: the examples, `[N, H, W, K]` in [0, 1].
        channels: of the network.
        steps: of training.

    Raises:
        ValueError: for fewer than 2 examples, and for no step.
    """
    known = jnp.asarray(embeddings, jnp.float32)
    targets = jnp.asarray(images, jnp.float32)
    require(len(known) == len(targets) > 1, "examples", len(targets), "2 or more, with embeddings")
    require(steps > 0, "steps", steps, "at least 1")
    axes = tuple(range(known.ndim - 1))
    mean, std = known.mean(axes, keepdims=True), known.std(axes, keepdims=True) + 1e-6
    mean_image = targets.mean(0, keepdims=True)
    decoder = Decoder(tuple(images.shape[1:]), channels)
    first, order = jax.random.split(key)
    variables = decoder.init(first, known[:1])
    plan = _Plan(decoder, steps)
    examples = _Examples(known, targets, mean, std, mean_image)
    # Not a scan: XLA's CPU backend runs convolutions within loops on one thread.
    memory, losses = plan.optimizer.init(variables), []
    for one in jax.random.split(order, steps):
        variables, memory, value = _step(plan, examples, variables, memory, one)
        losses.append(value)
    error = float(np.sqrt(np.mean(jax.device_get(losses[-max(1, steps // 10) :]))))
    return DecoderReadout(decoder, variables, mean, std, mean_image, error)


class _Plan(NamedTuple):
    """What the compiled step depends on."""

    decoder: Decoder
    steps: int

    @property
    def optimizer(self) -> optax.GradientTransformation:
        return optax.adam(optax.cosine_decay_schedule(RATE, self.steps))


class _Examples(NamedTuple):
    """Arguments of the step: within a program they would be copied into it, and into its cache."""

    known: Float[Array, "n *features"]
    targets: Float[Array, "n h w k"]
    mean: Float[Array, "1 *features"]
    std: Float[Array, "1 *features"]
    mean_image: Float[Array, "1 h w k"]


@partial(jax.jit, static_argnums=0)
def _step(
    plan: _Plan, examples: _Examples, variables: Any, memory: Any, key: Array
) -> tuple[Any, Any, Array]:
    chosen = jax.random.randint(key, (BATCH,), 0, len(examples.known))
    seen = (examples.known[chosen] - examples.mean) / examples.std

    def loss(variables: Any) -> Array:
        made: Any = plan.decoder.apply(variables, seen)
        return jnp.square(examples.mean_image + made - examples.targets[chosen]).mean()

    value, gradient = jax.value_and_grad(loss)(variables)
    change, memory = plan.optimizer.update(gradient, memory, variables)
    return optax.apply_updates(variables, change), memory, value


def decoder_estimate(
    readout: DecoderReadout, embeddings: ArrayLike
) -> Float[np.ndarray, "images h w k"]:
    """The images that the decoder takes embeddings for, in any range.

    Args:
        readout: from `fit_decoder`.
        embeddings: `[B, …]`, of the same layer.
    """
    seen = (jnp.asarray(embeddings, jnp.float32) - readout.mean) / readout.std
    with matmul_precision():
        made = _made(readout.decoder, readout.variables, seen)
    return np.asarray(readout.mean_image + made)


@partial(jax.jit, static_argnums=0)
def _made(decoder: Decoder, variables: Any, seen: Array) -> Any:
    return decoder.apply(variables, seen)
