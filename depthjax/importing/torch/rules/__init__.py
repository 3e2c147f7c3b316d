"""What PyTorch's operations mean, by theme; importing this package registers all rules."""

from depthjax.importing.torch.rules import elementwise, layers, poolings, reductions, shapes

__all__ = ["elementwise", "layers", "poolings", "reductions", "shapes"]
