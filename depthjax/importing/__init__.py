"""Networks of other libraries as networks of ours: a graph of our operations, channels last.

`torch/` reads what `torch.export` makes of a module, `onnx/` files of that standard. They say by
rules what each operation means; `building.py` knows where the source's axes lie in our activations,
`layers.py` has what sources share, and `finishing.py` names the nodes and checks all shapes.
`saving.py` keeps a network in a folder, `encoding.py` says how its graph is written, and
`specifications.py` finds all of them by name.
"""

import depthjax.importing.specifications  # noqa: F401, which registers the names
from depthjax.importing.network import ImportedNetwork
from depthjax.importing.onnx import load_onnx
from depthjax.importing.saving import SavedNetwork, load_network, save_network
from depthjax.importing.torch import from_torch

__all__ = [
    "ImportedNetwork",
    "SavedNetwork",
    "from_torch",
    "load_network",
    "load_onnx",
    "save_network",
]
