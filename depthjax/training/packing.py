"""Puts finished trainings into the zoo: in half precision, evaluated again, small."""

import dataclasses
import math
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import jax
import numpy as np

from depthjax.data import Augmentation, open_dataset
from depthjax.files import file_sha256, write_atomically
from depthjax.folders.environment import command_line
from depthjax.models import Network, build_model
from depthjax.models.normalization import as_normalization
from depthjax.training.evaluation import evaluate
from depthjax.training.runs import Training
from depthjax.typing import Variables
from depthjax.weights import ZooNetwork, load_weights, save_weights, zoo_card
from depthjax.weights.zoo import LISTING, listing, zoo_name

MOST_BYTES = 3_000_000
"""The most that all files of the zoo may have together: they come with every installation."""

_NOT_REPEATED = ("--overwrite", "--resume", "--until_epoch", "--output")


def pack(
    training: Training, *, tolerance: float = 0.005, data_dir: str | os.PathLike[str] | None = None
) -> tuple[ZooNetwork, bytes]:
    """A finished training as a network of the zoo, and the content of its file.

    Args:
        training: finished, from `load_training`.
        tolerance: largest change of an accuracy by half precision.
        data_dir: of prepared data sets; see `open_dataset`.

    Raises:
        ValueError: for a training that has not ended, did not begin from untrained weights or is
            not of the zoo's networks, and where half precision would change its accuracies.
    """
    config, shown = training.config, str(training.folder)
    if not training.results:
        raise ValueError(f"the training in {shown!r} has not ended; --resume it")
    try:
        seed = config["weights_seed"]
        name = zoo_name(config["model"], config["dataset"], seed)
        fields, splits, untrained = (config[k] for k in ("model_fields", "splits", "weights"))
        model = build_model(config["model"], **fields)
        accuracy = {s: training.results[s]["top1"] for s in splits if s in training.results}
        command = _shown_command(config["environment"]["command"])
    except KeyError as error:
        raise ValueError(f"the training in {shown!r} does not say its {error}") from error
    if untrained != "untrained":
        raise ValueError(f"{shown!r} began from {untrained}; the zoo's networks begin untrained")
    if fields and name.startswith(f"{config['model']}/"):
        raise ValueError(
            f"{shown!r} has the fields {fields}; as {name} it would be taken for the plain"
            f" {config['model']}"
        )
    content, sha256, loaded = _in_half_precision(training, model)
    half_accuracy = {
        split: _measured(training, model, loaded, split, data_dir) for split in accuracy
    }
    for split, value in half_accuracy.items():
        if abs(value - accuracy[split]) > tolerance:
            raise ValueError(
                f"{shown!r} has an accuracy of {accuracy[split]:.4f} on {split}, and {value:.4f} in"
                f" half precision; pack another training, or give a larger tolerance"
            )
    network = ZooNetwork(
        name=name,
        model=config["model"],
        seed=seed,
        model_fields=fields,
        dataset=config["dataset"],
        splits={split: part for split, part in splits.items() if part},
        epochs=len(training.curve),
        command=command,
        accuracy=_rounded(accuracy),
        half_accuracy=_rounded(half_accuracy),
        curve=_curve(training),
        sha256=sha256,
    )
    return network, content


def _in_half_precision(training: Training, model: Network) -> tuple[bytes, str, Variables]:
    """The content of the file in half precision, its SHA-256, and the weights that it holds."""
    full = load_weights(model, training.folder / "weights.safetensors")
    with np.errstate(over="ignore"):
        half = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), full)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(half)):
        raise ValueError(
            f"{str(training.folder)!r} has weights beyond ±65504, which half precision does not"
            " hold"
        )
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "half.safetensors"
        normalization = training.config["normalization"]
        save_weights(file, half, normalization=normalization, model=model)
        return file.read_bytes(), file_sha256(file), load_weights(model, file)


def write(
    folder: str | os.PathLike[str], packed: Iterable[tuple[ZooNetwork, bytes]]
) -> dict[str, ZooNetwork]:
    """Adds networks to a zoo, or replaces those of their names: the files, then the listing.

    Args:
        folder: the zoo; it may be new.
        packed: from `pack`.

    Returns:
        All networks that it then has, by name.

    Raises:
        ValueError: if the zoo would become too large; nothing is then written.
    """
    folder, networks, contents = Path(folder), zoo_card(folder), {}
    for network, content in packed:
        if network.name in contents:
            raise ValueError(f"{network.name} is there twice; pack one training of each name")
        networks[network.name], contents[network.name] = network, content
    kept = [folder / networks[name].file for name in networks if name not in contents]
    size = sum(map(len, contents.values())) + sum(f.stat().st_size for f in kept if f.is_file())
    if size > MOST_BYTES:
        raise ValueError(
            f"the zoo would have {size / 1e6:.2f} MB and may have {MOST_BYTES / 1e6:g}; pack fewer"
        )
    for name, content in contents.items():
        write_atomically(folder / networks[name].file, content)
    write_atomically(folder / LISTING, listing(networks).encode())
    return networks


def _measured(
    training: Training,
    model: Network,
    variables: Variables,
    split: str,
    data_dir: str | os.PathLike[str] | None,
) -> float:
    """The share of right answers on a split, evaluated as the training did."""
    config = training.config
    dataset = open_dataset(config["dataset"], split=config["splits"][split], data_dir=data_dir)
    augmentation = Augmentation(**config["augmentation"])
    evaluation = evaluate(
        model,
        variables,
        dataclasses.replace(dataset, augmentation=augmentation),
        normalization=as_normalization(config["normalization"]),
        augmented=config["training"]["augment"],
    )
    return evaluation.top1


def _curve(training: Training) -> dict[str, list[int | float | None]]:
    """The columns of the learning curve but for the times, four digits, None where not measured."""
    columns = zip(*training.curve, strict=True)
    return {
        name: [_digits(value) for value in column]
        for name, column in zip(training.curve[0]._fields, columns, strict=True)
        if name not in ("step", "seconds")
    }


def _digits(value: int | float) -> int | float | None:
    if isinstance(value, int):
        return value
    return None if math.isnan(value) else float(f"{value:.4g}")


def _rounded(values: dict[str, float]) -> dict[str, float]:
    """Six digits: more than there are examples."""
    return {name: round(float(value), 6) for name, value in values.items()}


def _shown_command(arguments: list[str]) -> str:
    """A command line as one would type it, without what only says where to and how often."""
    kept = [argument for argument in arguments if argument.split("=")[0] not in _NOT_REPEATED]
    return command_line(kept)
