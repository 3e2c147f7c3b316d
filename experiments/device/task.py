"""What a part is told, and how it says what it has found."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tell = Callable[[dict[str, Any]], None]
"""Called with all the numbers so far, whenever there are more of them."""
Rows = list[tuple[str, str]]
"""Of the table: what was measured, and its value."""


class Absent(Exception):
    """What a part needs is not there; the message says what."""


@dataclass(frozen=True)
class Network:
    """The network that parts measure.

    Fields:
        model, fields: as in `depthjax.build_model`.
        layer: where it is cut.
        size: height and width of the images in pixels.
        photographs: how many are recovered where the batch is not what is varied.
    """

    model: str
    fields: dict[str, Any]
    layer: str
    size: int
    photographs: int


_FULL = Network("resnet50", {}, "layer3", 224, 4)
_FIELDS = {"width": 4, "stage_sizes": [1, 1], "num_classes": 3}
_SMALL = Network("resnet18", _FIELDS, "layer1", 16, 2)


@dataclass(frozen=True)
class Task:
    """How a part is asked.

    Fields:
        device: platform and kind, `gpu: NVIDIA H200`; empty before it is known.
        small: whether everything is tiny, for a CPU.
        peers_python: interpreter that has PyTorch; empty for none.
        tests_list: file with the paths of tests, one in a line.
    """

    device: str = ""
    small: bool = False
    peers_python: str = ""
    tests_list: str = ""

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """The way back from `to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def platform(self) -> str:
        """`cpu`, `gpu` or `tpu`."""
        return self.device.partition(":")[0]

    @property
    def network(self) -> Network:
        """What is measured."""
        return _SMALL if self.small else _FULL
