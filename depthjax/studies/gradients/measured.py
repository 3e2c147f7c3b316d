"""Statistics of the gradient of the paper's objective with respect to the input, layer by layer."""

from collections.abc import Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.devices.precision import matmul_precision
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.objectives import distance_to
from depthjax.inversion.problem import numbers_of
from depthjax.inversion.reference import REFERENCE_STD
from depthjax.studies.networks import Place
from depthjax.studies.rows import Row
from depthjax.typing import Images, LayerFn, Variables

START, NOISY_COPY = "start", "noisy copy"
"""Where the gradient is taken: where a descent begins, and near where it is to end."""


def rows_of(place: Place, names: Sequence[str], targets: Images, starts: Images) -> Iterator[Row]:
    """A row for each image and each of the two places where the gradient is taken.

    Args:
        place: the layer.
        names: of the images.
        targets, starts: a and a_0, `[B, H, W, C]`; the same for all layers.
    """
    noise = jax.random.normal(jax.random.key(2), (1, *targets.shape[1:]))
    for where, images in ((START, starts), (NOISY_COPY, targets + REFERENCE_STD * noise)):
        gradients = input_gradients(place.layer, place.variables, targets, jnp.asarray(images))
        for name, gradient in zip(names, np.asarray(gradients, np.float64), strict=True):
            yield place.columns | {"image": name, "where": where} | statistics_of(gradient)


@partial(jax.jit, static_argnames="layer")
def input_gradients(
    layer: LayerFn, variables: Variables, targets: Images, images: Images
) -> Images:
    """The gradient of the paper's objective, `c·Σ|O(a_n) − O(a)|`, at each image.

    Args:
        layer, variables: the embedding O.
        targets, images: a and a_n, `[B, H, W, C]`.
    """
    paper = InversionConfig.paper()
    with matmul_precision():
        weights = numbers_of(paper, images.dtype)["objective"]
        distance = distance_to(layer(variables, targets), paper.structure.objective, weights)
        return jax.grad(lambda images: distance(layer(variables, images)).sum())(images)


def statistics_of(gradient: Float[np.ndarray, "h w c"]) -> dict[str, float]:
    """What one says of a gradient in general.

    Returns:
        The mean and the standard deviation of its elements; their kurtosis (3 for normal ones,
        more for few large among many small); the correlation of elements next to each other.
        NaN where nothing varies.
    """
    centred = gradient - gradient.mean()
    variance = float(np.square(centred).mean())
    pairs = ((centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1]))
    beside = float(np.mean([(one * other).mean() for one, other in pairs]))
    varies = variance > 0
    return {
        "mean": float(gradient.mean()),
        "std": variance**0.5,
        "kurtosis": float((centred**4).mean()) / variance**2 if varies else float("nan"),
        "neighbours": beside / variance if varies else float("nan"),
    }
