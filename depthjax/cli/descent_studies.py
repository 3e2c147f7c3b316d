"""What scripts do alike that invert the same photographs from the same layers of several networks.

asked = cli.asked_from_flags()
every = cli.descents_from_flags("uniqueness", asked, {CONVERGING: cli.config_from_flags()})
with cli.recovered(every, asked, "matched_ratio") as study:
    if study is None:  # another process writes
        return
    ...
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from jaxtyping import Float

from depthjax.cli.architecture_flags import define_layers_flag, model_from_flags
from depthjax.cli.bars import say_begun
from depthjax.cli.image_flags import define_image_flags, images_from_flags
from depthjax.cli.inversion_flags import define_inversion_flags
from depthjax.cli.network_flags import define_network_flags, networks_from_flags
from depthjax.cli.output_flags import define_output_flags, output_from_flags
from depthjax.cli.seed_flags import (
    define_reference_seed_flag,
    define_start_seed_flag,
    seeds_from_flags,
)
from depthjax.cli.start import define_script_flags
from depthjax.cli.studies import recover_all
from depthjax.cli.values import flag_values
from depthjax.devices import processes
from depthjax.folders.begin import RunFolder
from depthjax.inversion.config import InversionConfig
from depthjax.models.embeddings import embedding_shape
from depthjax.models.layers import select_layers
from depthjax.models.network import Network
from depthjax.studies.descents import (
    Descents,
    References,
    begin_study,
    check,
    descents_of,
    starts_of,
)
from depthjax.studies.networks import Networks, Place, layers_of, places, weight_records

FLAGS = flags.FLAGS
flags.disclaim_key_flags()


KEY = (
    "D: distance to the target over that of a noisy copy; 0 is the image itself.\n"
    "r²: share of the target's luminance that the picture shows, whatever its brightness and"
    " contrast."
)
"""What the measures of recovered images mean, below a table of them."""

_DEFINING = (
    *("model", "model_field", "seeds", "size", "fit", "preset", "start_seed", "reference_seed"),
)


class Asked(NamedTuple):
    """What is inverted.

    Fields:
        model: the architecture of all networks.
        layers: names, shallow to deep.
        networks: with their weights, by label.
        seeds: of the weights.
        images: labels.
        targets: a, `[B, H, W, C]`.
    """

    model: Network
    layers: tuple[str, ...]
    networks: Networks
    seeds: Sequence[int]
    images: Sequence[str]
    targets: Float[np.ndarray, "batch height width channels"]

    @property
    def definition(self) -> dict[str, Any]:
        """What of it defines results, as JSON takes it."""
        return {
            "networks": weight_records(self.networks),
            "layers": list(self.layers),
            "images": list(self.images),
        }

    @property
    def places(self) -> list[Place]:
        """Every layer of every network and seed; a layer that the images do not fit ends here."""
        every = places(self.model, self.layers, self.networks, self.seeds)
        for one in every:
            embedding_shape(one.layer, one.variables, self.targets[:1])
        return every


class Recovered(NamedTuple):
    """A study whose descents are all made.

    Fields:
        folder: of the study; this process may write it.
        starts: a_0.
        references: distances of the reference, for each network, seed and layer.
    """

    folder: RunFolder
    starts: Float[np.ndarray, "*leading height width channels"]
    references: References


def define_descent_study_flags(
    name: str,
    images: Sequence[str] = ("chelsea", "coffee", "astronaut"),
    **how: Any,
) -> None:
    """What all of these scripts ask for: networks, layers, photographs, settings, an output.

    Args:
        name: of the study, for the folder where `--output` is not given.
        images: the photographs, if no others are asked for.
        how: further arguments of `define_image_flags`.
    """
    define_network_flags()
    define_inversion_flags()
    define_layers_flag()
    define_image_flags(images, **how)
    define_start_seed_flag()
    define_reference_seed_flag()
    define_output_flags(None, f"numbers and figures (default: runs/{name}-MODEL-DATE)")
    define_script_flags()


def asked_from_flags(*, grey: bool = False) -> Asked:
    """The networks, layers and photographs that the flags name.

    Args:
        grey: whether the networks are shown photographs without colour; statistics then are, too.

    Raises:
        ValueError: for those that do not exist or do not fit.
    """
    model = model_from_flags()
    layers = select_layers(model, FLAGS.layers)
    images, targets = images_from_flags(model)
    networks = networks_from_flags(model, FLAGS.size, grey=grey)
    return Asked(model, layers, networks, seeds_from_flags(), images, targets)


def descents_from_flags(
    name: str, asked: Asked, conditions: Mapping[str, InversionConfig], **how: Any
) -> list[Descents]:
    """The descents of every network and seed under every condition, into `--output`.

    Args:
        name: of the study, for the folder where `--output` is not given.
        asked: from `asked_from_flags`.
        conditions: settings by name.
        how: further arguments of `depthjax.studies.descents.descents_of`.
    """
    folder, layers = (
        output_from_flags(name, FLAGS.model),
        partial(layers_of, asked.model, asked.layers),
    )
    return descents_of(folder, asked.networks, asked.seeds, layers, conditions, **how)


@contextmanager
def recovered(
    every: Sequence[Descents], asked: Asked, *defining: str, **more: Any
) -> Iterator[Recovered | None]:
    """Begins a study or goes on with it, and makes all of its descents, from the same starts.

    Args:
        every: from `descents_from_flags`; the starts are those of the first one's settings.
        asked: what they invert.
        defining: flags that define the results, beside those that all such studies have.
        more: what else defines them.

    Yields:
        The study; None where another process writes it.

    Raises:
        ValueError: for what cannot be inverted, before anything is written; and as `begin_study`.
    """
    say_begun("distances of noisy copies")
    references = check(every, asked.targets, jax.random.key(FLAGS.reference_seed))
    starts = starts_of(asked.targets, every[0].config, FLAGS.start_seed)
    definition = {
        **flag_values(*_DEFINING, *defining),
        **asked.definition,
        **more,
        "conditions": {one.condition: dataclasses.asdict(one.config) for one in every},
    }
    old = flag_values("overwrite", "resume")
    with begin_study(every, definition, asked.targets, starts, **old) as folder:
        recover_all(every, asked.targets, starts, references)
        yield Recovered(folder, starts, references) if processes.is_first() else None
