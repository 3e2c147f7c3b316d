"""PyTorch's modules as networks, by `torch.export`; PyTorch is needed only to import them."""

from depthjax.importing.torch.importer import from_torch

__all__ = ["from_torch"]
