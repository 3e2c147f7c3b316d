"""The cells of this package: what one layer of one network keeps of a group of images."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from depthjax.devices.sharding import split_of
from depthjax.files import file_sha256
from depthjax.folders.inversions import result_rows
from depthjax.images import load_images
from depthjax.inversion.autoencoding import autoencode
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.memory import fitting_batch
from depthjax.inversion.metrics import REFERENCE_STD
from depthjax.models import Network, build_model, init_variables, layer_names
from depthjax.models.layers import Layer, select_layers
from depthjax.models.normalization import Normalization, as_normalization
from depthjax.sweeps.attempt import Context
from depthjax.sweeps.cells import Cell
from depthjax.typing import Variables
from depthjax.weights import fetch, load_weights


def inversion_cells(
    *,
    model: str,
    weights: str,
    layers: str,
    images: Sequence[str],
    config: InversionConfig,
    size: int = 224,
    group_size: int = 16,
    seeds: Iterable[int] = (0,),
    model_fields: Mapping[str, Any] | None = None,
    normalization: str | None = "auto",
    fit: str = "crop",
    reference_seed: int = 2,
    reference_std: float = REFERENCE_STD,
    draws: int = 8,
    network: str | None = None,
) -> list[dict[str, Any]]:
    """Layers × groups of images × seeds of one network, those of one program beside each other.

    Args:
        model, model_fields: as `build_model` takes them.
        weights: `untrained`, or what `fetch` takes, with `{seed}` where the seed belongs. A file's
            SHA-256 is part of the cell.
        layers: as `select_layers` takes them.
        images: paths or embedded names; a file's SHA-256 is part of the cell.
        config: of the descents.
        size, fit: how images become square.
        group_size: images in a cell.
        seeds: of the starts, and of weights that are untrained or hold `{seed}`.
        normalization: of the pixels; "auto" is what the weights expect.
        reference_seed, reference_std, draws: of the reference noise, the same in all cells.
        network: what the network is called in the table; by default its weights.

    Raises:
        ValueError: for a model, layer, weights or image that does not exist, and for no images,
            seeds or positive group size.
    """
    if group_size < 1 or not images:
        raise ValueError(f"group_size and images must be at least 1, got {group_size}, {images}")
    seeds = list(seeds)
    if not seeds:
        raise ValueError("a sweep needs at least one seed")
    fields = dict(model_fields or {})
    built = build_model(model, **fields)
    files = {image: file_sha256(image) for image in images if Path(image).is_file()}
    load_images(images[:1], size, fit=fit)  # what cannot be read shows before anything runs
    sources = {seed: weights.replace("{seed}", str(seed)) for seed in seeds}
    hashes = {seed: _sha256(source) for seed, source in sources.items()}
    groups = [list(images[at : at + group_size]) for at in range(0, len(images), group_size)]
    cells = [
        {
            "network": network or weights,
            "model": model,
            "model_fields": fields,
            "weights": sources[seed],
            "weights_sha256": hashes[seed],
            "normalization": normalization,
            "layer": layer,
            "images": group,
            "image_sha256": {image: files[image] for image in group if image in files},
            "size": size,
            "fit": fit,
            "seed": seed,
            "reference_seed": reference_seed,
            "reference_std": reference_std,
            "draws": draws,
            "inversion": dataclasses.asdict(config),
        }
        for layer in select_layers(built, layers)
        for seed in seeds
        for group in groups
    ]
    return json.loads(json.dumps(cells))  # tuples as lists: as they will be read again


_REMOTE = ("untrained", "hf:", "torchvision:", "http:", "https:", "file:")


def _sha256(source: str) -> str | None:
    """Of weights that are a file here; others name their revision or hash themselves."""
    return None if source.startswith(_REMOTE) else fetch(source).sha256


def program(cell: Cell) -> str:
    """What cells with the same compiled program have in common: all but weights and numbers."""
    config = _config(cell)
    names = ("model", "model_fields", "normalization", "layer", "size")
    parts = {name: cell[name] for name in names}
    shape = len(cell["images"]), config.restarts
    return json.dumps([parts, shape, config.structure], sort_keys=True)


class Prepared(NamedTuple):
    """A cell with everything loaded.

    Fields:
        layer, variables: as `invert` takes them.
        image_names: labels.
        images: `[B, H, W, C]`.
        config: of the descents.
    """

    layer: Layer
    variables: Variables
    image_names: list[str]
    images: jax.Array
    config: InversionConfig


def load_cell(cell: Cell) -> Prepared:
    """The network and the images of a cell; networks are kept for the cells that follow.

    Raises:
        ValueError: for what cannot be read, and files that are no longer those of the cell.
    """
    for file, sha256 in cell["image_sha256"].items():
        if file_sha256(file) != sha256:
            raise ValueError(f"{file!r} has changed since the sweep was begun; begin a new one")
    names = ("model", "model_fields", "weights", "weights_sha256", "normalization", "size", "seed")
    model, variables, normalization = _network(json.dumps({name: cell[name] for name in names}))
    image_names, photographs = load_images(cell["images"], cell["size"], fit=cell["fit"])
    return Prepared(
        Layer(model, cell["layer"], normalization),
        variables,
        list(image_names),
        jnp.asarray(photographs),
        _config(cell),
    )


def run_cell(cell: Cell, context: Context) -> list[dict[str, Any]]:
    """Recovers the images of a cell from their embeddings and measures how well that went.

    Args:
        cell: from `inversion_cells`.
        context: where the state of the descents is kept.

    Returns:
        A row for each image × restart: what defines the cell, and the columns of `results.csv`.
    """
    layer, variables, image_names, images, config = load_cell(cell)
    found = autoencode(
        jax.random.key(cell["seed"]),
        layer,
        variables,
        images,
        config,
        reference_key=jax.random.key(cell["reference_seed"]),
        reference_std=cell["reference_std"],
        draws=cell["draws"],
        max_batch=batch_of(layer, variables, images.shape, config),
        checkpoints=DescentCheckpoints(context.unfinished),
        on_progress=lambda *_: context.beat(),
    )
    names = layer_names(layer.model, sublayers=True)
    depth = names.index(layer.node) if layer.node in names else -1
    split = found.inversion.split
    of_cell = {name: cell[name] for name in ("network", "model", "weights", "seed")}
    of_cell |= {"size": cell["size"], "devices": split.devices, "per_device": split.per_device}
    return [of_cell | row for row in result_rows(cell["layer"], depth, image_names, found)]


def batch_of(
    layer: Layer, variables: Variables, shape: tuple[int, ...], config: InversionConfig
) -> int:
    """How many images × restarts run at once on the devices of this process."""
    count, devices = shape[0] * config.restarts, jax.local_device_count()
    each = split_of(count, devices).per_device
    fit = fitting_batch(layer, variables, shape[1:], each, config)
    return min(count, fit.batch * devices)


def _config(cell: Cell) -> InversionConfig:
    return InversionConfig(**cell["inversion"])


@lru_cache(maxsize=2)
def _network(text: str) -> tuple[Network, Variables, Normalization | None]:
    wanted = json.loads(text)
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in wanted["model_fields"].items()
    }
    model = build_model(wanted["model"], **fields)
    automatic = wanted["normalization"] == "auto"
    stated = None if automatic else as_normalization(wanted["normalization"])
    kind, _, own_seed = wanted["weights"].partition(":")
    if kind == "untrained":
        key = jax.random.key(int(own_seed or wanted["seed"]))
        return model, init_variables(model, key, wanted["size"]), stated
    file = fetch(wanted["weights"])
    if wanted["weights_sha256"] not in (None, file.sha256):
        raise ValueError(
            f"the weights {wanted['weights']!r} have changed since the sweep was begun; begin a new"
            " one"
        )
    variables = load_weights(model, file, image_size=wanted["size"])
    return model, variables, file.normalization if automatic else stated
