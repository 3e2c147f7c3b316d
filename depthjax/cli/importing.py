"""The command that keeps an imported network in a folder."""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from depthjax.cli.architecture_flags import model_from_flags
from depthjax.cli.start import define_script_flags, run
from depthjax.cli.values import fields_from_flags
from depthjax.cli.weights_flags import define_model_flags, weights_from_flags
from depthjax.folders.environment import environment
from depthjax.importing.network import ImportedNetwork
from depthjax.importing.saving import FILES, save_network
from depthjax.models.catalogue import find_model

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a command shows what it asks for


IMPORT = """Keep a network of PyTorch or ONNX in a folder; it then needs neither.

    depthjax import timm:convnext_tiny --weights=pretrained --output=networks/convnext_tiny
"""


def define_import_flags() -> None:
    """The flags of the network and its weights, --output and --overwrite."""
    define_model_flags()
    define_script_flags()
    flags.DEFINE_string("output", None, "the folder to make", required=True)
    flags.DEFINE_boolean("overwrite", False, "replace the network that is there")


def import_network() -> None:
    """Flags -> a network with its weights -> a folder of `save_network`.

    Raises:
        ValueError: for a network that cannot be imported or is not imported, and for a folder that
            holds one already.
    """
    place = Path(FLAGS.output)
    if any((place / name).exists() for name in FILES) and not FLAGS.overwrite:
        raise ValueError(f"there is a network in {FLAGS.output!r}; --overwrite replaces it")
    model = model_from_flags()
    if not isinstance(model, ImportedNetwork):
        raise ValueError(
            f"{FLAGS.model} is built by depthjax itself, so there is nothing to import; take"
            " timm:NAME, torchvision:NAME or onnx:FILE"
        )
    weights = weights_from_flags(model, model.content.image_shape[:2])
    record = {name: value for name, value in weights.record.items() if name != "model"}
    where = environment()
    origin = {
        **find_model(FLAGS.model, fields_from_flags()).origin,
        "model_fields": FLAGS.model_field,
        "weights": record,
        "versions": where["versions"],
    }
    save_network(
        place, model, weights.variables, normalization=weights.normalization, origin=origin
    )
    size = sum((place / name).stat().st_size for name in FILES)
    print(f"{FLAGS.model} ({size / 1e6:.1f} MB), to be used as --model=saved:{FLAGS.output}")


def main(arguments: Sequence[str]) -> None:
    """Runs the command; its first argument may be the network, as `--model` takes it."""
    first, *rest = arguments or [""]
    words = [f"--model={first}", *rest] if first and not first.startswith("-") else arguments
    sys.argv = ["depthjax import", *words]
    define_import_flags()
    run(import_network)
