"""The flags of several networks of one architecture, and the weights they ask for."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from depthjax.cli.architecture_flags import define_architecture_flags, normalization_setting
from depthjax.cli.seed_flags import define_seeds_flag, seeds_from_flags
from depthjax.cli.weights_flags import define_prefix_flag, weights_from_source
from depthjax.models.network import Network
from depthjax.studies.networks import same_normalization
from depthjax.weights import Weights
from depthjax.weights.controls import is_drawn, is_unnormalized, is_untrained

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_network_flags() -> None:
    """The flags of the architecture, and --networks and --seeds."""
    define_architecture_flags()
    flags.DEFINE_list(
        "networks",
        ["untrained"],
        "label=WEIGHTS,…: weights as in invert.py's --weights, with {seed} where the seed belongs;"
        " without it trained weights are one network beside the seeds of the others; untrained or"
        " pretrained alone is its own label; control=untrained:10{seed} has other seeds: what"
        " differs then is chance; calibrated=calibrated:untrained, shuffled=shuffled:pretrained and"
        " others are controls (docs/weights.md)",
    )
    define_prefix_flag()
    define_seeds_flag()


def networks_from_flags(
    model: Network, image_size: int, *, grey: bool = False
) -> dict[str, list[Weights]]:
    """The weights of the networks that `--networks` names, one for each of `--seeds`.

    `untrained` is initialised from the seed, and `shuffled:SOURCE` permuted by it. In all sources
    the seed replaces `{seed}`: `untrained:10{seed}` is initialised from seed 100 where `untrained`
    is from seed 0, a control. Weights that no seed changes are one network, and are loaded once.

    All networks see the pixels normalised alike: as trained weights say, unless `--normalization`
    does, and untrained ones as these; those of `unnormalized:SOURCE` see them as they are.

    Args:
        model: the architecture of all networks.
        image_size: height and width of the images, in pixels.
        grey: whether the networks are shown images without colour; see `weights_of`.

    Returns:
        By label a list of weights in the order of `--seeds`, so that networks can be compared seed
        by seed; of one element for one trained network.

    Raises:
        ValueError: for an entry that is not of the form `label=weights`, a label or seed given
            twice, weights that do not exist or do not fit, an initialisation that is the same for
            several seeds, and trained weights that expect their pixels normalised otherwise.
    """
    seeds = seeds_from_flags()
    sources = network_sources(FLAGS.networks)
    seeds_of = {label: _seeds_of(label, source, seeds) for label, source in sources.items()}

    def load(labels: Sequence[str], normalization: Any) -> dict[str, list[Weights]]:
        return {
            label: [
                weights_from_source(
                    *(model, sources[label].replace("{seed}", str(seed)), seed, image_size),
                    normalization=normalization,
                    grey=grey,
                )
                for seed in seeds_of[label]
            ]
            for label in labels
        }

    asked = normalization_setting()
    untrained = [label for label, source in sources.items() if is_untrained(source)]
    trained = load([label for label in sources if label not in untrained], asked)
    shared = same_normalization(
        weights.normalization
        for label, of_seeds in trained.items()
        if not is_unnormalized(sources[label])
        for weights in of_seeds
    )
    loaded = trained | load(untrained, shared if asked == "auto" else asked)
    return {label: loaded[label] for label in sources}


def _seeds_of(label: str, source: str, seeds: Sequence[int]) -> Sequence[int]:
    """The seeds that a network has; the first alone if its weights are the same for all."""
    if is_drawn(source) or "{seed}" in source:
        return seeds
    if is_untrained(source) and len(seeds) > 1:
        raise ValueError(
            f"--networks has '{label}={source}', the same initialisation for each of {len(seeds)}"
            f" seeds; write {{seed}} where the seed belongs, or --seeds={seeds[0]}"
        )
    return seeds[:1]


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
