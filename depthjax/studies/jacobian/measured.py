"""What each layer loses exactly, and the singular values of its Jacobian.

The work is split by network, weight seed and layer. Each piece is saved when it is done, so that an
interrupted run loses only the one it was at.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from depthjax.analysis import accounting
from depthjax.analysis.ball_section import ball_section
from depthjax.analysis.bits import PRIOR_STD, information_of, noise_std_of
from depthjax.analysis.first_convolution import least_singular_value
from depthjax.analysis.singular_values import (
    LEVELS,
    LayerSpectrum,
    Probing,
    dense_spectrum,
    probed_spectrum,
    spectral_curve,
)
from depthjax.devices.memory import free_memory
from depthjax.folders.begin import RunFolder
from depthjax.inversion.reference import ReferenceNoise, checked_reference
from depthjax.jacobian import Information
from depthjax.models.layers import Layer
from depthjax.settings import check_settings, described, setting
from depthjax.studies.networks import Place
from depthjax.studies.rows import Row
from depthjax.typing import Variables

METHODS = ("auto", "dense", "products", "none")
"""Ways to compute a spectrum: "dense": all singular values. "products": the largest, and random
probes for the rest. "auto": dense if that fits. "none": no spectrum, only the accounting."""

DENSE_ELEMENTS = 5e7
"""The largest Jacobian that "auto" decomposes densely, in elements: 400 MB in float64."""


@described
@dataclass(frozen=True)
class SpectrumSettings:
    """How the singular values of a Jacobian are computed."""

    spectra: str = setting(
        "auto",
        "dense: all singular values; products: the largest, and probes for the rest; auto: what"
        " fits; none: accounting alone",
        among=METHODS,
    )
    values: int = setting(10, "how many of the largest singular values", least=1)
    products: int = setting(160, "pairs of J v and Jᵀ u for the largest singular values", least=8)
    probes: int = setting(8, "random vectors for the counts", least=2)
    steps: int = setting(24, "pairs of products for each random vector of the counts", least=2)
    moment_probes: int = setting(16, "random vectors for the ranks", least=2)
    prior_std: float = setting(
        PRIOR_STD, "standard deviation of the pixels that bits are counted for", above=0
    )
    probe_seed: int = setting(0, "seed of all random vectors and of the noisy copies")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def probing(self) -> Probing:
        """The part that `probed_spectrum` takes."""
        return Probing(self.values, self.products, self.probes, self.steps, self.moment_probes)


class Piece(NamedTuple):
    """The results for one network, weight seed and layer, in the form of JSON.

    Fields:
        rows: of the table, one for each image.
        curves: levels and counts of each image's `SpectralCurve`, as lists; empty where no
            spectrum is computed.
        sections: from `ball_section` at the first image, as lists; empty where not asked for.
    """

    rows: list[Row]
    curves: list[list[list[float]]]
    sections: list[list[list[list[float]]]]


@dataclass(frozen=True)
class Accounts:
    """What each operation of a network keeps and loses at each image; computed when first read.

    Fields:
        deepest: the last layer that is accounted for.
        variables: the weights.
        photographs: `[B, H, W, C]`, in [0, 1].
    """

    deepest: Layer
    variables: Variables = field(repr=False)
    photographs: Float[np.ndarray, "b h w c"] = field(repr=False)

    @cached_property
    def bounds(self) -> list[dict[str, accounting.RankBound]]:
        """For each image, by operation: an upper bound on the rank of the Jacobian up to it."""
        bounds_of_images = (
            accounting.local_rank_bounds(self.deepest, self.variables, image)
            for image in self.photographs
        )
        return [{bound.layer: bound for bound in bounds} for bounds in bounds_of_images]

    @cached_property
    def pooling(self) -> list[accounting.OperationLoss | None]:
        """For each image, the losses of the first max pooling; None if there is no pooling."""
        losses_of_images = (
            accounting.account(self.deepest, self.variables, image) for image in self.photographs
        )
        return [
            next((loss for loss in losses if loss.kind == "max pool"), None)
            for losses in losses_of_images
        ]


def accounts_of(
    places: Sequence[Place], photographs: Float[np.ndarray, "b h w c"]
) -> dict[tuple[str, int], Accounts]:
    """The accounts of each network and weight seed, up to its last layer; computed on demand."""
    return {
        (place.network, place.seed): Accounts(place.layer, place.variables, photographs)
        for place in places  # shallow to deep: the last layer of each network and seed stays
    }


def piece_at(
    folder: RunFolder,
    place: Place,
    image_names: Sequence[str],
    accounts: Accounts,
    settings: SpectrumSettings,
    *,
    ball: bool = False,
) -> Piece:
    """The results for one layer of one network: read from its file, or computed and saved there.

    Args:
        folder: of the run.
        place: the layer.
        image_names: labels of the images of `accounts`.
        accounts: of the network and weight seed of the place.
        settings: of the spectra.
        ball: whether to compute a `ball_section` at the first image, too.
    """

    def compute() -> dict[str, Any]:
        return _computed(place, image_names, accounts, settings, ball)._asdict()

    name = f"{place.network}_{place.seed}_{place.name}"
    return Piece(**folder.piece(name, compute))


def _computed(
    place: Place,
    image_names: Sequence[str],
    accounts: Accounts,
    settings: SpectrumSettings,
    ball: bool,
) -> Piece:
    piece = Piece([], [], [])

    _, height, width, _ = accounts.photographs.shape

    @cache  # a convolution is the same at each image
    def least(upper: float) -> float | None:
        return least_singular_value(place.layer, place.variables, (height, width), upper)

    everything = zip(
        image_names, accounts.photographs, accounts.bounds, accounts.pooling, strict=True
    )
    for name, image, bounds, pool in everything:
        began = time.perf_counter()
        bound = bounds[place.layer.node]
        row = place.columns | {"image": name, "inputs": bound.inputs, "outputs": bound.outputs}
        row |= {"rank_bound": bound.rank, "cut": " ".join(bound.cut)}
        row |= {
            "active_before_pooling": pool.active_inputs if pool else None,
            "winners": pool.read if pool else None,
        }
        method = chosen_method(settings.spectra, bound)
        row["method"] = method
        if method != "none":
            spectrum = _spectrum(method, place, image[None], settings)
            row |= spectrum_columns(spectrum, settings.values)
            if method == "products":
                row["least_of_all"] = least(float(spectrum.least[0]))
            row |= bits_columns(*_information(spectrum, place, image[None], settings))
            piece.curves.append(spectral_curve(spectrum).lists())
            if ball and not piece.sections:
                circle = ball_section(
                    place.layer, place.variables, image[None], seed=settings.probe_seed
                )
                piece.sections.append([points.tolist() for points in circle])
        row["seconds"] = round(time.perf_counter() - began, 3)
        piece.rows.append(row)
    return piece


def chosen_method(asked: str, bound: accounting.RankBound) -> str:
    """How a spectrum is computed: "dense", "products" or "none".

    Args:
        asked: one of `METHODS`. "auto" is dense for a Jacobian of at most `DENSE_ELEMENTS`
            elements if four copies of it in float64 fit into the free memory.
        bound: of the layer; it holds the number of inputs and outputs.
    """
    if asked != "auto":
        return asked
    elements = bound.inputs * bound.outputs
    free = free_memory()
    fits = free is None or 4 * 8 * elements < free
    return "dense" if elements <= DENSE_ELEMENTS and fits else "products"


def _spectrum(
    method: str, place: Place, image: Float[np.ndarray, "1 h w c"], settings: SpectrumSettings
) -> LayerSpectrum:
    if method == "dense":
        return dense_spectrum(place.layer, place.variables, image)
    key = jax.random.key(settings.probe_seed)
    return probed_spectrum(key, place.layer, place.variables, image, settings.probing)


def spectrum_columns(spectrum: LayerSpectrum, values: int) -> Row:
    """The columns of a table that describe the spectrum of the first image of a batch.

    Args:
        spectrum: of a layer.
        values: how many of the largest singular values are listed.

    Returns:
        Numbers by column; None for those that are unknown or infinite.
    """
    columns: Row = {"sigma_1": float(spectrum.largest[0])}
    for name in ("stable_rank", "participation_ratio"):
        value, error = getattr(spectrum, name)
        columns |= {name: float(value[0]), f"{name}_error": float(error[0])}
    for power, low, high in zip(
        range(1, len(LEVELS) + 1), spectrum.counts.low[0], spectrum.counts.high[0], strict=True
    ):
        columns |= {f"above_1e-{power}_low": float(low), f"above_1e-{power}_high": float(high)}
    least = spectrum.values[0, -1] if spectrum.values is not None else float("nan")
    high = float(spectrum.condition_high[0])
    return columns | {
        "least_nonzero": float(spectrum.least[0]),
        "least_of_all": float(least) if np.isfinite(least) else None,
        "condition_low": float(spectrum.condition_low[0]),
        "condition_high": high if np.isfinite(high) else None,
        "top": " ".join(f"{value:.8g}" for value in _largest(spectrum, values)),
        "residual": float(spectrum.top.residual.max()) if spectrum.top else 0.0,
        "converged": bool(spectrum.top.converged.all()) if spectrum.top else True,
    }


def _information(
    spectrum: LayerSpectrum,
    place: Place,
    image: Float[np.ndarray, "1 h w c"],
    settings: SpectrumSettings,
) -> tuple[Information, Float[np.ndarray, " 1"]]:
    """What the layer tells about the image with the noise of ρ = 1, and that noise."""
    noise = ReferenceNoise(jax.random.key(settings.probe_seed))
    reference = checked_reference(place.layer, place.variables, image, noise)
    noise_std = noise_std_of(reference, spectrum.outputs)
    return information_of(spectrum, noise_std, settings.prior_std), noise_std


def bits_columns(found: Information, noise_std: Float[np.ndarray, " images"]) -> Row:
    """The columns of a table that say what a layer holds about the first image of a batch."""
    columns: Row = {"noise_std": float(noise_std[0])}
    for name, bracket in found._asdict().items():
        columns |= {f"{name}_{part}": float(value[0]) for part, value in bracket._asdict().items()}
    return columns


def _largest(spectrum: LayerSpectrum, count: int) -> Float[np.ndarray, " count"]:
    if spectrum.values is not None:
        return spectrum.values[0, :count]
    assert spectrum.top is not None
    return spectrum.top.values[0]
