"""The flags of several networks of one architecture, and the weights they ask for."""

from collections.abc import Sequence

from absl import flags

from depthjax.cli.architecture_flags import define_architecture_flags
from depthjax.cli.seed_flags import define_seeds_flag, seeds_from_flags
from depthjax.cli.weights_flags import define_prefix_flag, weights_from_source
from depthjax.models.network import Network
from depthjax.weights import Weights

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_network_flags() -> None:
    """The flags of the architecture, and --networks and --seeds."""
    define_architecture_flags()
    flags.DEFINE_list(
        "networks",
        ["untrained"],
        "label=WEIGHTS,…: weights as in invert.py's --weights, with {seed} where the seed belongs;"
        " untrained or pretrained alone is its own label; control=untrained:10{seed} has other"
        " seeds: what differs then is chance; control=shuffled:pretrained has each kernel permuted",
    )
    define_prefix_flag()
    define_seeds_flag()


def networks_from_flags(model: Network, image_size: int) -> dict[str, list[Weights]]:
    """The weights of the networks that `--networks` names, one for each of `--seeds`.

    `untrained` is initialised from the seed, and `shuffled:SOURCE` permuted by it. In all sources
    the seed replaces `{seed}`: `untrained:10{seed}` is initialised from seed 100 where `untrained`
    is from seed 0, a control.

    Args:
        model: the architecture of all networks.
        image_size: height and width of the images, in pixels.

    Returns:
        A list of weights for each label, in the order of `--seeds`, so that networks can be
        compared seed by seed.

    Raises:
        ValueError: for an entry that is not of the form `label=weights`, a label or seed given
            twice, and weights that do not exist, do not fit, or are the same for several seeds.
    """
    seeds = seeds_from_flags()
    sources = network_sources(FLAGS.networks)
    for label, source in sources.items():
        by_seed = source == "untrained" or source.startswith("shuffled:")
        if not by_seed and "{seed}" not in source and len(seeds) > 1:
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


_LABELS = ("untrained", "pretrained")
"""Sources that may stand without a label."""


def network_sources(entries: Sequence[str]) -> dict[str, str]:
    """The source of weights of each label of `--networks`; `{seed}` is not replaced yet.

    Raises:
        ValueError: for no entries, an entry that is not of the form `label=weights`, and a label
            given twice.
    """
    sources: dict[str, str] = {}
    for entry in entries:
        label, separator, source = (part.strip() for part in entry.partition("="))
        source = source if separator else label
        if not label or not source or (not separator and label not in _LABELS):
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
