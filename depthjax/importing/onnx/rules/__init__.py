"""What ONNX's operations mean, by theme; importing this package registers all rules."""

from depthjax.importing.onnx.rules import (
    attention,
    convolutions,
    elementwise,
    indexing,
    normalisation,
    poolings,
    products,
    reductions,
    resizing,
    shapes,
)

__all__ = [
    "attention",
    "convolutions",
    "elementwise",
    "indexing",
    "normalisation",
    "poolings",
    "products",
    "reductions",
    "resizing",
    "shapes",
]
