"""The statistics of BatchNorm, estimated anew on crops of photographs.

In one forward pass over all crops at once, each BatchNorm takes the mean and the variance of what
reaches it, and what comes after it sees its output with these. So this pass is the same as going
layer by layer: after it, every normalised input has mean 0 and variance 1 (less ε) over the crops,
exactly. A running average over batches, as training keeps it, would be near to that and no more.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.images.crops import natural_crops
from depthjax.images.luminance import luminance
from depthjax.models.network import Network, Node, graph_of
from depthjax.models.normalization import Normalization
from depthjax.models.operations.description import describe
from depthjax.typing import Images, Variables

CROPS = 128
"""How many crops of the embedded photographs the statistics are of."""


def calibrated(
    model: Network,
    variables: Variables,
    images: Images,
    normalization: Normalization | None = None,
) -> dict[str, Any]:
    """Weights with the statistics of BatchNorm estimated on images; all else stays.

    Args:
        model: the network.
        variables: its weights.
        images: all that the statistics are of, pixels in [0, 1]; see `crops_for`.
        normalization: of the pixels, as the network gets them.

    Raises:
        ValueError: if it has no BatchNorm.
    """
    moments = _moments(model, True, normalization, variables, images)
    if not moments:
        raise ValueError(
            f"{type(model).__name__} has no BatchNorm whose statistics could be calibrated; take"
            " its other controls without calibrated:, such as shuffled:pretrained"
        )
    return _with(variables, "batch_stats", moments)


def unfolded(
    model: Network,
    variables: Variables,
    images: Images,
    normalization: Normalization | None = None,
) -> dict[str, Any]:
    """The same function, with statistics where BatchNorm was folded into the convolutions.

    A BatchNorm that does nothing but add a bias is one that was folded. It gets the mean and the
    variance of its input over the images, and the scale and bias with which it still only adds.
    What a channel's mean and deviation are behind it is then said by its bias and scale, as in a
    network that was never folded.

    Args:
        model, variables, images, normalization: as for `calibrated`.
    """
    found = _moments(model, False, normalization, variables, images)
    moments: dict[tuple[str, ...], Any] = {}
    affine: dict[tuple[str, ...], Any] = {}
    for node in folded_norms(model, variables):
        place = (node.name,)
        moments[place] = found[place]
        deviation = jnp.sqrt(found[place]["var"] + node.operation.epsilon)  # type: ignore[union-attr]
        bias = variables["params"][node.name]["bias"] + found[place]["mean"]
        affine[place] = {"scale": deviation, "bias": bias}
    return _with(_with(variables, "batch_stats", moments), "params", affine)


def folded_norms(model: Network, variables: Variables) -> list[Node]:
    """The BatchNorms that do nothing but add a bias: those that were folded into convolutions."""
    return [
        node
        for node in graph_of(model)
        if node.name in variables.get("batch_stats", {})
        if _only_adds(
            node, {group: leaves.get(node.name, {}) for group, leaves in variables.items()}
        )
    ]


def _only_adds(node: Node, leaves: Mapping[str, Any]) -> bool:
    """Whether scale is 1, mean 0 and shift another; that of untrained ones is 0."""
    description = describe(node.operation)
    if not description.is_affine or "scale" not in leaves.get("params", {}):
        return False
    scale, shift = description.affine(dict(leaves))
    is_one = np.allclose(scale, 1, rtol=0, atol=1e-6)
    return bool(is_one and np.any(shift) and not np.any(leaves["batch_stats"]["mean"]))


def crops_for(
    model: Network, image_size: int | tuple[int, int], *, grey: bool = False
) -> tuple[Images, dict[str, Any]]:
    """The crops that controls are calibrated on, and what the config of a run records of them.

    Args:
        model: the network; images of one channel are the luminance.
        image_size: height and width in pixels.
        grey: whether the crops lose their colour, as the images that the network is then shown.

    Returns:
        `CROPS` images in [0, 1], float32, and the record of `natural_crops`; with `grey` if they
        are.

    Raises:
        ValueError: if it takes images of other channels than 1 or 3.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    crops = natural_crops(CROPS, height, width)
    pixels: np.ndarray = crops.images.astype(np.float32) / 255
    channels = getattr(model, "channels", 3)
    if channels not in (None, 1, 3):
        raise ValueError(f"photographs have 1 or 3 channels, and the network takes {channels}")
    if channels == 1 or grey:
        bright = np.asarray(luminance(pixels), np.float32)[..., None]
        pixels = bright if channels == 1 else bright.repeat(3, axis=-1)
    return jnp.asarray(pixels), crops.record | ({"grey": True} if grey else {})


@partial(jax.jit, static_argnums=(0, 1, 2))
def _moments(
    model: Network,
    following: bool,
    normalization: Normalization | None,
    variables: Variables,
    images: Images,
) -> dict[tuple[str, ...], dict[str, Array]]:
    """Mean and variance of what reaches each BatchNorm, by its path.

    Args:
        model, normalization, variables, images: as for `calibrated`.
        following: whether what comes after a BatchNorm sees it with these, or as it was.
    """
    found: dict[tuple[str, ...], dict[str, Array]] = {}

    def estimated(call: Any, inputs: Any, settings: Any, context: nn.module.InterceptorContext):  # type: ignore[no-untyped-def]
        module = context.module
        if isinstance(module, nn.BatchNorm) and context.method_name == "__call__":
            moments = _of_channels(inputs[0], module.axis)
            found[module.path] = moments
            for name, value in moments.items():
                if following:
                    module.put_variable("batch_stats", name, value)
        return call(*inputs, **settings)

    pixels = images if normalization is None else normalization(images)
    with nn.intercept_methods(estimated):
        model.apply(variables, pixels, mutable=["batch_stats"])
    return found


def _of_channels(x: Array, axis: int | tuple[int, ...]) -> dict[str, Array]:
    """Mean and biased variance of each channel, by images first: sums of millions lose digits."""
    channels = {a % x.ndim for a in np.atleast_1d(axis).tolist()}
    places = tuple(a for a in range(1, x.ndim) if a not in channels)
    kept = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = kept.mean(places, keepdims=True).mean(0, keepdims=True)
    variance = jnp.square(kept - mean).mean(places).mean(0)
    return {"mean": mean.squeeze((0, *places)), "var": variance}


def _with(
    variables: Mapping[str, Any], group: str, leaves: Mapping[tuple[str, ...], Mapping[str, Any]]
) -> dict[str, Any]:
    """Variables with some leaves of one group exchanged, by the path of their module."""
    changed = jax.tree.map(lambda leaf: leaf, dict(variables))  # dicts of its own
    for path, values in leaves.items():
        place = changed[group]
        for name in path:
            place = place[name]
        for name, value in values.items():
            place[name] = value.astype(place[name].dtype)
    return changed
