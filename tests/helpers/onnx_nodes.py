"""Runs the node tests of `onnx.backend.test` on the rules of the importer."""

import importlib
import pkgutil
import re
import warnings
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import numpy_helper

from depthjax.importing.building import Builder
from depthjax.importing.onnx.interpreter import Interpreter
from depthjax.importing.onnx.reading import single
from depthjax.importing.values import Known, Value
from depthjax.models.operations import describe

# Which inputs must be known while importing: weights, and what shapes are made of.
KNOWN = {
    **{"Conv": (1, 2), "ConvTranspose": (1, 2), "BatchNormalization": (1, 2, 3, 4)},
    **{"InstanceNormalization": (1, 2), "GroupNormalization": (1, 2), "LayerNormalization": (1, 2)},
    **{"Gather": (1,), "GatherElements": (1,), "GatherND": (1,), "ScatterElements": (1,)},
    **{"Scatter": (1,), "ScatterND": (1,), "Reshape": (1,), "Expand": (1,), "Tile": (1,)},
    **{"Pad": (1, 2, 3), "Slice": (1, 2, 3, 4), "Squeeze": (1,), "Unsqueeze": (1,), "Split": (1,)},
    **{"Resize": (1, 2, 3), "Upsample": (1,), "Trilu": (1,), "OneHot": (1, 2), "CumSum": (1,)},
    **{"CumProd": (1,), "TopK": (1,), "Compress": (1,), "ReverseSequence": (1,), "Dropout": (1, 2)},
    **{"CenterCropPad": (1,), "ConstantOfShape": (0,), "Range": (0, 1, 2)},
    **{"RotaryEmbedding": (3,), "BlackmanWindow": (0,), "HannWindow": (0,), "HammingWindow": (0,)},
}

_VALUES = "what it gives depends on values, not only on shapes"
_PLACES = "it samples at computed places"
_TYPES = "a type of less than a byte, or of 8 floating bits"
# Operations without a rule, and why; a test that has one of them is left out.
WITHOUT_RULE = {
    **dict.fromkeys(("Adagrad", "Adam", "Momentum"), "training"),
    **dict.fromkeys(("Loop", "Scan", "LinearAttention", "SequenceMap"), "a loop"),
    **dict.fromkeys(("RNN", "GRU", "LSTM", "CausalConvWithState"), "recurrent: it carries a state"),
    **dict.fromkeys(("TensorScatter",), "recurrent: it carries a cache"),
    **dict.fromkeys(("Bernoulli", "RandomUniformLike"), "random numbers"),
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), "a loss of labels"),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"), "quantised"),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"), "quantised"),
    **dict.fromkeys(("SequenceEmpty", "SequenceInsert", "SequenceLength"), "a sequence"),
    **dict.fromkeys(("SplitToSequence",), "a sequence"),
    **dict.fromkeys(("OptionalGetElement", "OptionalHasElement"), "an optional"),
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer"), "strings"),
    **dict.fromkeys(("StringSplit", "TfIdfVectorizer"), "strings"),
    **dict.fromkeys(("Binarizer", "LabelEncoder", "TreeEnsemble"), "no network (ai.onnx.ml)"),
    **dict.fromkeys(("ArrayFeatureExtractor",), "no network (ai.onnx.ml)"),
    **dict.fromkeys(("DFT", "STFT", "MelWeightMatrix"), "audio"),
    **dict.fromkeys(("ImageDecoder",), "it reads files of images"),
    **dict.fromkeys(("NonMaxSuppression", "NonZero", "Unique"), _VALUES),
    **dict.fromkeys(("GridSample", "DeformConv", "AffineGrid", "RoiAlign"), _PLACES),
    **dict.fromkeys(("MaxUnpool", "Col2Im"), "it writes to computed places"),
    **dict.fromkeys(("Det", "BitCast", "FlexAttention"), "no vision network that we know has it"),
}
# What operations with a rule do not do, by the name of the test.
EXCLUDED = {
    r"(batchnorm_.*|training_dropout.*)training|^test_training_dropout": "training mode",
    r"nllloss|test_sce_": "a loss of labels",
    r"(FLOAT8|FLOAT4|INT4|INT2|e4m3|e5m2|e8m0)": _TYPES,
    r"bernoulli": "random numbers",
    r"affine_grid": _PLACES,
    r"maxpool_with_argmax": "the places of the winners",
    r"maxpool_2d_uint8": "whole numbers have no −∞ to pad with",
    r"test_identity_(sequence|opt)|sequence_map|test_if": "a sequence, or a condition on values",
    r"test_equal_string": "strings",
    r"dynamicquantizelinear": "quantised",
    r"resize_downsample_scales_.*_align_corners": "its last corner lies between pixels",
    r"reduce_(max|min)_empty_set|allowzero": "a tensor without elements",
    r"scatter.*_(add|max|min|mul|multiply)(_|$)|duplicate_indices": "it adds up what meets",
    r"center_crop_pad.*expanded": "padding computed of an input that is not known there",
    r"(blackman|hamming|hann)window.*expanded|test_range_.*expanded": "a loop",
}


def reason_to_exclude(case: Any) -> str | None:
    """Why a test is left out; None if it must pass."""
    for pattern, reason in EXCLUDED.items():
        if re.search(pattern, case.name):
            return reason
    kinds = {node.op_type for node in case.model.graph.node}
    return next((WITHOUT_RULE[kind] for kind in sorted(kinds) if kind in WITHOUT_RULE), None)


def node_cases(without: Collection[str] = ()) -> list[Any]:
    """The tests of the installed onnx; they are made when their modules are imported.

    Args:
        without: modules that are not imported.
    """
    from onnx.backend.test.case import node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in pkgutil.iter_modules(node.__path__):
            if found.name not in without:
                importlib.import_module(f"{node.__name__}.{found.name}")
    return [case for case in node._NodeTestCases if case.model is not None]


def run_case(case: Any) -> None:
    """Raises if the rules give something else than the test expects.

    Every axis of an input is an ordinary one here: the batch is another axis of size 1 before them.
    """
    graph = case.model.graph
    half = any(
        entry.type.tensor_type.elem_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
        for entry in (*graph.input, *graph.output)
    )
    tolerance = {"rtol": 1e-2, "atol": 1e-2} if half else {"rtol": case.rtol, "atol": case.atol}
    for inputs, outputs in case.data_sets:
        build, scope, stored = _given(graph, inputs)
        (opset,) = (o.version for o in case.model.opset_import if o.domain in ("", "ai.onnx"))
        interpreter = Interpreter(build, opset, case.model.functions)
        interpreter.run(graph.node, scope, [entry.name for entry in graph.output])
        if interpreter.missing:
            raise NotImplementedError(f"no rule for {dict(interpreter.missing)}")
        _compute(build, stored)
        for entry, expected in zip(graph.output, outputs, strict=True):
            wanted = single(_array(expected))
            found = _found(scope[entry.name], stored)
            assert found.shape == wanted.shape, f"{entry.name}: {found.shape}, {wanted.shape}"
            np.testing.assert_allclose(
                found.astype(np.float64), wanted.astype(np.float64), **tolerance
            )


def _array(given: Any) -> np.ndarray:
    is_tensor = isinstance(given, onnx.TensorProto)
    return np.asarray(numpy_helper.to_array(given) if is_tensor else given)


def _given(graph: Any, inputs: Any) -> tuple[Builder, dict[str, Any], dict[str, Any]]:
    """The inputs of a test, as values or known tensors."""
    must_be_known = {
        name
        for node in graph.node
        for place, name in enumerate(node.input)
        if place in KNOWN.get(node.op_type, (1,) if node.op_type.startswith("Reduce") else ())
    }
    scope: dict[str, Any] = {t.name: Known(_array(t)) for t in graph.initializer}
    stored = {}
    for entry, given in zip(graph.input, inputs, strict=True):
        array = single(_array(given))
        if entry.name in must_be_known:
            scope[entry.name] = Known(array)
            continue
        node = f"input {entry.name}"
        scope[entry.name] = Value(node, array.shape, tuple(range(array.ndim)), array.dtype.name)
        stored[node] = jnp.asarray(array)[None]
    return Builder(), scope, stored


def _compute(build: Builder, stored: dict[str, Any]) -> None:
    """The activations of all nodes."""

    @jax.jit
    def computed(stored: dict[str, Any], weights: Any) -> dict[str, Any]:
        for node in build.nodes:
            inputs = [stored[name] for name in node.inputs]
            variables = {
                group: held[node.name] for group, held in weights.items() if node.name in held
            }
            if hasattr(node.operation, "apply"):
                mode = describe(node.operation).mode(False)
                made = node.operation.apply(variables, *inputs, **mode)
            else:
                made = node.operation(*inputs)
            stored = {**stored, node.name: made}
            assert made.shape[1:] == build.values[node.name].stored, node
        return stored

    stored.update(computed(stored, jax.tree.map(jnp.asarray, build.variables)))


def _found(operand: Any, stored: dict[str, Any]) -> np.ndarray:
    if isinstance(operand, Known):
        return operand.array
    array = np.asarray(stored[operand.node])[0]
    left_out = [axis for axis in range(operand.rank) if axis not in operand.order]
    array = array.reshape((*array.shape, *(1,) * len(left_out)))
    return array.transpose(np.argsort((*operand.order, *left_out)).astype(int))
