"""Studies of many descents; each is saved when it is done, so that an interruption loses only one.

A study is a run folder that holds those of its descents, `descents/NETWORK_SEED/CONDITION`.
All of them have the same targets and starts. Of several processes (`devices.processes`) each makes
its share of every descent, and the first one writes.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from depthjax.claims.frozen import plan
from depthjax.devices import processes
from depthjax.errors import name_of_layer
from depthjax.folders.begin import RunFolder, begin
from depthjax.folders.run_writer import (
    RunWriter,
    check_pictures,
    check_targets,
    input_file,
    start_run,
)
from depthjax.inversion.autoencoding import autoencode
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import initial_images, invert
from depthjax.inversion.reference import Reference, ReferenceNoise, checked_reference
from depthjax.inversion.state import NON_FINITE
from depthjax.models.embeddings import embed
from depthjax.studies.networks import Networks
from depthjax.typing import LayerFn, Variables
from depthjax.weights import Weights

CONVERGING = "converging"
"""The condition of descents until convergence."""


@dataclass(frozen=True)
class Descents:
    """One network and weight seed under one condition, at all of its layers.

    Fields:
        study: the folder of the study.
        network: its label.
        seed: of the weights.
        condition: what the settings are called.
        config: the settings.
        layers: the embeddings by name, shallow to deep.
        variables: the weights.
        record: where they came from, as JSON takes it.
        rates: multiples of the rate in `config`. Of several each layer takes the one that ends at
            the least objective, see `best_rate`.
        frames: how many iterates are kept on the way.
        own_starts: a_0 where the settings have their own; None: those of the study.
    """

    study: Path
    network: str
    seed: int
    condition: str
    config: InversionConfig
    layers: Mapping[str, LayerFn] = dataclasses.field(repr=False)
    variables: Variables = dataclasses.field(repr=False)
    record: Mapping[str, Any] = dataclasses.field(repr=False)
    rates: Sequence[float] = (1.0,)
    frames: int = 0
    own_starts: Float[np.ndarray, "*leading h w c"] | None = dataclasses.field(
        default=None, repr=False
    )

    @property
    def folder(self) -> Path:
        """Where `depthjax.load_run` finds them."""
        label = self.network.replace("/", "_")
        return self.study / "descents" / f"{label}_{self.seed}" / self.condition

    @cached_property
    def writer(self) -> RunWriter:
        """Saves a layer, whole or not at all."""
        return RunWriter(RunFolder(self.folder))

    def done(self, layer: str) -> bool:
        """Whether a layer is there; all processes get the same answer."""
        return bool(processes.of_first(self.writer.done(layer)))

    def begin(
        self,
        definition: Mapping[str, Any],
        targets: Float[np.ndarray, "b h w c"],
        starts: Float[np.ndarray, "*leading h w c"],
    ) -> None:
        """Begins the folder, or goes on with the one of a study that was cut off.

        Args:
            definition: of the study, whose folder is begun already.
            targets, starts: a and a_0, unless it has its own.

        Raises:
            ValueError: if the folder is of another study.
        """
        starts = starts if self.own_starts is None else self.own_starts
        own = {
            **{name: value for name, value in definition.items() if name != "conditions"},
            "networks": {self.network: self.record},
            "seeds": [self.seed],
            "layers": list(self.layers),
            "inversion": dataclasses.asdict(self.config),
            "condition": self.condition,
            "rates": list(self.rates),
        }
        # Without a config.json it was cut off while it was begun.
        start_run(self.folder, own, targets, starts, resume=True, overwrite=True)

    def recover(
        self,
        layer: str,
        targets: Float[np.ndarray, "b h w c"],
        starts: Float[np.ndarray, "*leading h w c"],
        reference: Reference,
    ) -> None:
        """Inverts one layer, from its last checkpoint if there is one, and saves the result.

        Args:
            layer: its name.
            targets, starts: a and a_0, unless it has its own.
            reference: m_r and m_i' of the layer, from `check`.
        """
        starts = starts if self.own_starts is None else self.own_starts
        began = time.perf_counter()
        config = self.config
        if len(self.rates) > 1:
            config = best_rate(
                self.layers[layer], self.variables, targets, starts, config, self.rates
            )
        inversion = autoencode(
            jax.random.key(0),  # of the starts and the noise, which are given
            self.layers[layer],
            self.variables,
            targets,
            config,
            reference=reference,
            init=jnp.asarray(starts),
            frames=self.frames,
            checkpoints=self.writer.checkpoints(layer),
        )
        if processes.is_first():
            seconds = time.perf_counter() - began
            self.writer.save_layer(
                layer, inversion, seconds=seconds, learning_rate=config.learning_rate
            )


def descents_of(
    folder: Path,
    networks: Networks,
    seeds: Sequence[int],
    layers: Callable[[Weights], Mapping[str, LayerFn]],
    conditions: Mapping[str, InversionConfig],
    *,
    rates: Sequence[float] = (1.0,),
    frames: int = 0,
) -> list[Descents]:
    """The descents of every network and seed under every condition, in the order of the work.

    One trained network, which is the same for every seed, descends for the first alone.

    Args:
        folder: of the study.
        networks: with their weights.
        seeds: of the weights.
        layers: from weights to the layers by name, shallow to deep.
        conditions: settings by name.
        rates: multiples of the rate of all conditions but `CONVERGING`, of which each layer and
            network takes the best.
        frames: how many iterates of converging descents are kept, and of the others of the first
            seed.
    """
    return [
        Descents(
            folder,
            label,
            seed,
            condition,
            config,
            layers(of_seeds[index]),
            of_seeds[index].variables,
            of_seeds[index].record,
            rates=(1.0,) if condition == CONVERGING else tuple(rates),
            frames=frames if condition == CONVERGING or not index else 0,
        )
        for index, seed in enumerate(seeds)
        for condition, config in conditions.items()
        for label, of_seeds in networks.items()
        if index < len(of_seeds)
    ]


def at_rate(config: InversionConfig, multiple: float) -> InversionConfig:
    """The settings at a multiple of their rate, from the first step to the last."""
    return config.replace(
        learning_rate=multiple * config.learning_rate,
        final_learning_rate=multiple * config.final_learning_rate,
    )


TRIED = 2
"""How many images a rate is tried on, the first ones, all steps long."""


def best_rate(
    layer: LayerFn,
    variables: Variables,
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "*leading h w c"],
    config: InversionConfig,
    rates: Sequence[float],
) -> InversionConfig:
    """The settings with the rate whose descents end at the least objective.

    Each rate is tried on the first `TRIED` images. The objective is of the embeddings alone, so the
    choice knows nothing of how near an image is to its target. Objectives of several images are
    compared by their mean logarithm; a rate at which one of them is not finite is not taken.

    Args:
        layer, variables: as in `invert`.
        targets, starts: a and a_0; of several restarts the first is tried.
        config: with the rate whose multiples are tried.
        rates: the multiples.

    Raises:
        ValueError: if there is no rate at which all objectives are finite.
    """
    first = starts.reshape(-1, *targets.shape)[0]
    pixels, init = jnp.asarray(targets[:TRIED]), jnp.asarray(first[:TRIED])
    embedding = embed(layer, variables, pixels)
    ends: dict[InversionConfig, float] = {}
    for rate in rates:
        tried = at_rate(config, rate)
        found = invert(layer, variables, embedding, init, tried.replace(record_every=tried.steps))
        objective = found.trajectory.objective[-1]
        if NON_FINITE not in np.asarray(found.status) and np.isfinite(objective).all():
            ends[tried] = float(np.log(np.maximum(objective, np.finfo(np.float32).tiny)).mean())
    if not ends:
        raise ValueError(
            f"at none of the rates {', '.join(f'{rate:g}' for rate in rates)} times"
            f" {config.learning_rate:g} do descents from {name_of_layer(layer)} stay finite; add a"
            " smaller one"
        )
    return min(ends, key=lambda tried: ends[tried])


def starts_of(
    targets: Float[np.ndarray, "b h w c"], config: InversionConfig, seed: int
) -> Float[np.ndarray, "*leading h w c"]:
    """Where all descents of a study start: the same a_0, whatever the network and the layer.

    Args:
        targets: a.
        config: the kind of start, and how many.
        seed: of the starts.
    """
    others = jnp.asarray(targets)
    return np.asarray(initial_images(jax.random.key(seed), targets.shape, config, others=others))


References = dict[tuple[str, int, str], Reference]
"""m_r and m_i' of a network, a seed of its weights, and a layer."""


def check(
    descents: Sequence[Descents], targets: Float[np.ndarray, "b h w c"], reference_key: Array
) -> References:
    """Refuses a study that cannot be made, before anything of it is written.

    Returns:
        The reference distances of every layer, which its descents need, whatever their condition.

    Raises:
        ValueError: for images or weights that a layer cannot be inverted with.
    """
    noise, references = ReferenceNoise(reference_key), {}
    for of_network in descents:
        for name, layer in of_network.layers.items():
            place = (of_network.network, of_network.seed, name)
            if place not in references:
                references[place] = checked_reference(layer, of_network.variables, targets, noise)
    return references


def begin_study(
    descents: Sequence[Descents],
    definition: Mapping[str, Any],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "*leading h w c"],
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> RunFolder:
    """Begins the folders of a study and of all its descents, or goes on with them.

    Args:
        descents: of one study.
        definition: all that defines the study, with `images` (labels) among it.
        targets: a, `[B, H, W, C]`.
        starts: a_0, `[B, H, W, C]` or `[R, B, H, W, C]`.
        overwrite, resume: what to do with an older study (`depthjax.folders.begin`).

    Raises:
        ValueError: as `begin`, or if the pictures of a descent cannot be written.
    """
    layers = list(dict.fromkeys(name for one in descents for name in one.layers))
    study = descents[0].study
    with_restarts = starts if starts.ndim == 5 else starts[None]
    check_pictures(study, definition["images"], layers, with_restarts.shape)
    first = input_file(targets, with_restarts)
    folder = begin(
        *(study, definition),
        overwrite=overwrite,
        resume=resume,
        first=first,
        noted={"plan": plan()},
    )
    check_targets(folder, definition["images"], targets)
    for one in descents:
        one.begin(definition, targets, starts)
    return folder


def pending(descents: Sequence[Descents]) -> list[tuple[Descents, str]]:
    """The descents and layers that are not saved yet, layer by layer.

    All descents from one layer come together because they share a compiled program.
    """
    names = dict.fromkeys(name for of_network in descents for name in of_network.layers)
    return [
        (of_network, name)
        for name in names
        for of_network in descents
        if name in of_network.layers and not of_network.done(name)
    ]
