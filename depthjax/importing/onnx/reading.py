"""From a file to a checked ONNX model; files are not trusted."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from depthjax.weights.reading import what_it_is

OLDEST_OPSET = 7


class Source(NamedTuple):
    """A model that has been checked.

    Fields:
        name: of the file, for messages.
        model: the protocol buffer (`onnx.ModelProto`).
        weights: its initialisers by name; half precision as float32.
        opset: of ONNX's own domain.
    """

    name: str
    model: Any
    weights: dict[str, np.ndarray]
    opset: int


def read_model(path: str | Path) -> Source:
    """Reads and checks a file.

    Weights may lie in other files of its folder, and nowhere else.

    Raises:
        FileNotFoundError: if it does not exist.
        ValueError: if it is no ONNX file, is cut off, contradicts itself or the standard, or reads
            other files than it may.
    """
    path = Path(path)
    model = _parsed(path)
    opset = _opset(path.name, model)
    weights = {tensor.name: _array(path, tensor) for tensor in model.graph.initializer}
    if model.graph.sparse_initializer:
        raise ValueError(f"{path.name} has sparse weights, which are not supported")
    _check_finite(path.name, weights)
    _check(path.name, model)
    return Source(path.name, model, weights, opset)


def _parsed(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    model, content = onnx.ModelProto(), path.read_bytes()
    if kind := what_it_is(content[:64]):
        raise ValueError(f"{path.name} is no ONNX file: {kind}")
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise ValueError(f"{path.name} is no ONNX file, or it is cut off") from None
    if not model.ir_version or not model.graph.node or not model.opset_import:
        raise ValueError(f"{path.name} is no ONNX file: it holds no graph")
    return model


def _opset(name: str, model: Any) -> int:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    asked = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not asked:
        domains = ", ".join(entry.domain for entry in model.opset_import)
        raise ValueError(f"{name} uses no operations of ONNX itself, only of {domains}")
    opset = max(asked)
    if opset > newest:
        raise ValueError(
            f"{name} is of opset {opset} and the installed onnx {onnx.__version__} knows up to"
            f" {newest}; update onnx, or export it again with a lower opset_version"
        )
    if opset < OLDEST_OPSET:
        raise ValueError(
            f"{name} is of opset {opset}, and {OLDEST_OPSET} is the oldest that is supported;"
            " convert it with onnx.version_converter.convert_version"
        )
    return opset


# ------------------------------------------------------------------------------------------ weights


def to_array(tensor: Any) -> np.ndarray:
    """The numbers of a tensor that the file itself holds.

    Raises:
        ValueError: if it has fewer or more of them than its shape says, or of a type that has none.
    """
    from onnx import numpy_helper

    _itemsize(tensor)
    elements = _elements(tensor)
    if elements * _itemsize(tensor) > tensor.ByteSize() * 8 + 8:  # a claim, before it is believed
        raise ValueError(f"{tensor.name or 'a constant'} claims more numbers than there are")
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{tensor.name or 'a constant'}: {_first_line(error)}") from None
    return single(array)


def single(array: np.ndarray) -> np.ndarray:
    """Numbers of half precision as float32; others as they are."""
    return array.astype(np.float32) if array.dtype.name in ("float16", "bfloat16") else array


def _array(path: Path, tensor: Any) -> np.ndarray:
    from onnx import TensorProto

    try:
        if tensor.data_location == TensorProto.EXTERNAL:
            return single(_external(path, tensor))
        return to_array(tensor)
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None


def _external(path: Path, tensor: Any) -> np.ndarray:
    """Numbers of another file in the same folder."""
    from onnx import helper

    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    file = _beside(path, location)
    itemsize, elements = _itemsize(tensor), _elements(tensor)
    offset = int(entries.get("offset") or 0)
    length = int(entries.get("length") or elements * itemsize)
    if length != elements * itemsize:
        raise ValueError(f"{tensor.name} of {[*tensor.dims]} does not fill {length} bytes")
    if offset < 0 or offset + length > file.stat().st_size:
        raise ValueError(f"{tensor.name} lies beyond the end of {location}")
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return np.fromfile(file, dtype, elements, offset=offset).reshape(tuple(tensor.dims))


def _beside(path: Path, location: str) -> Path:
    """A file in the model's folder or below it, that no link leads to."""
    folder = path.parent
    parts = Path(location).parts
    if not parts or Path(location).is_absolute() or ".." in parts or "\\" in location:
        raise ValueError(f"its weights would be read from {location!r}, outside its folder")
    steps = [folder.joinpath(*parts[: end + 1]) for end in range(len(parts))]
    if any(step.is_symlink() for step in steps):
        raise ValueError(f"its weights would be read through a link, {location!r}")
    if not steps[-1].is_file():
        raise ValueError(f"its weights are in {location!r}, which is missing; put it beside it")
    return steps[-1]


def _itemsize(tensor: Any) -> int:
    from onnx import TensorProto, helper

    kinds = TensorProto.DataType
    if (
        tensor.data_type in (kinds.UNDEFINED, kinds.STRING)
        or tensor.data_type not in kinds.values()
    ):
        raise ValueError(f"{tensor.name or 'a constant'} holds no numbers")
    name = kinds.Name(tensor.data_type)
    if name.startswith(("FLOAT8", "FLOAT4", "INT4", "UINT4", "INT2", "UINT2")):
        raise ValueError(f"{tensor.name or 'a constant'} is of type {name}, which is not supported")
    return int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _elements(tensor: Any) -> int:
    if any(size < 0 for size in tensor.dims):
        raise ValueError(f"{tensor.name or 'a constant'} has the shape {[*tensor.dims]}")
    return math.prod(tensor.dims)


def _check_finite(name: str, weights: dict[str, np.ndarray]) -> None:
    wrong = [
        key for key, array in weights.items() if array.dtype.kind == "f" and np.isnan(array).any()
    ]
    if wrong:
        raise ValueError(f"{name} has NaN in {', '.join(wrong[:3])}{' …' * (len(wrong) > 3)}")


# --------------------------------------------------------------------------------------- the checks


def _check(name: str, model: Any) -> None:
    """That the graph is one of the standard, and its types fit."""
    import onnx

    for fault in _disorder(model.graph):
        raise ValueError(f"{name} is no valid graph: {fault}")
    try:
        typed = onnx.shape_inference.infer_shapes(without_weights(model), check_type=True)
        # What follows a foreign operation has no shape, of which the checker would complain.
        shaped = [o for o in typed.graph.output if o.type.tensor_type.HasField("shape")]
        del typed.graph.output[:]
        typed.graph.output.extend(shaped)
        onnx.checker.check_model(typed)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"{name} is no valid graph: {_first_line(error)}") from None


def _disorder(graph: Any) -> Iterator[str]:
    """Why nodes cannot be computed one after the other, or a name means two things."""
    made = {tensor.name for tensor in graph.initializer} | {entry.name for entry in graph.input}
    all_made = made | {output for node in graph.node for output in node.output}
    for node in graph.node:
        for entry in node.input:
            if entry and entry not in made:
                reason = (
                    "only a later node makes (a cycle?)" if entry in all_made else "nothing makes"
                )
                yield f"{node.op_type} {node.name or node.output[0]} reads {entry}, which {reason}"
        for output in node.output:
            if output and output in made:
                yield f"{output} is made twice"
        made.update(node.output)


def without_weights(model: Any) -> Any:
    """The same model with its weights as inputs: small, whatever they are."""
    import onnx

    light = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name != "graph":
            target = getattr(light, field.name)
            if field.is_repeated:
                target.extend(value)
            else:
                setattr(light, field.name, value)
    light.graph.name = model.graph.name or "graph"
    light.graph.node.extend(model.graph.node)
    light.graph.input.extend(model.graph.input)
    light.graph.output.extend(model.graph.output)
    given = {entry.name for entry in model.graph.input}
    for tensor in model.graph.initializer:
        if tensor.name not in given:
            light.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return light


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{lines[0] if lines else type(error).__name__:.300}"
