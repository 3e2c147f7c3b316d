"""The flags of a network's architecture, and the model they ask for."""

from absl import flags

from depthjax.cli.values import fields_from_flags
from depthjax.models.catalogue import find_model
from depthjax.models.network import Network
from depthjax.models.normalization import NORMALIZATIONS
from depthjax.models.specifications import is_specification

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_architecture_flags() -> None:
    """--model, --model_field, --normalization."""
    flags.DEFINE_string(
        "model",
        "resnet50",
        "architecture, see docs/inverting.md for the list; timm:NAME, torchvision:NAME, onnx:FILE,"
        " a FOLDER/ of `python -m depthjax import`; or package.module:function, which returns a"
        " Network or (network, variables)",
    )
    flags.DEFINE_multi_string(
        "model_field", [], "a field of the architecture, such as width=16 or widths=2000,2000"
    )
    flags.DEFINE_enum(
        "normalization",
        "auto",
        ["auto", *NORMALIZATIONS],
        "normalization of the pixels, inside the network; auto: what the weights expect, none with"
        " the paper's presets",
    )


def define_layers_flag() -> None:
    """--layers."""
    flags.DEFINE_string(
        "layers", "all-stages", "names or aliases; first:last for a range; all-stages; all"
    )


def model_from_flags() -> Network:
    """The network that `--model` and `--model_field` name, without weights.

    What the command says nothing of follows from it: `--weights` are "pretrained" where it brings
    weights, and `--size` is that of the images that it takes, where it takes no others.
    """
    found = find_model(FLAGS.model, fields_from_flags())
    source = "pretrained" if found.variables is not None else "untrained"
    for flag, value in (("weights", source), ("networks", [source])):
        if is_specification(FLAGS.model) and flag in FLAGS:
            FLAGS.set_default(flag, value)
    if "size" in FLAGS and (size := size_for(found.model)) != FLAGS.size:
        FLAGS.set_default("size", size)
    return found.model


def size_for(model: Network) -> int | None:
    """`--size`; without it the size of the images that the model takes, if it takes no others.

    Raises:
        ValueError: if these are not square.
    """
    size = getattr(model, "image_size", None)
    if size is None or not FLAGS["size"].using_default_value:
        return FLAGS.size
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise ValueError(f"the model takes images of {height}×{width}, and scripts square ones")
    return height


def normalization_setting() -> str:
    """`--normalization`; "none" where the paper's presets leave it to us with `auto`.

    The paper's author fed the pixels in as they are.
    """
    paper = "preset" in FLAGS and FLAGS.preset.startswith("paper")
    return "none" if FLAGS.normalization == "auto" and paper else FLAGS.normalization
