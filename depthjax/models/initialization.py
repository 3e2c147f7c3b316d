"""The variables of an untrained network."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.models.initializers import Stream
from depthjax.models.network import INPUT, Network, check_network, graph_of
from depthjax.models.operations.description import describe


def init_variables(
    model: Network, key: Array, image_size: int | tuple[int, int] | None = None
) -> dict[str, Any]:
    """The variables of an untrained network, distributed as torchvision or timm initialises it.

    In evaluation mode BatchNorm is then the identity, except for ε (mean 0, variance 1, scale 1,
    bias 0). Modules that they do not have are initialised by Flax. The random numbers of
    an operation depend on `key` and on its name alone, so two networks have equal weights in the
    layers that they share. Numpy draws most of them on the host, so call this outside `jit`;
    inside, `model.init` draws from the same distributions.

    Args:
        model: a model of `depthjax.models`, or a `Network` of your own.
        key: a `jax.random.key`.
        image_size: height and width of the images, which matter to MLPs and ViTs alone. Default:
            those that the model is made for, else 224. The images have as many channels as the
            model's field `channels` says, or 3.

    Returns:
        `{"params": …, "batch_stats": …}`, float32; `batch_stats` only with BatchNorm.

    Raises:
        ValueError: if the network cannot take images of that size, for a seed in place of a key,
            and for a module that is no `Network`.
    """
    checked_key(key)
    shapes, activations = variable_shapes(model, image_size)
    variables: dict[str, Any] = {"params": {}}
    for node in sorted(graph_of(model)):  # by name, as JAX orders dicts
        leaves = {group: shapes[group][node.name] for group in shapes if node.name in shapes[group]}
        if leaves:
            inputs = [activations[name] for name in node.inputs]
            stream = Stream(key, node.name)
            for group, drawn in describe(node.operation).initialize(stream, leaves, inputs).items():
                variables.setdefault(group, {})[node.name] = drawn
    return variables


def checked_key(key: Any) -> Array:
    """The key itself.

    Raises:
        ValueError: for a number, which is a seed, and for all else that is no key of JAX.
    """
    given = isinstance(key, jax.Array | np.ndarray)
    if not given or not (key.ndim or jnp.issubdtype(key.dtype, jax.dtypes.prng_key)):
        seed = key if isinstance(key, int) else 0
        raise ValueError(f"key must be a key of JAX, got {key!r}; write jax.random.key({seed})")
    return key


def variable_shapes(
    model: Network, image_size: int | tuple[int, int] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Shapes and dtypes of a network's variables and of its activations; nothing is computed.

    Args:
        model, image_size: as in `init_variables`.
    """
    check_network(model)
    size = model.own_size if image_size is None else image_size
    height, width = (size, size) if isinstance(size, int) else size
    return _variable_shapes(model, height, width, jax.config.read("jax_enable_x64"))


@functools.lru_cache(maxsize=128)  # tracing ResNet-50 takes half a second
def _variable_shapes(
    model: Network, height: int, width: int, x64: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    channels = getattr(model, "channels", 3)
    images = jax.ShapeDtypeStruct((1, height, width, channels), jnp.float32)
    (_, activations), shapes = jax.eval_shape(model.init_with_output, jax.random.key(0), images)
    return dict(shapes), {INPUT: images, **activations}
