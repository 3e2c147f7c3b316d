"""Networks of other libraries as networks of ours: a graph of our operations, channels last.

`torch/` reads what `torch.export` makes of a module, `onnx/` files of that standard. They say by
rules what each operation means; `building.py` knows where the source's axes lie in our activations,
`layers.py` has what sources share, and `finishing.py` names the nodes and checks all shapes.
"""

from depthjax.importing.network import ImportedNetwork
from depthjax.importing.onnx import load_onnx
from depthjax.importing.torch import from_torch

__all__ = ["ImportedNetwork", "from_torch", "load_onnx"]
