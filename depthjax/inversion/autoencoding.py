"""The paper's measurement in one call: embed, start, invert, and every distance."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.devices.precision import widened
from depthjax.devices.sharding import local_mesh
from depthjax.inversion.bar import DescentBar
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.inversion.config import InversionConfig, as_config
from depthjax.inversion.invert import initial_images, invert
from depthjax.inversion.metrics import (
    MATCHED_RATIOS,
    Measurement,
    baselines,
    input_ratio_at,
    measure_against,
)
from depthjax.inversion.parametrisations import where_descents_begin
from depthjax.inversion.preparing import must_spread, prepare_for_measuring
from depthjax.inversion.reference import (
    REFERENCE_STD,
    Reference,
    ReferenceNoise,
    checked_images,
    checked_reference,
)
from depthjax.inversion.results import Inversion, Progress
from depthjax.inversion.similarity import Similarity, similarity
from depthjax.models.embeddings import embed, embedding_shape
from depthjax.models.initialization import checked_key
from depthjax.typing import LayerFn, Scalar, Variables


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Autoencoding:
    """What a layer still knows of its input; arrays begin `[batch]` or `[restarts, batch]`.

    Fields:
        start: a_0, where the descents began.
        inversion: the descents (`images`, `final_images`, `trajectory`, …).
        measurement: distances and ratios of the best images (best by the objective).
        similarity: how like the targets the best images look.
        final_measurement, final_similarity: the same of the last iterates.
        baselines: D of the start, of the flat mean colour and of a blurred copy.
        matched_input_ratio: D at ρ = `MATCHED_RATIOS`, `[4, …]`; NaN where not reached.
    """

    start: Array
    inversion: Inversion
    measurement: Measurement
    similarity: Similarity
    final_measurement: Measurement
    final_similarity: Similarity
    baselines: dict[str, np.ndarray]
    matched_input_ratio: Float[np.ndarray, "levels *batch"]

    @property
    def images(self) -> Array:
        """The recovered images a_g, best by the objective."""
        return self.inversion.images

    @property
    def embedding_distance(self) -> Array:
        """m_g."""
        return self.measurement.embedding_distance

    @property
    def reference_embedding_distance(self) -> Array:
        """m_r."""
        return self.measurement.reference_embedding_distance

    @property
    def embedding_ratio(self) -> Array:
        """ρ = m_g / m_r."""
        return self.measurement.embedding_ratio

    @property
    def input_distance(self) -> Array:
        """m_i."""
        return self.measurement.input_distance

    @property
    def reference_input_distance(self) -> Array:
        """m_i'."""
        return self.measurement.reference_input_distance

    @property
    def input_ratio(self) -> Array:
        """D = m_i / m_i'."""
        return self.measurement.input_ratio

    @property
    def luminance_r2(self) -> Float[np.ndarray, "*batch"]:
        """The share r² of the target's luminance that a_g shows, see `Similarity`."""
        return self.similarity.luminance_r2


def autoencode(
    key: Array,
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    config: InversionConfig | None = None,
    *,
    reference_key: Array | None = None,
    reference_std: Scalar = REFERENCE_STD,
    draws: int = 8,
    reference: Reference | None = None,
    init: Array | None = None,
    stop_ratio: float | None = None,
    max_batch: int | None = None,
    mesh: Mesh | None = None,
    spread_weights: bool | None = None,
    checkpoints: DescentCheckpoints | None = None,
    frames: int = 0,
    on_progress: Callable[[Progress, np.ndarray], None] | None = None,
    progress: bool = False,
) -> Autoencoding:
    """Embed images, recover them from the embedding alone, and measure how well it went.

    Args:
        key: seeds the start (and the reference, unless `reference_key` is given). The same key
            gives every layer and network the same start and the same reference noise.
        layer, variables: see `depthjax.typing.LayerFn`.
        images: targets `[B, H, W, C]`, float, in [0, 1].
        config: see `InversionConfig`; by default the converging one.
        reference_key: seeds the reference noise by itself.
        reference_std, draws: standard deviation and number of noisy copies (m_r, m_i').
        reference: m_r and m_i', where they have been measured before
            (`inversion.reference.checked_reference`); the three arguments above then do nothing.
        init: starts of your own, `[B, H, W, C]` or `[restarts, B, H, W, C]`.
        stop_ratio: ρ at which an image stops, for the images themselves at a matched ρ; it is
            looked at whenever distances are recorded.
        max_batch, mesh, spread_weights: images × restarts that run at once, on which devices, and
            whether each of these holds a part of the weights; see `invert`. With weights in parts
            the distances are measured by the layer's fast form, on all devices.
        checkpoints: where the states of the descents are kept, see `invert`.
        frames: how many iterates to keep on the way, see `invert`.
        on_progress: called about twice a second with the progress and ρ of each image × restart.
        progress: whether a bar with the median ρ is shown, in a terminal or a notebook.

    Returns:
        An `Autoencoding`.

    Raises:
        ValueError: for images that are not finite, for shapes that do not fit, for a `stop_ratio`
            that is not positive, for a layer that gives something else than one array of floats
            with a row for each image, and for one whose embedding does not depend on its input
            (there is nothing to recover).
    """
    config = as_config(config)
    if stop_ratio is not None and not stop_ratio > 0:
        raise ValueError(f"stop_ratio must be positive, got {stop_ratio}; None never stops")
    images = checked_images(images)
    embedding_shape(layer, variables, images)  # what is no layer is refused in words of ours
    start_key, default_reference_key = jax.random.split(checked_key(key))
    mesh = mesh or local_mesh()
    if spread_weights is None:
        spread_weights = must_spread(layer, variables, config, mesh)
    prepare = partial(
        prepare_for_measuring, layer, variables, mesh=mesh, spread_weights=spread_weights
    )
    measured = prepare()
    if reference is None:
        noise_key = default_reference_key if reference_key is None else reference_key
        noise = ReferenceNoise(noise_key, reference_std, draws)
        reference = checked_reference(
            *measured, images, noise, mesh=mesh, spread_weights=spread_weights
        )
    scale = np.asarray(reference.embedding_distance)
    if init is None:
        init = initial_images(start_key, images.shape, config, others=images, dtype=images.dtype)
    init = widened(jnp.asarray(init))
    start = where_descents_begin(config.structure.moved, init)
    target_embedding = embed(measured.layer, measured.weights, images)
    del measured  # weights in parts make room for those of the descents

    shown = DescentBar("descent", config.steps) if progress else nullcontext()
    with shown as bar:

        def tell_ratio(told: Progress) -> None:
            ratio = (told.embedding_distance.reshape(-1, len(scale)) / scale).ravel()
            for listener in (on_progress, bar):
                if listener is not None:
                    listener(told, ratio)

        inversion = invert(
            layer,
            variables,
            target_embedding,
            init,
            config,
            compare_to=images,
            stop_distance=None if stop_ratio is None else stop_ratio * scale,
            max_batch=max_batch,
            mesh=mesh,
            spread_weights=spread_weights,
            checkpoints=checkpoints,
            frames=frames,
            on_progress=tell_ratio if progress or on_progress is not None else None,
        )
    trajectory = inversion.trajectory
    measure_images = partial(
        measure_against, reference, *prepare(), images, target=target_embedding
    )
    return Autoencoding(
        start=start,
        inversion=inversion,
        measurement=measure_images(inversion.images),
        similarity=similarity(images, inversion.images),
        final_measurement=measure_images(inversion.final_images),
        final_similarity=similarity(images, inversion.final_images),
        baselines=baselines(images, start, reference.input_distance),
        matched_input_ratio=input_ratio_at(
            trajectory.embedding_distance / scale,
            trajectory.input_distance / np.asarray(reference.input_distance),
            MATCHED_RATIOS,
        ),
    )
