"""The zoo: small networks that come with the package, trained ones and their initialisations.

    zoo:resnet18_small/photos      trained on crops of photographs, initialised with seed 0
    zoo:resnet18_small/noise/1     trained on noise, initialised with seed 1
    zoo:resnet18_small/untrained/1 the initialisation with seed 1; computed, not stored
    zoo:photos_or_noise            a classifier of these two kinds of images

The files hold half precision. `zoo.json` beside them records how each network was trained, and its
accuracies.
"""

import dataclasses
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from depthjax.errors import unknown
from depthjax.files import file_sha256
from depthjax.models import Network, build_model

ZOO = Path(__file__).with_suffix("")
"""The folder of the zoo in the package."""

LISTING = "zoo.json"
UNTRAINED = ("resnet18_small", "vgg_small")
"""The architectures with untrained weights in the zoo."""

TASKS = {"photo_crops": "photos", "noise": "noise", "photos_or_noise": "photos_or_noise"}
"""Data sets, with the name of the networks that are trained on them."""


@dataclass(frozen=True)
class ZooNetwork:
    """A network of the zoo, and how it was trained.

    Fields:
        name: the full name, `resnet18_small/photos/0`.
        model, model_fields: the arguments of `build_model`.
        seed: of the initialisation.
        dataset, splits: the data set of training, validation and test; empty if untrained.
        epochs: of training.
        command: the command that trained it.
        accuracy: of the float32 weights, by split.
        half_accuracy: of the weights in the file, in half precision, by split.
        curve: the learning curve, columns by name (`epoch`, `train_loss`, …); None for values that
            were not measured.
        sha256: of the file; None if untrained, as there is no file.
    """

    name: str
    model: str
    seed: int
    model_fields: dict[str, Any] = field(default_factory=dict)
    dataset: str = ""
    splits: dict[str, str] = field(default_factory=dict)
    epochs: int = 0
    command: str = ""
    accuracy: dict[str, float] = field(default_factory=dict)
    half_accuracy: dict[str, float] = field(default_factory=dict)
    curve: dict[str, list[int | float | None]] = field(default_factory=dict)
    sha256: str | None = None

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.name.replace('/', '_')}.safetensors"

    def build(self) -> Network:
        """The model that has these weights."""
        return build_model(self.model, **self.model_fields)


def zoo_name(model: str, dataset: str, seed: int) -> str:
    """The name of a network: `resnet18_small/photos/0`, `photos_or_noise/0`.

    Raises:
        ValueError: for a data set that the zoo has no networks of.
    """
    kind = dataset.split("/")[0]
    if kind not in TASKS:
        raise unknown("data set of the zoo", kind, TASKS)
    task = TASKS[kind]
    return f"{task}/{seed}" if task == "photos_or_noise" else f"{model}/{task}/{seed}"


def zoo_card(folder: str | os.PathLike[str] = ZOO) -> dict[str, ZooNetwork]:
    """The networks with a file in a zoo, by name.

    Args:
        folder: of the zoo, with its `zoo.json`; empty if it has none.

    Raises:
        ValueError: if `zoo.json` cannot be read.
    """
    path = Path(folder) / LISTING
    if not path.is_file():
        return {}
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return {name: ZooNetwork(**{"name": name, **record}) for name, record in listed.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{str(path)!r} is damaged ({error}); install depthjax again") from error


def listing(networks: dict[str, ZooNetwork]) -> str:
    """The content of `zoo.json`, with one line per network."""
    lines = []
    for name, network in sorted(networks.items()):
        record = {k: v for k, v in dataclasses.asdict(network).items() if k != "name"}
        lines.append(f"{json.dumps(name)}: {json.dumps(record, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n" if lines else "{}\n"


def find(
    name: str, folder: str | os.PathLike[str] = ZOO
) -> tuple[ZooNetwork, Path | None, str | None]:
    """A network of the zoo with its file and the SHA-256 of the file.

    Args:
        name: `MODEL/photos`, `MODEL/noise/1`, `MODEL/untrained/1`, `photos_or_noise`; the seed is 0
            by default.
        folder: of the zoo.

    Returns:
        The network, the path and the SHA-256; the latter are None for an untrained network.

    Raises:
        ValueError: in one line, for an unknown name, and for a file that is missing or has another
            SHA-256 than `zoo.json` records.
    """
    known = zoo_card(folder)
    full = name if re.search(r"/\d+$", name) else f"{name}/0"
    model, _, rest = full.partition("/")
    if model in UNTRAINED and re.fullmatch(r"untrained/\d+", rest):
        return ZooNetwork(full, model, int(rest.partition("/")[2])), None, None
    if full not in known:
        names = [*known, *(f"{model}/untrained/SEED" for model in UNTRAINED)]
        raise unknown("network of the zoo", name, names)
    network = known[full]
    path = Path(folder) / network.file
    actual = file_sha256(path) if path.is_file() else None
    if actual is None or actual != network.sha256:
        fault = f"has the SHA-256 {actual}, not {network.sha256}" if actual else "is missing"
        raise ValueError(f"the file {network.file} of the zoo {fault}; install depthjax again")
    return network, path, actual
