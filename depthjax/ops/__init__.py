"""Numerical kernels with PyTorch's semantics, exact in value and in both derivatives."""
