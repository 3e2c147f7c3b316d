"""Cells that are inversions: what one layer of one network keeps of a group of images."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from depthjax.analysis.perceptual import Judge, check_other, load_judge
from depthjax.files import file_sha256
from depthjax.folders.layer_arrays import layer_arrays
from depthjax.folders.result_rows import rows_of_layer
from depthjax.images import image_labels, load_images
from depthjax.inversion.autoencoding import autoencode
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.memory import largest_batch
from depthjax.inversion.reference import REFERENCE_STD
from depthjax.models import Network, layer_names
from depthjax.models.catalogue import find_model
from depthjax.models.layers import Layer, select_layers
from depthjax.models.normalization import NORMALIZATIONS, Normalization
from depthjax.models.specifications import Specified, variables_sha256
from depthjax.sweeps.cells import Cell
from depthjax.typing import Variables
from depthjax.weights import fetch, weights_of
from depthjax.weights.controls import controls_in, is_drawn


@dataclass(frozen=True)
class SweptNetwork:
    """A network of a sweep.

    Fields:
        model: as `build_model` takes it.
        weights: as `weights_of` takes them, with `{seed}` in the place of the seed. The SHA-256 of
            a file, and of weights that come with the model, is part of the cell.
        model_fields: as `build_model` takes them.
        normalization: of the pixels, as for `Layer`; "auto" for what the weights expect.
        label: the name of the network in the table; by default its weights.
        weights_prefix: of the network's names in its file, if several copies of it are there.
        judge: another network, in which perceptual distances are measured: `model`,
            `model_fields`, `weights` and `layers`, as `load_judge` takes them; {} for none.
    """

    model: str
    weights: str = "untrained"
    model_fields: Mapping[str, Any] = field(default_factory=dict)
    normalization: Any = "auto"
    label: str | None = None
    weights_prefix: str | None = None
    judge: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Photographs:
    """The images of a sweep.

    Fields:
        sources: paths or embedded names. The SHA-256 of a file is part of the cell.
        size: height and width in pixels.
        fit: how an image becomes square.
        group_size: number of images in a cell.
        labels: of the images, if there are others in the sweep; by default those of these alone.

    Raises:
        ValueError: for no images, or a group size below 1.
    """

    sources: Sequence[str]
    size: int = 224
    fit: str = "crop"
    group_size: int = 16
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.group_size < 1 or not self.sources:
            raise ValueError(
                f"group_size and images must be at least 1, got {self.group_size}, {self.sources}"
            )

    def groups(self) -> list[list[str]]:
        """The images of each cell."""
        count, step = len(self.sources), self.group_size
        return [list(self.sources[start : start + step]) for start in range(0, count, step)]


def inversion_cells(
    network: SweptNetwork,
    photographs: Photographs,
    layers: str,
    config: InversionConfig,
    *,
    seeds: Iterable[int] = (0,),
    reference_seed: int = 2,
    reference_std: float = REFERENCE_STD,
    draws: int = 8,
) -> list[dict[str, Any]]:
    """The cells of one network: layers × seeds × groups of images; neighbours share a program.

    Args:
        network: the network.
        photographs: the images.
        layers: as `select_layers` takes them.
        config: of the descents.
        seeds: of the start images, and of weights that are untrained or hold `{seed}`.
        reference_seed, reference_std, draws: of the reference noise, the same in all cells.

    Raises:
        ValueError: for a model, layer, weights or image that does not exist, for no seeds, and for
            starts of other images in a group of one.
    """
    sources, size, fit = photographs.sources, photographs.size, photographs.fit
    seeds = list(seeds)
    if not seeds:
        raise ValueError("a sweep needs at least one seed")
    of_others = any("image" in kind.split("+") for kind in config.start)
    if of_others and len(photographs.groups()[-1]) < 2:
        raise ValueError(
            "a descent that starts from another image needs one in its group, and the last group"
            f" of {len(sources)} images has one alone; choose another group_size than"
            f" {photographs.group_size}"
        )
    found = find_model(network.model, network.model_fields)
    files = {image: file_sha256(image) for image in sources if Path(image).is_file()}
    channels = getattr(found.model, "channels", 3)
    load_images(sources[:1], size, fit=fit, channels=channels)  # unreadable images end here
    weights = {seed: network.weights.replace("{seed}", str(seed)) for seed in seeds}
    stated = network.normalization
    hashes = {seed: _sha256(source, found, stated) for seed, source in weights.items()}
    prefix = network.weights_prefix
    place: dict[str, Any] = {"weights_prefix": prefix} if prefix else {}
    labels = photographs.labels or dict(zip(sources, image_labels(sources), strict=True))
    if network.judge:
        judge = load_judge(**network.judge, image_size=size)
        for sha256 in hashes.values():
            check_other(judge, sha256)
        place["judge"] = {**network.judge, "sha256": judge.record.get("sha256")}
    cells = [
        {
            "network": network.label or network.weights,
            "model": network.model,
            "model_fields": dict(network.model_fields),
            **({"origin": dict(found.origin)} if found.origin else {}),
            "weights": weights[seed],
            "weights_sha256": hashes[seed],
            **place,
            "normalization": network.normalization,
            "layer": layer,
            "images": group,
            **_labels_beside_others(group, labels),
            "image_sha256": {image: files[image] for image in group if image in files},
            "size": size,
            "fit": fit,
            "seed": seed,
            "reference_seed": reference_seed,
            "reference_std": reference_std,
            "draws": draws,
            "inversion": dataclasses.asdict(config),
        }
        for layer in select_layers(found.model, layers)
        for seed in seeds
        for group in photographs.groups()
    ]
    return json.loads(json.dumps(cells))  # tuples become lists, as when they are read again


def _labels_beside_others(group: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any]:
    """The labels of a group, where others of the sweep have names like theirs."""
    own = [labels[image] for image in group]
    return {} if own == list(image_labels(group)) else {"image_labels": own}


_WITHOUT_FILE = ("untrained", "hf", "torchvision", "http", "https", "file")


def _sha256(source: str, found: Specified, normalization: Any) -> str | None:
    """The hash of weights that are here; others name their revision or hash themselves."""
    source = controls_in(source)[1]
    if source == "pretrained":
        return variables_sha256(found.pretrained())
    if source.partition(":")[0] in _WITHOUT_FILE:
        return None
    return fetch(source, normalization=normalization).sha256


def program(cell: Cell) -> str:
    """The name of a cell's compiled program: all settings but weights and numbers."""
    config = _config(cell)
    names = ("model", "model_fields", "normalization", "layer", "size")
    parts = {name: cell[name] for name in names}
    shape = len(cell["images"]), config.restarts
    return json.dumps([parts, shape, config.structure], sort_keys=True)


class LoadedCell(NamedTuple):
    """A cell with its network and images loaded.

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


def load_cell(cell: Cell) -> LoadedCell:
    """Loads the network and the images of a cell; the last networks are kept for further cells.

    Raises:
        ValueError: for files that cannot be read, or have changed since the cell was made.
    """
    for file, sha256 in cell["image_sha256"].items():
        if file_sha256(file) != sha256:
            raise _changed(f"{file!r} has")
    names = (
        *("model", "model_fields", "origin", "weights", "weights_sha256", "weights_prefix"),
        *("normalization", "size", "seed"),
    )
    settings = {"origin": {}, **{name: cell[name] for name in names if name in cell}}
    if not is_drawn(cell["weights"]):
        del settings["seed"]  # it is that of the starts alone
    model, variables, normalization = _network(json.dumps(settings))
    image_names, photographs = load_images(
        cell["images"], cell["size"], fit=cell["fit"], channels=getattr(model, "channels", 3)
    )
    return LoadedCell(
        Layer(model, cell["layer"], normalization),
        variables,
        list(cell.get("image_labels", image_names)),
        jnp.asarray(photographs),
        _config(cell),
    )


def run_cell(cell: Cell, unfinished: Path) -> list[dict[str, Any]]:
    """Recovers the images of a cell from their embeddings and measures how well that went.

    Args:
        cell: from `inversion_cells`.
        unfinished: where the state of the descents is kept.

    Returns:
        A row for each image × restart: what defines the cell, and the columns of `results.csv`.
    """
    layer, variables, image_names, images, config = load_cell(cell)
    result = autoencode(
        jax.random.key(cell["seed"]),
        layer,
        variables,
        images,
        config,
        reference_key=jax.random.key(cell["reference_seed"]),
        reference_std=cell["reference_std"],
        draws=cell["draws"],
        max_batch=largest_batch(layer, variables, images.shape, config)[0],
        # The name of a cell says which descents they are; this may be another kind of machine.
        checkpoints=DescentCheckpoints(unfinished, anew=True),
    )
    names = layer_names(layer.model, sublayers=True)
    depth = names.index(layer.node) if layer.node in names else -1
    split = result.inversion.split
    of_cell = {name: cell[name] for name in ("network", "model", "weights", "seed", "size", "fit")}
    of_cell |= {
        "model_fields": _as_text(cell["model_fields"]),
        "normalization": _normalization_text(layer.normalization),
        "settings": _as_text(_changed_settings(config)),
        "devices": split.devices,
        "per_device": split.per_device,
    }
    arrays = layer_arrays(result)
    if "judge" in cell:
        judge = _judge(json.dumps(cell["judge"]), cell["size"])
        arrays["perceptual_distance"] = judge.distance(images, arrays["images"])
    return [of_cell | row for row in rows_of_layer(cell["layer"], depth, image_names, arrays)]


def _as_text(fields: Mapping[str, Any]) -> str:
    """`width=4 stage_sizes=1,1`, as scripts take fields."""
    return " ".join(
        f"{name}={','.join(map(str, v)) if isinstance(v, list | tuple) else v}"
        for name, v in fields.items()
    )


def _changed_settings(config: InversionConfig) -> dict[str, Any]:
    """The settings of a descent that are not the defaults."""
    given, default = dataclasses.asdict(config), dataclasses.asdict(InversionConfig())
    return {name: value for name, value in given.items() if value != default[name]}


def _normalization_text(normalization: Normalization | None) -> str:
    """Its name, or its numbers."""
    known = [name for name, value in NORMALIZATIONS.items() if value == normalization]
    return known[0] if known or normalization is None else _as_text(normalization._asdict())


def _changed(what: str) -> ValueError:
    return ValueError(f"{what} changed since the sweep was begun; begin a new one")


def _config(cell: Cell) -> InversionConfig:
    return InversionConfig(**cell["inversion"])


@lru_cache(maxsize=1)
def _judge(text: str, size: int) -> Judge:
    asked = json.loads(text)
    sha256 = asked.pop("sha256")
    judge = load_judge(**asked, image_size=size)
    if sha256 != judge.record.get("sha256"):
        raise _changed(f"the weights {asked['weights']!r} of the judge have")
    return judge


@lru_cache(maxsize=2)
def _network(text: str) -> tuple[Network, Variables, Normalization | None]:
    settings = json.loads(text)
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings["model_fields"].items()
    }
    found = find_model(settings["model"], fields)
    of_cell = settings["weights"], settings.get("seed", 0), settings["size"]
    prefix = settings.get("weights_prefix")
    weights = weights_of(found, *of_cell, normalization=settings["normalization"], prefix=prefix)
    if settings["weights_sha256"] not in (None, weights.record.get("sha256")):
        raise _changed(f"the weights {settings['weights']!r} have")
    if settings["origin"] != json.loads(json.dumps(found.origin)):
        raise _changed(f"the model {settings['model']!r} has")
    return found.model, weights.variables, weights.normalization
