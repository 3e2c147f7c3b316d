"""How many bits a layer holds about an image, if its embedding is read with the noise of ρ.

ρ = 1 says that an embedding is as far from the image's as that of the noisy copy: by m_r. Noise of
this length, spread evenly over the m entries of the embedding, has the standard deviation m_r / √m.
So layers and networks can be compared: a layer whose activations are all ten times as large has ten
times the noise, and holds as many bits. What else is assumed: `depthjax.jacobian.information`.

    found = layer_bits(jax.random.key(0), layer, variables, images)
    found.bits.low, found.bits.high  # with found.bits.error, from the probes
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.analysis.singular_values import LayerSpectrum
from depthjax.inversion.reference import Reference, ReferenceNoise, checked_reference
from depthjax.jacobian import (
    Bracket,
    Information,
    information,
    information_of_values,
    linearize,
    spectral_quadrature,
)
from depthjax.typing import LayerFn, Variables

PRIOR_STD = 0.25
"""s, the standard deviation of pixels that is assumed unless another is given.

All pixels of the photographs that come with the package together, at 128×128, have 0.246.
"""


class LayerBits(NamedTuple):
    """What a layer holds about B images.

    Fields:
        bits: about the whole image, see `depthjax.jacobian.Information`.
        effective_dimension: how many directions of the image can be told from the noise.
        noise_std: σ of each entry of the embedding, `[B]`.
    """

    bits: Bracket
    effective_dimension: Bracket
    noise_std: Float[np.ndarray, " images"]


def layer_bits(
    key: Array,
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    ratio: float = 1.0,
    probes: int = 8,
    steps: int = 24,
) -> LayerBits:
    """Bits and effective dimension of a layer at images of any size, by products J v and Jᵀ u.

    Pixels are taken to have the standard deviation `PRIOR_STD` before the embedding is known.

    Args:
        key: of the noisy copies and of the probes, a `jax.random.key`.
        layer, variables: see `depthjax.typing.LayerFn`.
        images: `[B, H, W, C]` in [0, 1].
        ratio: ρ, the noise of the embedding in units of m_r.
        probes, steps: as in `depthjax.jacobian.spectral_quadrature`: more probes make the error
            smaller, more steps bring the bounds together.

    Raises:
        ValueError: as `checked_reference`, `linearize` and `spectral_quadrature`; for a ρ that is
            not positive and finite.
    """
    noise_key, probe_key = jax.random.split(key)
    reference = checked_reference(layer, variables, images, ReferenceNoise(noise_key))
    maps = linearize(layer, variables, images)
    noise_std = noise_std_of(reference, maps.shape[0], ratio)
    seed = int(jax.random.randint(probe_key, (), 0, 2**31 - 1))
    quadrature = spectral_quadrature(
        maps, probes=probes, steps=min(steps, maps.shape[1]), seed=seed
    )
    found = information(quadrature, prior_std=PRIOR_STD, noise_std=noise_std)
    return LayerBits(*found, noise_std)


def noise_std_of(
    reference: Reference, outputs: int, ratio: float = 1.0
) -> Float[np.ndarray, " images"]:
    """σ = ρ m_r / √m: the noise of each entry that takes an embedding to that ρ on average.

    Args:
        reference: of the layer at the images.
        outputs: m, the number of entries of an embedding.
        ratio: ρ.
    """
    return ratio * np.asarray(reference.embedding_distance, float) / outputs**0.5


def information_of(
    spectrum: LayerSpectrum, noise_std: Float[np.ndarray, " images"], prior_std: float = PRIOR_STD
) -> Information:
    """Bits and effective dimension of a spectrum, exact where all of it is known.

    Args:
        spectrum: of a layer.
        noise_std: σ, `[B]`, as from `noise_std_of`.
        prior_std: s, of the pixels.

    Raises:
        ValueError: for a standard deviation that is not positive and finite.
    """
    if spectrum.values is not None:
        return information_of_values(spectrum.values, prior_std=prior_std, noise_std=noise_std)
    assert spectrum.quadrature is not None
    return information(spectrum.quadrature, prior_std=prior_std, noise_std=noise_std)
