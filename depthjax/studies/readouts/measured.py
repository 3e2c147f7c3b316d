"""Images by each way to read a layer: descent, ridge regression, the Jacobian's MMSE, decoder."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.bits import noise_std_of
from depthjax.analysis.readouts import (
    decoder_estimate,
    fit_decoder,
    fit_ridge,
    mmse_estimate,
    power_law_root,
    ridge_estimate,
)
from depthjax.devices.precision import matmul_precision
from depthjax.folders.inversions import load_run
from depthjax.inversion.metrics import input_distances
from depthjax.inversion.preparing import prepare_for_measuring
from depthjax.inversion.reference import Reference
from depthjax.inversion.similarity import similarity
from depthjax.studies.descents import CONVERGING, Descents
from depthjax.studies.rows import Row
from depthjax.typing import LayerFn, Variables

DESCENT, RIDGE, MMSE, DECODER, MEAN = "descent", "ridge", "mmse", "decoder", "mean"
"""Ways to read an image from an embedding; the last one does not look at it."""
_BATCH = 16


class Examples(NamedTuple):
    """Images that read-outs learn from, none of which is a target.

    Fields:
        images: `[N, H, W, C]` in [0, 1].
        name: what they are.
        steps: of the decoder's training.
        photographs: which one each is a crop of; None if each is one by itself.
    """

    images: Float[np.ndarray, "n h w c"]
    name: str
    steps: int = 1000
    photographs: tuple[str, ...] | None = None

    @property
    def record(self) -> dict[str, Any]:
        """What they are, and a hash of their pixels, as JSON takes it."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()
        return {"name": self.name, "sha256": digest}


def read_layer(
    layer: LayerFn,
    variables: Variables,
    targets: Float[np.ndarray, "b h w c"],
    reference: Reference,
    examples: Examples,
) -> dict[str, Float[np.ndarray, "b h w c"]]:
    """The images that read-outs take the targets' embeddings for, by way.

    Args:
        layer, variables: of the network.
        targets: a.
        reference: m_r of the layer, which says how noisy the MMSE takes the embedding to be: ρ = 1.
        examples: of the ridge regression and the decoder; the MMSE knows their mean and the
            variance about it.
    """
    seen, known = (_embeddings(layer, variables, images) for images in (targets, examples.images))
    mean = np.asarray(np.mean(examples.images, 0, dtype=np.float64))
    std = float(np.sqrt(np.square(examples.images - mean).mean()))
    noise = float(noise_std_of(reference, seen[0].size).mean())
    gaussian = mmse_estimate(
        *(layer, variables, seen),
        mean=np.asarray(mean, np.float32),
        noise_std=noise,
        root=power_law_root(mean.shape, std=std),
    )
    ridge = fit_ridge(known, examples.images.astype(np.float64), groups=examples.photographs)
    decoder = fit_decoder(jax.random.key(0), known, examples.images, steps=examples.steps)
    return {
        RIDGE: ridge_estimate(ridge, seen),
        MMSE: gaussian.images,
        DECODER: decoder_estimate(decoder, seen),
        MEAN: np.broadcast_to(mean, targets.shape),
    }


def _embeddings(
    layer: LayerFn, variables: Variables, images: Float[np.ndarray, "n h w c"]
) -> Float[np.ndarray, "n *features"]:
    embed, weights = prepare_for_measuring(layer, variables)
    with matmul_precision():
        parts = [
            np.asarray(embed(weights, jnp.asarray(images[at : at + _BATCH])))
            for at in range(0, len(images), _BATCH)
        ]
    return np.concatenate(parts)


def rows_of_descents(
    descents: Descents, references: Sequence[Reference], examples: Examples
) -> tuple[list[Row], dict[str, dict[str, Float[np.ndarray, "b h w c"]]]]:
    """A row for each layer, image and way; and the images by layer and way.

    Args:
        descents: finished, of one network and seed.
        references: of its layers, in their order.
        examples: of the read-outs.
    """
    run = load_run(descents.folder)
    rows, shown = [], {}
    for depth, (name, layer) in enumerate(descents.layers.items()):
        ways = {DESCENT: run.layers[name]["images"][0]}
        ways |= read_layer(layer, descents.variables, run.targets, references[depth], examples)
        shown[name] = ways
        for way, images in ways.items():
            rows += [
                {
                    "network": descents.network,
                    "seed": descents.seed,
                    "condition": CONVERGING,
                    "layer": name,
                    "depth": depth,
                    "way": way,
                    "image": image,
                    **{column: float(values[index]) for column, values in measured.items()},
                }
                for measured in [_measured(run.targets, images, references[depth])]
                for index, image in enumerate(run.image_names)
            ]
    return rows, shown


def _measured(
    targets: Float[np.ndarray, "b h w c"],
    images: Float[np.ndarray, "b h w c"],
    reference: Reference,
) -> dict[str, np.ndarray]:
    pixels = jnp.asarray(images, jnp.float32)
    distance = np.asarray(input_distances(jnp.asarray(targets), pixels))
    found = similarity(targets, np.asarray(images, np.float32))
    return {
        "input_ratio": distance / np.asarray(reference.input_distance),
        "luminance_r2": found.luminance_r2,
        "contrast_r2": found.contrast_r2,
        "psnr": found.psnr,
    }
