"""`load_onnx`: a file of the ONNX standard as a network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from depthjax.errors import unknown
from depthjax.importing.building import Builder
from depthjax.importing.finishing import Output, finish, module_outputs
from depthjax.importing.network import ImportedNetwork
from depthjax.importing.onnx.interpreter import MISSING, Interpreter, known_weight
from depthjax.importing.onnx.naming import clean, scopes, shared_scopes
from depthjax.importing.onnx.reading import Source, read_model
from depthjax.importing.values import Value
from depthjax.models.network import INPUT

DEFAULT_SIZE = 224


def load_onnx(
    path: str | Path, *, image_size: int | tuple[int, int] | None = None, until: str | None = None
) -> tuple[ImportedNetwork, dict[str, Any]]:
    """An ONNX file as a network, with its weights.

    Layers are named as the modules of the source, where the file says so: PyTorch's exporters and
    TensorFlow's converters write them into the nodes. Else they are named as their tensors. The
    pixels go into the network as they are: what the source's data pipeline did to them (mean,
    deviation, a scale of 255) is for `Layer(…, normalization=…)`, or for the file itself. Only a
    file that takes bytes (uint8) gets them from 0 to 255.

    Args:
        path: of the file; it may read weights from other files in its folder.
        image_size: height and width, or one number for both, where the file leaves them open.
            Default: 224.
        until: the layer or tensor that the network ends with, by default the first output.

    Returns:
        A `Network` that takes `[B, H, W, C]`, whether the source has channels first or last, and
        its variables in float32 (float64 where the file has it and x64 is on).

    Raises:
        ImportError: without the package `onnx`.
        FileNotFoundError: if there is no such file.
        ValueError: if it is no ONNX file, damaged or not to be trusted; if it takes no images; if
            it uses operations that are not supported, of which all are named.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise ImportError(
            "load_onnx needs the package onnx: pip install 'depthjax[onnx]'"
        ) from None
    source = read_model(path)
    return _lowered(source, image_size, until)


def _lowered(
    source: Source, image_size: int | tuple[int, int] | None, until: str | None
) -> tuple[ImportedNetwork, dict[str, Any]]:
    graph = source.model.graph
    build = Builder()
    entry = _image_input(source)
    images, batch = _images(source.name, entry, image_size)
    prefix = shared_scopes([scopes(node) for node in graph.node])
    interpreter = Interpreter(build, source.opset, source.model.functions, prefix, batch)
    scope: dict[str, Any] = {
        name: known_weight(name, array) for name, array in source.weights.items()
    }
    try:
        scope[entry.name] = build.pixels(images, _dtype(entry))
        interpreter.run(graph.node, scope, [entry.name for entry in graph.output])
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}{_batch_hint(batch)}") from error
    # A tensor of no module is a layer by its own name.
    layers = module_outputs([(m.scopes or (clean(m.name),), m.value) for m in interpreter.made])
    result = _result(source, interpreter, scope, layers, until)
    tensors = {clean(made.name): made.value for made in interpreter.made}
    return finish(build, source.name, images, result, layers, others=tensors)


def _batch_hint(batch: int) -> str:
    if batch == 1:
        return ""
    return f"; it was exported for {batch} images at once: export it with a free batch, or for one"


# --------------------------------------------------------------------------------------- its images


def _image_input(source: Source) -> Any:
    """The one input that is no weight, which must be images."""
    inputs = [entry for entry in source.model.graph.input if entry.name not in source.weights]
    ranks = [len(entry.type.tensor_type.shape.dim) for entry in inputs]
    if ranks != [4]:
        found = ", ".join(f"{e.name} of rank {rank}" for e, rank in zip(inputs, ranks, strict=True))
        raise ValueError(f"{source.name} takes {found or 'nothing'}, not images alone (rank 4)")
    return inputs[0]


def _dtype(entry: Any) -> str:
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type).name


def _images(name: str, entry: Any, image_size: int | tuple[int, int] | None) -> tuple[Value, int]:
    """The images, and how many of them the file was exported for."""
    batch, *sizes = [dim.dim_value or None for dim in entry.type.tensor_type.shape.dim]
    last = sizes[2] in (1, 3, 4) and sizes[0] not in (1, 3, 4)
    channels, given = (sizes[2], sizes[:2]) if last else (sizes[0], sizes[1:])
    wanted = (image_size, image_size) if isinstance(image_size, int) else image_size
    for asked, held in zip(wanted or (), given, strict=False):
        if held is not None and asked != held:
            shown = "×".join(str(size or "any") for size in given)
            raise ValueError(f"{name} holds images of {shown}; load it without image_size")
    height, width = (
        held or asked
        for held, asked in zip(given, wanted or (DEFAULT_SIZE, DEFAULT_SIZE), strict=True)
    )
    shape = (height, width, channels or 3)
    if last:
        value = Value(INPUT, (1, *shape), (1, 2, 3), "float32")
    else:
        value = Builder().images((1, shape[2], height, width))
    return value, batch if batch and batch > 1 else 1


# --------------------------------------------------------------------------------------- its layers


def _result(
    source: Source,
    interpreter: Interpreter,
    scope: dict[str, Any],
    layers: Sequence[Output],
    until: str | None,
) -> Value:
    named = {made.name: made.value for made in interpreter.made}
    named |= {clean(name): value for name, value in named.items()}
    named |= {layer.name: layer.value for layer in layers}
    if until is not None:
        if until not in named:
            _refuse(source, interpreter, layers)
            raise unknown("layer", until, list(named), hint=f"of {source.name}")
        return named[until]
    result = scope[source.model.graph.output[0].name]
    if result is MISSING:
        _refuse(source, interpreter, layers)
    if not isinstance(result, Value):
        raise ValueError(f"the output of {source.name} does not depend on its input")
    return result


def _refuse(source: Source, interpreter: Interpreter, layers: Sequence[Output]) -> None:
    """Says which operations are missing, if any are, and what can be had without them."""
    if not interpreter.missing:
        return
    listed = ", ".join(f"{name} ({n})" for name, n in interpreter.missing.most_common())
    hint = "no layer can be had without them"
    if layers:
        last = max(layers, key=lambda layer: list(interpreter.build.values).index(layer.value.node))
        hint = f"the layers up to {last.name} can be had: load_onnx(…, until={last.name!r})"
    raise ValueError(f"{source.name} uses operations that are not supported: {listed}; {hint}")
