"""The flags of one network with its weights, and how weights are loaded from their source."""

import dataclasses
import sys
from typing import Any

from absl import flags

from depthjax.cli.architecture_flags import define_architecture_flags, normalization_setting
from depthjax.cli.bars import DownloadBar
from depthjax.cli.values import fields_from_flags
from depthjax.models.catalogue import find_model
from depthjax.models.network import Network
from depthjax.weights import Weights, weights_of

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_model_flags() -> None:
    """The flags of the architecture, and --weights, --weights_seed, --drop_head."""
    define_architecture_flags()
    flags.DEFINE_string(
        "weights",
        "untrained",
        "untrained (the source's initialisation), a FILE, torchvision:resnet50,"
        " hf://timm/resnet50.tv_in1k, https://…#sha256=…, zoo:resnet18_small/photos,"
        " pip:efficientnet_lite0 (of an installed package); pretrained: those that come with the"
        " --model, or of its library; before any of these calibrated: (BatchNorm's statistics of"
        " photographs), shuffled: (each kernel permuted), rotated: (its singular vectors drawn) or"
        " unnormalized: (pixels as they are)",
    )
    define_prefix_flag()
    flags.DEFINE_integer("weights_seed", 0, "seed of untrained, shuffled and rotated weights")
    flags.DEFINE_boolean("drop_head", False, "leave out the head of the weights: other classes")


def define_prefix_flag() -> None:
    """The flag `--weights_prefix`."""
    flags.DEFINE_string(
        "weights_prefix",
        None,
        "where in the file of weights the network is, if several of its copies are: module.model.",
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
        *(model, FLAGS.weights, FLAGS.weights_seed, image_size),
        drop_head=FLAGS.drop_head,
        normalization=normalization_setting(),
    )


def weights_from_source(
    model: Network,
    source: str,
    seed: int,
    image_size: int | tuple[int, int],
    *,
    normalization: Any,
    drop_head: bool = False,
    grey: bool = False,
) -> Weights:
    """The variables of one source of weights, with the normalisation that goes with them.

    Args:
        model: the network that the weights are for.
        source: as in `--weights`; `untrained:7` is initialised from seed 7.
        seed: of `untrained` weights whose source names no seed, and of controls that are drawn.
        image_size: height and width of the images, in pixels.
        normalization: of the pixels, as `weights_of` takes it.
        drop_head: whether to leave out the weights of the head and initialise it instead.
        grey: whether the network is shown images without colour.

    Raises:
        ValueError: for weights that do not exist or do not fit.
    """
    with DownloadBar(source) as bar:
        weights = weights_of(
            dataclasses.replace(find_model(FLAGS.model, fields_from_flags()), model=model),
            source,
            seed,
            image_size,
            drop_head=drop_head,
            normalization=normalization,
            prefix=FLAGS.weights_prefix,
            grey=grey,
            on_progress=bar,
        )
    if weights.record.get("prefix"):
        note = f"{source}: the network's names begin with {weights.record['prefix']}"
        print(note, file=sys.stderr)
    return weights
