"""What a child process is told. Known to every contender, so nothing but NumPy is imported here."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Job:
    """A network cut at a layer, the photographs to recover from it and where to start.

    Fields:
        folder: where `inputs.py` wrote the arrays.
        model, fields: as in `depthjax.build_model`.
        node: the layer, by the peer's name of the operation that ends it.
        batch, size: how many photographs, and their height and width in pixels.
        restarts: starts for each photograph.
        preset: settings of the descent, see `InversionConfig.from_word`.
        steps: at most so many; 0 for the preset's.
        normalization: mean and standard deviation of the pixels that the network was trained on.
        peer: the same network in PyTorch, `torchvision:NAME` or `timm:NAME`.
    """

    folder: str
    model: str
    fields: dict[str, Any]
    node: str
    batch: int
    size: int
    restarts: int = 1
    preset: str = "paper"
    steps: int = 0
    normalization: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    peer: str = ""

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """The way back from `to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def weights_file(self) -> Path:
        """The peer's state dict as .npz."""
        return Path(self.folder) / f"weights-{self.size}.npz"

    @property
    def images_file(self) -> Path:
        """`images` and `start`, float32."""
        return Path(self.folder) / f"images-{self.batch}x{self.restarts}-{self.size}.npz"

    def weights(self) -> dict[str, np.ndarray]:
        """Names of the peer's weights to arrays in PyTorch's layout."""
        with np.load(self.weights_file) as file:
            return dict(file)

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Photographs and starts, each `[restarts · batch, size, size, 3]`, float32."""
        with np.load(self.images_file) as file:
            return file["images"], file["start"]
