"""The flags of several networks of one architecture, and the weights they ask for."""

from collections.abc import Sequence

from absl import flags

from depthjax.cli.architecture_flags import define_architecture_flags
from depthjax.cli.seed_flags import define_seeds_flag, seeds_from_flags
from depthjax.cli.weights_flags import weights_from_source
from depthjax.models.network import Network
from depthjax.studies.networks import Weights

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_network_flags() -> None:
    """--model, its fields, and several networks of that architecture, each with several seeds."""
    define_architecture_flags()
    flags.DEFINE_list(
        "networks",
        ["untrained"],
        "label=WEIGHTS,…: weights as in invert.py's --weights, with {seed} where the seed belongs;"
        " untrained alone is untrained=untrained; control=untrained:10{seed} has other seeds: what"
        " differs then is chance",
    )
    define_seeds_flag()


def networks_from_flags(model: Network, image_size: int) -> dict[str, list[Weights]]:
    """The networks that --networks asks for: for each label, its weights of each of --seeds.

    All lists are as long as --seeds and in its order, so that networks can be compared seed by
    seed. `untrained` is initialised from the seed; all other weights hold `{seed}`, which it
    replaces. `untrained:10{seed}` is initialised from seed 100 for 0: a control.

    Raises:
        ValueError: for an entry that is no `label=weights`, a label or seed given twice, weights
            that would be the same for several seeds, do not exist or do not fit.
    """
    seeds = seeds_from_flags()
    sources = network_sources(FLAGS.networks)
    for label, source in sources.items():
        if source != "untrained" and "{seed}" not in source and len(seeds) > 1:
            raise ValueError(
                f"--networks has '{label}={source}', the same weights for each of"
                f" {len(seeds)} seeds; write {{seed}} where the seed belongs, or --seeds={seeds[0]}"
            )
    return {
        label: [
            weights_from_source(model, source.replace("{seed}", str(seed)), seed, image_size)
            for seed in seeds
        ]
        for label, source in sources.items()
    }


def network_sources(entries: Sequence[str]) -> dict[str, str]:
    """The weights of each label of `--networks`, with `{seed}` as it stands.

    Raises:
        ValueError: for no entries, one that is no `label=weights`, and a label given twice.
    """
    sources: dict[str, str] = {}
    for entry in entries:
        label, separator, source = (part.strip() for part in entry.partition("="))
        source = source if separator else label
        if not label or not source or (not separator and label != "untrained"):
            raise ValueError(
                f"--networks has {entry!r}, which is not of the form label=weights; write"
                " untrained,photos=photos_{seed}.safetensors"
            )
        if label in sources:
            raise ValueError(f"--networks has {label!r} twice; give each network its own label")
        sources[label] = source
    if not sources:
        raise ValueError("--networks is empty; write untrained, or label=weights")
    return sources
