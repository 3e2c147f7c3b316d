"""What a layer loses exactly, and the singular values of the rest: one piece of work for a layer.

A piece is kept in a file of its own as soon as it is done, so that a cut-off loses no other.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from depthjax.analysis import accounting
from depthjax.analysis.singular_values import (
    LEVELS,
    LayerSpectrum,
    ball_section,
    dense_spectrum,
    probed_spectrum,
    spectral_curve,
)
from depthjax.devices.memory import free_memory
from depthjax.folders.begin import kept
from depthjax.models.layers import Layer
from depthjax.settings import check_settings, described, setting
from depthjax.studies.networks import Place
from depthjax.studies.rows import Row
from depthjax.typing import Variables

METHODS = ("auto", "dense", "products", "none")
"""Ways to a spectrum: what fits; all of it; the largest values and probes; accounting alone."""

DENSE_ELEMENTS = 5e7
"""Of a Jacobian that auto still decomposes whole: 400 MB in float64."""


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
    products: int = setting(160, "pairs of J v and Jᵀ u for these", least=8)
    probes: int = setting(8, "random vectors for the counts", least=2)
    steps: int = setting(24, "pairs of products for each of them", least=2)
    moment_probes: int = setting(16, "random vectors for the ranks", least=2)
    probe_seed: int = setting(0, "seed of all random vectors")

    def __post_init__(self) -> None:
        check_settings(self)


class Piece(NamedTuple):
    """What is kept of one network, seed and layer, as JSON takes it.

    Fields:
        rows: one for each image.
        curves: the `SpectralCurve` of each image, as lists; empty where no spectrum is computed.
        sections: what `ball_section` found at the first image, where that is asked for.
    """

    rows: list[Row]
    curves: list[list[list[float]]]
    sections: list[list[list[list[float]]]]


@dataclass(frozen=True)
class Accounts:
    """What every operation of a network lets through and loses at each image; computed once asked.

    Fields:
        deepest: the layer up to which there are accounts.
        variables: the weights.
        photographs: `[B, H, W, C]`.
    """

    deepest: Layer
    variables: Variables = field(repr=False)
    photographs: Float[np.ndarray, "b h w c"] = field(repr=False)

    @cached_property
    def bounds(self) -> list[dict[str, accounting.RankBound]]:
        """For each image and operation, how many directions reach it at most."""
        every = (
            accounting.local_rank_bounds(self.deepest, self.variables, image)
            for image in self.photographs
        )
        return [{bound.layer: bound for bound in bounds} for bounds in every]

    @cached_property
    def pooling(self) -> list[accounting.OperationLoss | None]:
        """For each image, the losses of the first max pooling, if there is one."""
        every = (
            accounting.account(self.deepest, self.variables, image) for image in self.photographs
        )
        return [next((loss for loss in each if loss.kind == "max pool"), None) for each in every]


def accounts_of(
    places: Sequence[Place], photographs: Float[np.ndarray, "b h w c"]
) -> dict[tuple[str, int], Accounts]:
    """Accounts of each network and seed, up to the deepest of its layers; none is computed yet."""
    return {
        (place.network, place.seed): Accounts(place.layer, place.variables, photographs)
        for place in places  # the last one of each counts
    }


def piece_at(
    folder: Path,
    place: Place,
    image_names: Sequence[str],
    accounts: Accounts,
    settings: SpectrumSettings,
    *,
    ball: bool = False,
) -> Piece:
    """All about one layer of one network: from its file, or computed and kept there.

    Args:
        folder: of the pieces of a run.
        place: the layer.
        image_names: labels of the images of `accounts`.
        accounts: of the place's network and seed.
        settings: of the spectra.
        ball: whether `ball_section` is asked, too.
    """
    stem = f"{place.network}_{place.seed}_{place.name}".replace("/", "_")

    def compute() -> dict[str, Any]:
        return _computed(place, image_names, accounts, settings, ball)._asdict()

    return Piece(**kept(folder / f"{stem}.json", compute))


def _computed(
    place: Place,
    image_names: Sequence[str],
    accounts: Accounts,
    settings: SpectrumSettings,
    ball: bool,
) -> Piece:
    piece = Piece([], [], [])
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
            piece.curves.append([list(map(float, part)) for part in spectral_curve(spectrum)])
            if ball and not piece.sections:
                circle = ball_section(
                    place.layer, place.variables, image[None], seed=settings.probe_seed
                )
                piece.sections.append([points.tolist() for points in circle])
        row["seconds"] = round(time.perf_counter() - began, 3)
        piece.rows.append(row)
    return piece


def chosen_method(asked: str, bound: accounting.RankBound) -> str:
    """How a spectrum is found; by auto dense if that is small and memory is free for it.

    Args:
        asked: one of `METHODS`.
        bound: of the layer, for its inputs and outputs.
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
    return probed_spectrum(
        jax.random.key(settings.probe_seed),
        place.layer,
        place.variables,
        image,
        k=settings.values,
        most=settings.products,
        probes=settings.probes,
        steps=settings.steps,
        moment_probes=settings.moment_probes,
    )


def spectrum_columns(spectrum: LayerSpectrum, values: int) -> Row:
    """A row's share of the spectrum of its first image; None for what is not known or not finite.

    Args:
        spectrum: of a layer.
        values: how many of the largest singular values are noted.
    """
    found: Row = {"sigma_1": float(spectrum.largest[0])}
    for name in ("stable_rank", "participation_ratio"):
        value, error = getattr(spectrum, name)
        found |= {name: float(value[0]), f"{name}_error": float(error[0])}
    for power, low, high in zip(
        range(1, len(LEVELS) + 1), spectrum.counts.low[0], spectrum.counts.high[0], strict=True
    ):
        found |= {f"above_1e-{power}_low": float(low), f"above_1e-{power}_high": float(high)}
    least = spectrum.values[0, -1] if spectrum.values is not None else float("nan")
    high = float(spectrum.condition_high[0])
    return found | {
        "least_nonzero": float(spectrum.least[0]),
        "least_of_all": float(least) if np.isfinite(least) else None,
        "condition_low": float(spectrum.condition_low[0]),
        "condition_high": high if np.isfinite(high) else None,
        "top": " ".join(f"{value:.8g}" for value in _largest(spectrum, values)),
        "residual": float(spectrum.top.residual.max()) if spectrum.top else 0.0,
        "converged": bool(spectrum.top.converged.all()) if spectrum.top else True,
    }


def _largest(spectrum: LayerSpectrum, count: int) -> Float[np.ndarray, " count"]:
    if spectrum.values is not None:
        return spectrum.values[0, :count]
    assert spectrum.top is not None
    return spectrum.top.values[0]
