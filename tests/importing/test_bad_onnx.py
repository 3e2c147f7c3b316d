"""Files that are damaged, wrong or not to be trusted: one clear line each."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import AttributeProto, TensorProto, helper
from onnx_files import kernel, model, node, saved

import depthjax

CONV = [node("Conv", "images k", "c", name="/conv/Conv"), node("Relu", "c", "r", name="/act/Relu")]
WEIGHTS = {"k": kernel(4, 3, 3, 3)}


def refused(path: Path, message: str, **settings: Any) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        depthjax.load_onnx(path, **settings)
    assert "\n" not in str(caught.value)


def test_no_onnx_at_all(tmp_path: Path) -> None:
    text = tmp_path / "page.onnx"
    text.write_text("<html>not found</html>")
    refused(text, r"page\.onnx is no ONNX file: it is a page of the web")
    text.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refused(text, r"page\.onnx is no ONNX file: it is Git LFS's pointer to the file \(git lfs pull")
    text.write_bytes(b"")
    refused(text, r"page\.onnx is no ONNX file: it is empty")
    text.write_bytes(b"\x08\x08")
    refused(text, r"page\.onnx is no ONNX file: it holds no graph")
    with pytest.raises(FileNotFoundError):
        depthjax.load_onnx(tmp_path / "none.onnx")


def test_a_truncated_file(tmp_path: Path) -> None:
    """Wherever it is cut off."""
    whole = saved(tmp_path, model(CONV, WEIGHTS)).read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(1, len(whole), 17):
        path.write_bytes(whole[:length])
        refused(path, r"cut\.onnx")


def test_graphs_that_cannot_be_computed(tmp_path: Path) -> None:
    cycle = [node("Add", "images b", "a"), node("Relu", "a", "b")]
    refused(
        saved(tmp_path, model(cycle)), r"Add a reads b, which only a later node makes \(a cycle"
    )
    refused(
        saved(tmp_path, model(CONV[::-1], WEIGHTS)), "Relu /act/Relu reads c, which only a later"
    )
    refused(saved(tmp_path, model(CONV)), "Conv /conv/Conv reads k, which nothing makes")
    twice = [node("Relu", "images", "r"), node("Abs", "images", "r")]
    refused(saved(tmp_path, model(twice)), "r is made twice")


def test_graphs_of_wrong_types(tmp_path: Path) -> None:
    whole = {"k": kernel(4, 3, 3, 3).astype(np.int64)}
    refused(saved(tmp_path, model(CONV, whole)), "model.onnx is no valid graph: .*int64")
    made_up = [node("Relu", "images", "r", colour=3)]
    refused(saved(tmp_path, model(made_up)), "no valid graph: .*colour")
    flat = {"k": kernel(4, 5, 3, 3)}
    refused(saved(tmp_path, model(CONV, flat)), "takes 5 channels|no valid graph")


def test_opsets_and_domains(tmp_path: Path) -> None:
    refused(saved(tmp_path, model(CONV, WEIGHTS, opset=6)), "opset 6, and 7 is the oldest")
    made = model(CONV, WEIGHTS)
    made.opset_import[0].version = 1000
    refused(saved(tmp_path, made), "of opset 1000 and the installed onnx .* update onnx")
    foreign = helper.make_node("FusedConv", ["r"], ["f"], domain="com.vendor", name="/head/Fused")
    nodes = [*CONV, foreign, node("Relu", "f", "out"), node("NonZero", "r", "z")]
    nodes = [*nodes[:3], nodes[4], nodes[3]]
    path = saved(tmp_path, model(nodes, WEIGHTS, domains={"com.vendor": 1}))
    refused(path, r"not supported: com\.vendor\.FusedConv \(1\), NonZero \(1\); .*until='act'")
    network, _ = depthjax.load_onnx(path, until="act")  # and so it is
    assert depthjax.layer_names(network) == ("conv", "act")
    refused(path, "unknown layer 'head'|FusedConv", until="head")


def test_loops_are_named(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Relu", "x", "y")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8, 8]),
        ],
    )
    loop = helper.make_node("Loop", ["n", "", "images"], ["out"], body=body)
    refused(saved(tmp_path, model([loop], {"n": np.asarray(3)})), r"not supported: Loop \(1\)")


def test_what_takes_no_images(tmp_path: Path) -> None:
    flat = model([node("Relu", "images", "r")], images=(1, 10))
    refused(saved(tmp_path, flat), "takes images of rank 2, not images alone")
    two = model([node("Add", "images other", "a")])
    two.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    refused(saved(tmp_path, two), "takes images of rank 4, other of rank 1, not images alone")
    constant = model([node("Identity", "k", "out")], {"k": kernel(2, 2)})
    refused(saved(tmp_path, constant), "does not depend on its input")


def test_a_fixed_batch_that_is_written_into_shapes(tmp_path: Path) -> None:
    """One image is tried; a shape that only all of them fill is named."""
    shapes = {"shape": np.asarray([4, 192])}
    fits = model([node("Reshape", "images shape", "out")], shapes, images=(4, 3, 8, 8))
    _, variables = depthjax.load_onnx(saved(tmp_path, fits))
    assert not variables["params"]
    shapes = {"shape": np.asarray([16, 48])}
    windows = model([node("Reshape", "images shape", "out")], shapes, images=(4, 3, 8, 8))
    refused(saved(tmp_path, windows), "exported for 4 images at once: export it with a free batch")


def test_nan_weights(tmp_path: Path) -> None:
    bad = {"k": np.where(np.arange(108).reshape(4, 3, 3, 3) == 5, np.nan, WEIGHTS["k"])}
    refused(saved(tmp_path, model(CONV, {"k": bad["k"].astype(np.float32)})), "has NaN in k")


# -------------------------------------------------------------------------------- claims and paths


def external(location: str, length: int | None = None, offset: int = 0, dims: Any = None) -> Any:
    """The model with its kernel in another file."""
    made = model(CONV, WEIGHTS)
    (tensor,) = made.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    if dims is not None:
        del tensor.dims[:]
        tensor.dims.extend(dims)
    for key, value in (("location", location), ("length", length), ("offset", offset)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    return made


def test_weights_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    data = b"\0" * 16 + WEIGHTS["k"].tobytes()
    (tmp_path / "parts" / "weights.bin").write_bytes(data)
    path = saved(tmp_path, external("parts/weights.bin", offset=16))
    _, variables = depthjax.load_onnx(path)
    found = variables["params"]["conv"]["kernel"]
    np.testing.assert_array_equal(found, WEIGHTS["k"].transpose(2, 3, 1, 0))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda folder: external("none.bin"), "in 'none.bin', which is missing"),
        (lambda folder: external("../weights.bin"), "'../weights.bin', outside its folder"),
        (lambda folder: external("a/../../weights.bin"), "outside its folder"),
        (lambda folder: external(str(folder / "weights.bin")), "outside its folder"),
        (lambda folder: external("C:\\weights.bin"), "outside its folder"),
        (lambda folder: external(""), "outside its folder"),
        (lambda folder: external("link.bin"), "through a link"),
        (lambda folder: external("linked/weights.bin"), "through a link"),
        (lambda folder: external("folder"), "which is missing"),
        (lambda folder: external("short.bin"), "beyond the end of short.bin"),
        (lambda folder: external("short.bin", offset=-8), "beyond the end of short.bin"),
        (lambda folder: external("short.bin", 2**31), "does not fill 2147483648 bytes"),
        (
            lambda folder: external("short.bin", 2**31, dims=(2**29,)),
            "beyond the end of short.bin",
        ),
    ],
)
def test_other_files_are_not_trusted(
    tmp_path: Path, made: Callable[[Path], Any], message: str
) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "weights.bin").write_bytes(WEIGHTS["k"].tobytes())
    (folder / "short.bin").write_bytes(WEIGHTS["k"].tobytes()[:-4])
    os.symlink(tmp_path / "weights.bin", folder / "link.bin")
    os.symlink(tmp_path, folder / "linked")
    refused(saved(folder, made(tmp_path)), message)


def test_claims_are_not_believed(tmp_path: Path) -> None:
    """A file of a kilobyte that speaks of gigabytes."""
    made = model(CONV, WEIGHTS)
    del made.graph.initializer[0].dims[:]
    made.graph.initializer[0].dims.extend([2**15, 2**14, 1, 1])
    path = saved(tmp_path, made)
    assert path.stat().st_size < 1024
    refused(path, "k claims more numbers than there are")
    large = [node("ConstantOfShape", "n", "z"), node("Add", "images z", "out")]
    many = {"n": np.asarray([2**16, 2**16])}
    refused(saved(tmp_path, model(large, many)), "more numbers of constants than any network needs")
    made = model(CONV, WEIGHTS)
    made.graph.initializer[0].dims[0] = -4
    refused(saved(tmp_path, made), r"has the shape \[-4, 3, 3, 3\]")
    made = model(CONV, WEIGHTS)
    made.graph.initializer[0].data_type = TensorProto.INT4
    refused(saved(tmp_path, made), "of type INT4, which is not supported")


def test_unknown_attributes_are_no_crash(tmp_path: Path) -> None:
    """Whatever a file holds in place of an integer."""
    made = model(CONV, WEIGHTS)
    made.graph.node[0].attribute.add(name="group", type=AttributeProto.STRING, s=b"two")
    refused(saved(tmp_path, made), "no valid graph")
