"""Images recovered from the same layers of all networks, with the same targets and starts."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.analysis.power_spectrum import spectral_distance
from depthjax.folders.inversions import Run, load_run
from depthjax.folders.restarts import best_restart
from depthjax.inversion.metrics import MATCHED_RATIOS, elasticity
from depthjax.inversion.similarity import (
    gradient_energy_ratio,
    similarity,
)
from depthjax.models import Network, layer_names
from depthjax.models.embeddings import embedding_shape
from depthjax.models.layers import Layer
from depthjax.studies.comparison.judges import Judges
from depthjax.studies.comparison.matched import at_level
from depthjax.studies.comparison.natural import Matching
from depthjax.studies.comparison.numbers import RESOLUTION, Comparison
from depthjax.studies.comparison.setting import BLURRED, PLAIN
from depthjax.studies.descents import CONVERGING, Descents
from depthjax.typing import LayerFn


def quantities(
    arrays: Mapping[str, np.ndarray],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "r b h w c"],
    noise: Float[np.ndarray, "k h w c"],
    condition: str,
    matching: Matching,
) -> dict[str, Float[np.ndarray, " b"]]:
    """The quantities of one network's images recovered from one layer, `[B]` each.

    Args:
        arrays: of the layer, from `chosen`.
        targets, starts: a and a_0, the latter of all restarts.
        noise: examples of the training set of `noise`.
        condition: one of `CONDITIONS`. For the paper's recipe the last iterate is measured, for the
            others the best one.
        matching: at which distances of the embedding images are compared.

    Returns:
        Of the image: ρ, D, m_g over the distance of natural pairs, `likeness`, and the distance of
        the spectrum of a_g − a_0 from that of the training noise. Of converging descents
        `likeness` at the matched distances. Of the trajectory: D at matched ρ, the elasticity, the
        number of steps, the least ρ, the rate, and whether the descent diverged (1), that is,
        ended no nearer than it had begun.
    """
    last = _counts_last(condition)
    back = recovered_images(arrays, condition)
    prefix = "final_" if last else ""

    def of_image(name: str) -> Float[np.ndarray, " b"]:
        return arrays[prefix + name][0].astype(np.float64)

    image = {name: of_image(name) for name in ("embedding_ratio", "input_ratio")}
    image["natural_ratio"] = of_image("embedding_distance") / matching.natural
    image |= likeness(targets, back)
    start = starts[arrays["restart"], np.arange(len(targets))]
    image["spectral_distance"] = _spectral_distance(back - start, noise)
    if condition == CONVERGING:
        for name, level in matching.levels(of_image("reference_embedding_distance")).items():
            there = at_level(arrays, targets, level, likeness)
            image |= {f"{measure}_at_{name}": value for measure, value in there.items()}
    rho, d = arrays["trajectory_embedding_ratio"][:, 0], arrays["trajectory_input_ratio"][:, 0]
    levels = zip(MATCHED_RATIOS, arrays["matched_input_ratio"][:, 0], strict=True)
    rate = float(arrays.get("learning_rate", np.nan))
    return {
        **image,
        **{f"input_ratio_at_{level:g}": value.astype(np.float64) for level, value in levels},
        "elasticity": elasticity(rho, d),
        "steps": arrays["stopped_step"][0].astype(np.float64),
        "best_embedding_ratio": arrays["embedding_ratio"][0].astype(np.float64),
        "learning_rate": np.full(len(targets), rate),
        "diverged": 1.0 - (rho[-1] < rho[0]),
    }


def likeness(
    targets: Float[np.ndarray, "b h w c"], images: Float[np.ndarray, "b h w c"]
) -> dict[str, Float[np.ndarray, " b"]]:
    """What images show of their targets: `Similarity`, and gradient energy.

    Args:
        targets: a.
        images: a_g, of any range.
    """
    return {
        **vars(similarity(targets, images)),
        "gradient_energy_ratio": gradient_energy_ratio(targets, images),
    }


def _spectral_distance(changes: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The spectral distance of each change; NaN for one that is not finite."""
    finite = np.isfinite(changes).all((1, 2, 3))
    distance = np.full(len(changes), np.nan)
    if finite.any():
        distance[finite] = spectral_distance(changes[finite], noise)
    return distance


def recovered_images(
    arrays: Mapping[str, np.ndarray], condition: str
) -> Float[np.ndarray, "b h w c"]:
    """The recovered images: the last iterates for the paper's recipe, otherwise the best ones."""
    return arrays["final_images" if _counts_last(condition) else "images"][0]


def chosen(run: Run, condition: str) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of each layer with one restart: that of the least objective where it counts."""
    last = _counts_last(condition)
    return {name: best_restart(arrays, last=last) for name, arrays in run.layers.items()}


def _counts_last(condition: str) -> bool:
    """Whether the last iterate is the result, as in the paper's recipe, and not the best one."""
    return condition in (BLURRED, PLAIN)


def gather(
    descents: Sequence[Descents],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "*leading h w c"],
    noise: Float[np.ndarray, "k h w c"],
    judges: Judges,
    matching: Mapping[tuple[str, int, str], Matching],
    resolutions: Mapping[str, float],
) -> Comparison:
    """The measurements of all recovered images, from the run folders.

    Args:
        descents: the finished descents of every network, seed and condition.
        targets, starts: a and a_0, the latter `[B, …]` or `[R, B, …]`.
        noise: examples of the training set of `noise`.
        judges: networks that classify the recovered images.
        matching: of every network, seed and layer.
        resolutions: of each layer, over that of the network's first layer.
    """
    networks = list(dict.fromkeys(descent.network for descent in descents))
    seeds = list(dict.fromkeys(descent.seed for descent in descents))
    values: dict[tuple[str, str], np.ndarray] = {}
    every_start = starts.reshape(-1, *targets.shape)
    of_targets = judges.of_targets(targets, every_start[0])
    for descent in descents:
        run, condition = load_run(descent.folder), descent.condition
        layers = chosen(run, condition)
        numbers = [
            quantities(
                *(arrays, targets, every_start, noise, condition),
                matching[descent.network, descent.seed, name],
            )
            | {RESOLUTION: np.full(len(targets), resolutions[name])}
            for name, arrays in layers.items()
        ]
        tables = {name: np.stack([of_layer[name] for of_layer in numbers]) for name in numbers[0]}
        shape = (len(networks), len(seeds), *tables["steps"].shape)
        back = [recovered_images(arrays, condition) for arrays in layers.values()]
        seed = seeds.index(descent.seed)
        tables |= judges.read(seed, run.image_names, of_targets, np.stack(back))
        for name, value in tables.items():
            table = values.setdefault((condition, name), np.full(shape, np.nan))
            table[networks.index(descent.network), seed] = value
    return Comparison(networks, seeds, list(run.layers), run.image_names, values)


def relative_resolutions(model: Network, descents: Descents, images: ArrayLike) -> dict[str, float]:
    """How fine the places of each layer are, over those of the network's first layer.

    The square root of the number of places, so 1/2 behind a stride of 2; 1 of layers without
    places where the first has none either.

    Args:
        model: the architecture.
        descents: of any network of it.
        images: `[B, H, W, C]`; only their shape matters.
    """
    shaped = jax.ShapeDtypeStruct(np.shape(images), "float32")

    def places(layer: LayerFn) -> int:
        return int(np.prod(embedding_shape(layer, descents.variables, shaped).shape[1:-1]))

    first = places(Layer(model, layer_names(model)[0]))
    return {name: float(np.sqrt(places(one) / first)) for name, one in descents.layers.items()}
