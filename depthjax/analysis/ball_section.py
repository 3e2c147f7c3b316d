"""A section of the set onto which a layer maps a small ball of images.

If a layer stretches a few directions much more than all others, it maps the ball to a set with
spikes: a circle becomes a needle.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.jacobian import linearize, top_singular_values
from depthjax.models.embeddings import embed
from depthjax.typing import LayerFn, Variables


def ball_section(
    layer: LayerFn,
    variables: Variables,
    image: ArrayLike,
    *,
    radius: float = 1 / 255,
    points: int = 48,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points 2"]]:
    """Maps a small circle of images through a layer: by its Jacobian, and by the layer itself.

    The circle lies in the plane of the first right singular vector and of a random direction.

    Args:
        layer, variables: as in `depthjax.jacobian.linearize`.
        image: the centre, `[1, H, W, C]`.
        radius: root mean square change of the pixels, which are in [0, 1]; one grey level by
            default.
        points: on the circle.
        seed: of the random direction.

    Returns:
        The changes of the embedding by the Jacobian and by the layer, `[points, 2]` each, in units
        of σ₁ times the radius: along the first left singular vector, and orthogonal to it.
    """
    pixels = jnp.asarray(image)
    maps = linearize(layer, variables, pixels)
    top = top_singular_values(maps, 1, most=20)
    first, axis, largest = top.right[0, 0], top.left[0, 0], top.values[0, 0]
    second = np.random.default_rng(seed).standard_normal(first.size)
    second -= (second @ first) * first
    second /= np.linalg.norm(second)
    pushed = np.asarray(maps.jvp(jnp.asarray(second[None], pixels.dtype)), np.float64)[0]
    across = pushed - (pushed @ axis) * axis
    across /= max(np.linalg.norm(across), 1e-300)
    axes = np.stack([axis, across], 1)
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    linear = np.stack([np.cos(angles), np.sin(angles) * (pushed @ across) / largest], 1)
    circle = np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second
    length = radius * np.sqrt(first.size)
    here = embed(layer, variables, pixels)
    moved = [
        np.asarray(embed(layer, variables, pixels + step) - here, np.float64).ravel()
        for step in (length * circle).reshape(points, *pixels.shape).astype(pixels.dtype)
    ]
    return linear, np.stack(moved) @ axes / (length * largest)
