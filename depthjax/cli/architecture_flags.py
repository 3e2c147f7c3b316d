"""The flags of a network's architecture, and the model they ask for."""

from absl import flags

from depthjax.cli.values import fields_from_flags
from depthjax.models import build_model
from depthjax.models.network import Network
from depthjax.models.normalization import NORMALIZATIONS
from depthjax.models.specifications import is_specification, specified

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_architecture_flags() -> None:
    """--model, --model_field, --normalization."""
    flags.DEFINE_string(
        "model",
        "resnet50",
        "architecture, see docs/inverting.md for the list; or package.module:function, which"
        " returns a Network or (network, variables)",
    )
    flags.DEFINE_multi_string(
        "model_field", [], "a field of the architecture, such as width=16 or widths=2000,2000"
    )
    flags.DEFINE_enum(
        "normalization",
        "auto",
        ["auto", *NORMALIZATIONS],
        "of the pixels, inside the network; auto: what the weights expect, none with the paper's"
        " presets",
    )


def define_layers_flag() -> None:
    """--layers."""
    flags.DEFINE_string(
        "layers", "all-stages", "names or aliases; first:last for a range; all-stages; all"
    )


def model_from_flags() -> Network:
    """The network that `--model` and `--model_field` name, without weights.

    Where it brings weights and the command says nothing of `--weights`, those are "pretrained".
    """
    fields = fields_from_flags()
    model = build_model(FLAGS.model, **fields)
    if is_specification(FLAGS.model) and "weights" in FLAGS:
        brings = specified(FLAGS.model, fields).variables is not None
        FLAGS.set_default("weights", "pretrained" if brings else "untrained")
    return model


def normalization_setting() -> str:
    """`--normalization`; "none" where the paper's presets leave it to us with `auto`.

    The paper's author fed the pixels in as they are.
    """
    paper = "preset" in FLAGS and FLAGS.preset.startswith("paper")
    return "none" if FLAGS.normalization == "auto" and paper else FLAGS.normalization
