"""ONNX files as networks; the package `onnx` is needed only to import them."""

from depthjax.importing.onnx.importer import load_onnx

__all__ = ["load_onnx"]
