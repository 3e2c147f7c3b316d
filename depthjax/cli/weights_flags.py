"""The flags of one network with its weights, and how weights are loaded from their source."""

import sys

import jax
from absl import flags

from depthjax.cli.architecture_flags import define_architecture_flags, normalization_setting
from depthjax.cli.bars import DownloadBar
from depthjax.cli.values import fields_from_flags
from depthjax.models import init_variables
from depthjax.models.network import Network
from depthjax.models.normalization import as_normalization
from depthjax.models.specifications import own_variables, variables_sha256
from depthjax.studies.networks import Weights
from depthjax.weights import fetch, find_and_load

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_model_flags() -> None:
    """The flags of the architecture, and --weights, --weights_seed, --drop_head."""
    define_architecture_flags()
    flags.DEFINE_string(
        "weights",
        "untrained",
        "untrained (torchvision's initialisation), a FILE, torchvision:resnet50,"
        " hf://timm/resnet50.tv_in1k, https://…#sha256=…, zoo:resnet18_small/photos; pretrained:"
        " those that come with a --model=package.module:function, then the default",
    )
    define_prefix_flag()
    flags.DEFINE_integer("weights_seed", 0, "seed of untrained weights")
    flags.DEFINE_boolean("drop_head", False, "leave out the head of the weights: other classes")


def define_prefix_flag() -> None:
    """The flag `--weights_prefix`."""
    flags.DEFINE_string(
        "weights_prefix",
        None,
        "where in its file the network is, if several of its copies are: module.model.",
    )


def weights_from_flags(model: Network, image_size: int | tuple[int, int]) -> Weights:
    """The variables that `--weights` names, with the normalisation that goes with them.

    Args:
        model: the network that the weights are for.
        image_size: height and width of the images, in pixels.

    Raises:
        ValueError: for weights that do not exist or do not fit.
    """
    return weights_from_source(
        model, FLAGS.weights, FLAGS.weights_seed, image_size, drop_head=FLAGS.drop_head
    )


def weights_from_source(
    model: Network,
    source: str,
    seed: int,
    image_size: int | tuple[int, int],
    *,
    drop_head: bool = False,
) -> Weights:
    """The variables of one source of weights, with the normalisation that goes with them.

    Args:
        model: the network that the weights are for.
        source: as in `--weights`; `untrained:7` is initialised from seed 7, `pretrained` are the
            weights that come with `--model`.
        seed: of `untrained` weights whose source names no seed.
        image_size: height and width of the images, in pixels.
        drop_head: whether to leave out the weights of the head and initialise it instead.

    Raises:
        ValueError: for weights that do not exist or do not fit.
    """
    asked = normalization_setting()
    normalization = as_normalization(None if asked == "auto" else asked)
    kind, _, own_seed = source.partition(":")
    if kind == "untrained":
        if own_seed and not own_seed.isdecimal():
            raise ValueError(
                f"{source!r} has no whole number for a seed; write untrained:10{{seed}}"
            )
        variables = init_variables(model, jax.random.key(int(own_seed or seed)), image_size)
        return Weights(variables, normalization, False, {"source": source})
    if kind == "pretrained":
        variables = own_variables(FLAGS.model, fields_from_flags())
        record = {"source": source, "sha256": variables_sha256(variables)}
        return Weights(variables, normalization, True, record)
    with DownloadBar(source) as bar:
        file = fetch(source, on_progress=bar, normalization=asked)
    variables, prefix = find_and_load(
        model, file, drop_head=drop_head, image_size=image_size, prefix=FLAGS.weights_prefix
    )
    if prefix:
        print(f"{source}: the network's names begin with {prefix}", file=sys.stderr)
    trained = file.path is not None and not drop_head
    place = {"prefix": prefix} if prefix else {}
    origin = {**file.record(), "drop_head": drop_head, **place}
    return Weights(variables, file.normalization, trained, origin)
