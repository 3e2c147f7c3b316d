"""ONNX files as networks: what they compute, against ONNX's own reference implementation."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_files import kernel, model, node, saved

import depthjax
from depthjax.models.layers import Layer
from depthjax.models.operations import relu6


def compare(folder: Path, made: Any, channels_last: bool = False, **settings: Any) -> Any:
    """Loads a model, checks its output against the reference, and returns the network."""
    network, variables = depthjax.load_onnx(saved(folder, made), **settings)
    compare_at(made, network, variables, network.content.image_shape[:2], channels_last)
    return network, variables


def compare_at(
    made: Any, network: Any, variables: Any, size: tuple[int, int], channels_last: bool = False
) -> None:
    """Checks the output of an image of some size against the reference."""
    images = np.random.default_rng(0).uniform(size=(1, *size, network.content.image_shape[2]))
    images = images.astype(np.float32)
    given = images if channels_last else images.transpose(0, 3, 1, 2)
    (expected,) = ReferenceEvaluator(made).run(None, {"images": given})
    output, _ = network.apply(variables, jnp.asarray(images))
    value = network.in_source(network.graph()[-1].name)
    left_out = [axis for axis in range(value.rank) if axis not in value.order]
    found = np.asarray(output)[0][(..., *(None,) * len(left_out))]
    found = found.transpose(np.argsort((*value.order, *left_out)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


CONVNET = [
    node("Conv", "images conv1.weight conv1.bias", "c", name="/conv1/Conv", pads=[1, 1, 1, 1]),
    helper.make_node(
        "BatchNormalization",
        ["c", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"],
        ["n"],
        name="/bn1/BatchNormalization",
    ),
    node("Relu", "n", "r", name="/relu/Relu"),
    node("MaxPool", "r", "p", name="/pool/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    node("GlobalAveragePool", "p", "g", name="/head/head.0/GlobalAveragePool"),
    node("Flatten", "g", "f", name="/head/head.1/Flatten"),
    node("Gemm", "f head.2.weight head.2.bias", "logits", name="/head/head.2/Gemm", transB=1),
]
CONVNET_WEIGHTS = {
    "conv1.weight": kernel(4, 3, 3, 3),
    "conv1.bias": kernel(4),
    "bn1.weight": np.abs(kernel(4)) + 0.5,
    "bn1.bias": kernel(4, seed=1),
    "bn1.running_mean": kernel(4, seed=2),
    "bn1.running_var": np.abs(kernel(4, seed=3)) + 0.5,
    "head.2.weight": kernel(5, 4),
    "head.2.bias": kernel(5),
}


def test_a_convnet_has_its_modules_for_layers_and_takes_its_state_dict(tmp_path: Path) -> None:
    network, variables = compare(tmp_path, model(CONVNET, CONVNET_WEIGHTS))
    names = ("conv1", "bn1", "relu", "pool", "head.0", "head.2")
    assert depthjax.layer_names(network) == names
    assert Layer(network, "head") == Layer(network, "head.2")
    assert set(variables["params"]) == {"conv1", "bn1", "head.2"}
    state = depthjax.to_torch_state_dict(variables, network)
    for name, array in CONVNET_WEIGHTS.items():
        np.testing.assert_array_equal(state[name], array)


def test_a_module_may_be_named_as_the_images_are(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "images input.weight", "a", name="/input/Conv", pads=[1, 1, 1, 1]),
        node("Conv", "a params.0.weight", "b", name="/params/params.0/Conv"),
        node("Relu", "b", "c", name="/params/params.1/Relu"),
        node("Conv", "c head.weight", "d", name="/head/Conv"),
    ]
    weights = {
        "input.weight": kernel(3, 3, 3, 3),
        "params.0.weight": kernel(4, 3, 3, 3),
        "head.weight": kernel(5, 4, 1, 1),
    }
    network, variables = compare(tmp_path, model(nodes, weights))
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 8, 3)), jnp.float32)
    assert Layer(network, "input")(variables, images).shape == (2, 8, 8, 3)
    assert (Layer(network, "params")(variables, images) >= 0).all()
    state = depthjax.to_torch_state_dict(variables, network)
    assert state.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(state[name], array)


def test_a_layer_of_it_is_prepared_as_ours(tmp_path: Path) -> None:
    """Convolution and BatchNorm become one step."""
    network, variables = depthjax.load_onnx(saved(tmp_path, model(CONVNET, CONVNET_WEIGHTS)))
    layer = Layer(network, "pool")
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 8, 3)), jnp.float32)
    prepared, weights = layer.prepare(variables)
    np.testing.assert_allclose(
        prepared(weights, images), layer(variables, images), rtol=1e-5, atol=1e-5
    )


def test_images_may_have_channels_last(tmp_path: Path) -> None:
    """As Keras and TensorFlow have them: the transpositions around convolutions cost nothing."""
    nodes = [
        node("Transpose", "images", "t", perm=[0, 3, 1, 2], name="net/block1/conv/Transpose"),
        node("Conv", "t k", "c", pads=[1, 1, 1, 1], name="net/block1/conv/Conv2D"),
        node("Transpose", "c", "u", perm=[0, 2, 3, 1], name="net/block1/conv/Back"),
        node("Add", "u b", "a", name="net/block1/conv/BiasAdd"),
        node("Relu", "a", "r", name="net/block1/relu/Relu"),
        node("ReduceMean", "r", "m", axes=[1, 2], keepdims=0, name="net/pool/Mean"),
        node("MatMul", "m w", "l", name="net/logits/MatMul"),
        node("Add", "l d", "out", name="net/logits/BiasAdd"),
    ]
    weights = {"k": kernel(4, 3, 3, 3), "b": kernel(4), "w": kernel(4, 5), "d": kernel(5)}
    made = model(nodes, weights, images=("batch", 6, 8, 3))
    network, _ = compare(tmp_path, made, channels_last=True)
    assert network.content.image_shape == (6, 8, 3)
    assert depthjax.layer_names(network) == ("block1", "pool", "logits")
    kinds = [type(n.operation).__name__ for n in network.graph()]
    assert "Transpose" not in kinds
    assert kinds.count("Dense") == 1  # the product and its bias are one layer


def _taking(kind: int, nodes: list[Any]) -> Any:
    made = model(nodes, {"k": kernel(4, 3, 3, 3)}, images=(1, 8, 8, 3))
    made.graph.input[0].type.tensor_type.elem_type = kind
    return made


def test_a_file_that_takes_bytes_gets_pixels_from_0_to_255(tmp_path: Path) -> None:
    nodes = [
        node("Cast", "images", "f", to=TensorProto.FLOAT),
        node("Transpose", "f", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t k", "c"),
    ]
    made = _taking(TensorProto.UINT8, nodes)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    (expected,) = ReferenceEvaluator(made).run(None, {"images": pixels})
    network, variables = depthjax.load_onnx(saved(tmp_path, made))
    ours = Layer(network, "c")(variables, jnp.asarray(pixels / 255, jnp.float32))
    np.testing.assert_allclose(ours, expected.transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-3)
    with pytest.raises(
        ValueError, match=r"model\.onnx: it takes images of int32, and only of uint8"
    ):
        depthjax.load_onnx(saved(tmp_path, _taking(TensorProto.INT32, nodes)))


def test_open_sizes(tmp_path: Path) -> None:
    """A free batch, height and width: 224 by default."""
    made = model(CONVNET, CONVNET_WEIGHTS, images=("batch", 3, "height", "width"))
    network, variables = depthjax.load_onnx(saved(tmp_path, made))
    assert network.content.image_shape == (224, 224, 3)
    network, variables = compare(tmp_path, made, image_size=(10, 12))
    assert network.content.image_shape == (10, 12, 3)
    output, _ = network.apply(variables, jnp.zeros((3, 16, 16, 3)))  # it holds no size
    assert output.shape == (3, 5)
    with pytest.raises(ValueError, match=r"holds images of 8×8; load it without image_size"):
        depthjax.load_onnx(saved(tmp_path, model(CONVNET, CONVNET_WEIGHTS)), image_size=16)


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    half = {name: array.astype(np.float16) for name, array in CONVNET_WEIGHTS.items()}
    nodes = [node("Cast", "images", "half", to=TensorProto.FLOAT16), *CONVNET]
    nodes[1] = node("Conv", "half conv1.weight conv1.bias", "c", pads=[1, 1, 1, 1])
    made = model([*nodes, node("Cast", "logits", "out", to=TensorProto.FLOAT)], half)
    network, variables = depthjax.load_onnx(saved(tmp_path, made))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {"float32"}
    assert network.apply(variables, jnp.ones((1, 8, 8, 3)))[0].dtype == jnp.float32


def test_functions_of_the_file_and_known_conditions(tmp_path: Path) -> None:
    """A function's body is lowered with its attributes; of an `If` the branch that is taken."""
    leaky = helper.make_node("LeakyRelu", ["x"], ["y"])
    slope = leaky.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    assert slope.ref_attr_name == "slope"
    function = helper.make_function(
        "local", "Act", ["x"], ["y"], [leaky], [helper.make_opsetid("", 17)], ["slope"]
    )
    branches = {
        f"{name}_branch": helper.make_graph(
            [node(kind, "a", name)],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8])],
        )
        for name, kind in (("then", "Neg"), ("else", "Exp"))
    }
    nodes = [
        helper.make_node("Act", ["images"], ["a"], domain="local", slope=0.25),
        helper.make_node("If", ["yes"], ["out"], **branches),
    ]
    weights = {"yes": np.asarray(True)}
    made = model(nodes, weights, functions=[function], domains={"local": 1})
    network, variables = depthjax.load_onnx(saved(tmp_path, made))
    assert len(network.graph()) == 2
    images = jnp.linspace(-1, 1, 192).reshape(1, 8, 8, 3)
    output, _ = network.apply(variables, images)
    np.testing.assert_allclose(output, -jnp.where(images < 0, 0.25 * images, images), rtol=1e-6)


def test_a_clip_from_0_to_6_is_a_relu6(tmp_path: Path) -> None:
    """So PyTorch exports one; its gate is known, and no other clip's."""
    made = model(
        [node("Clip", "images low high", "six"), node("Clip", "six low two", "output")],
        {"low": np.float32(0), "high": np.float32(6), "two": np.float32(2)},
    )
    network, _ = compare(tmp_path, made)
    assert [node.operation is relu6 for node in network.graph()] == [True, False]


def test_a_clip_the_wrong_way_round_gives_its_upper_end(tmp_path: Path) -> None:
    numbers = {"low": np.float32(0.7), "high": np.float32(0.2)}
    clipped = node("Clip", "images low high", "c")
    compare(tmp_path, model([clipped, node("Add", "c images", "y")], numbers))


@pytest.mark.parametrize(
    ("outputs", "opset", "settings", "words"),
    [
        ("y m v sm sv", 13, {}, "training mode"),
        ("y m v", 14, {"training_mode": 1}, "training mode"),
        ("y", 8, {"spatial": 0}, "spatial=0"),
    ],
)
def test_batchnorm_by_other_statistics_is_refused(
    outputs: str, opset: int, settings: dict[str, int], words: str, tmp_path: Path
) -> None:
    inputs = ["images", *"abcd"]
    normalised = helper.make_node("BatchNormalization", inputs, outputs.split(), **settings)
    made = model([normalised], {name: np.ones(3, np.float32) for name in "abcd"}, opset=opset)
    with pytest.raises(ValueError, match=f"BatchNormalization with {words}"):
        depthjax.load_onnx(saved(tmp_path, made))


def _number(value: float) -> np.ndarray:
    return np.asarray(value, np.float32)


SUM = node("ReduceSum", "c axes", "s", keepdims=0)
HELD: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "mean": ([SUM, node("Div", "s n", "y")], {"n": _number(64)}),
    "unbiased": ([SUM, node("Div", "s n", "y")], {"n": _number(63)}),
    "one after the other": (
        [SUM, node("Div", "s n", "z"), node("Mul", "z n", "y")],
        {"n": _number(8)},
    ),
    "a vector": ([SUM, node("Mul", "s n", "y")], {"n": np.full((1, 1), 1 / 64, np.float32)}),
    "root": (
        [node("ReduceL2", "c axes", "s"), node("Div", "s n", "y")],
        {"n": _number(8)},
    ),
    "logarithm": (
        [node("ReduceMean", "c axes", "s"), node("Mul", "s n", "y")],
        {"n": _number(np.log(8))},
    ),
    "cyclic shift": (
        [
            node("Slice", "c four nine three", "low"),
            node("Slice", "c zero four three", "high"),
            node("Concat", "low high", "y", axis=3),
        ],
        {
            name: np.asarray([n])
            for name, n in (("four", 4), ("nine", 9), ("three", 3), ("zero", 0))
        },
    ),
    "pooling": ([node("AveragePool", "c", "y", kernel_shape=[4, 4], strides=[4, 4])], {}),
    **{
        f"{kind} with SAME": (
            [node(kind, "c", "y", kernel_shape=[3, 3], strides=[1, 2], auto_pad="SAME_UPPER")],
            {},
        )
        for kind in ("MaxPool", "AveragePool", "LpPool")
    },
    "a given size": (
        [node("ConvTranspose", "c back", "y", output_shape=[9, 8], auto_pad="SAME_UPPER")],
        {"back": kernel(4, 2, 3, 3)},
    ),
    "a size that it has already": (
        [helper.make_node("Resize", ["c", "", "", "size"], ["r"]), node("Neg", "r", "y")],
        {"size": np.asarray([1, 4, 8, 8])},
    ),
    "a part that is all": (
        [node("Slice", "c zero eight three", "r"), node("Neg", "r", "y")],
        {name: np.asarray([n]) for name, n in (("zero", 0), ("eight", 8), ("three", 3))},
    ),
    "a crop that is none": (
        [node("CenterCropPad", "c size", "r", axes=[2, 3]), node("Neg", "r", "y")],
        {"size": np.asarray([8, 8])},
    ),
}
FREE: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "mean": (
        [node("ReduceMean", "c axes", "m"), node("Div", "m n", "y")],
        {"n": _number(8)},
    ),
    "sum": ([SUM, node("Div", "s n", "y")], {"n": _number(10)}),
    "channels": (
        [node("ReduceL2", "c one", "s"), node("Div", "s n", "y")],
        {"n": _number(8), "one": np.asarray([1])},
    ),
    "pixels": ([node("Div", "c n", "y")], {"n": _number(64)}),
    "pooling": ([node("MaxPool", "c", "y", kernel_shape=[3, 3], strides=[2, 2])], {}),
    "all from the first to the last": (
        [node("Slice", "c zero last three", "r"), node("Neg", "r", "y")],
        {name: np.asarray([n]) for name, n in (("zero", 0), ("last", 2**63 - 1), ("three", 3))},
    ),
    "pooling in steps of 1": (
        [node("MaxPool", "c", "y", kernel_shape=[3, 2], auto_pad="SAME_UPPER")],
        {},
    ),
    **{
        f"{kind} with {padding}": (
            [node(kind, "c w", "y", strides=[2, 2], auto_pad=padding)],
            {"w": kernel(4, 4, 3, 2)},
        )
        for kind in ("Conv", "ConvTranspose")
        for padding in ("SAME_UPPER", "SAME_LOWER")
    },
}


@pytest.mark.parametrize(
    ("how", "is_held"), [*((n, True) for n in HELD), *((n, False) for n in FREE)]
)
def test_other_sizes_where_the_graph_means_the_same(
    how: str, is_held: bool, tmp_path: Path
) -> None:
    nodes, numbers = (HELD if is_held else FREE)[how]
    weights = {"k": kernel(4, 3, 3, 3), "axes": np.asarray([2, 3]), **numbers}
    used = {name for entry in nodes for name in entry.input} | {"k"}
    made = model(
        [node("Conv", "images k", "c", pads=[1, 1, 1, 1]), *nodes],
        {name: array for name, array in weights.items() if name in used},
        opset=18,
    )
    network, variables = compare(tmp_path, made)
    assert network.image_size == ((8, 8) if is_held else None)
    if not is_held:
        compare_at(made, network, variables, (11, 9))


def test_logits_of_a_scaled_product_have_no_axis_more(tmp_path: Path) -> None:
    nodes = [
        node("GlobalAveragePool", "images", "p"),
        node("Flatten", "p", "f"),
        node("Gemm", "f w b", "y", alpha=0.5, beta=2.0),
    ]
    weights = {"w": kernel(3, 5), "b": kernel(5, seed=1)}
    network, variables = compare(tmp_path, model(nodes, weights))
    assert Layer(network, "y")(variables, jnp.ones((2, 8, 8, 3))).shape == (2, 5)


def resized(tmp_path: Path, row: Any, scale: float, **settings: Any) -> np.ndarray:
    """A row of pixels, resized by ONNX's operation."""
    nodes = [helper.make_node("Resize", ["images", "", "scales"], ["y"], **settings)]
    row = np.asarray(row, np.float32)
    made = model(
        nodes, {"scales": np.asarray([1, 1, 1, scale], np.float32)}, images=(1, 1, 1, len(row))
    )
    network, variables = depthjax.load_onnx(saved(tmp_path, made))
    return np.asarray(network.apply(variables, jnp.asarray(row.reshape(1, 1, -1, 1)))[0]).ravel()


def test_aligned_corners_are_the_first_and_last_pixel(tmp_path: Path) -> None:
    """Also where the factor gives no whole number of pixels: 8 · 1.7 = 13.6, and 13 are made."""
    settings = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    ours = resized(tmp_path, np.arange(8), 1.7, **settings)
    np.testing.assert_allclose(ours, np.linspace(0, 7, 13), atol=1e-6)


@pytest.mark.parametrize(("length", "outputs"), [(14, 46), (14, 92), (56, 220), (112, 48)])
def test_the_nearest_pixel_is_found_in_single_precision(
    length: int, outputs: int, tmp_path: Path
) -> None:
    settings = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    scale = np.float32(outputs / length)
    ours = resized(tmp_path, np.arange(length), float(scale), mode="nearest", **settings)
    places = np.floor(np.arange(len(ours), dtype=np.float32) / scale)
    np.testing.assert_array_equal(ours, places)


@pytest.mark.parametrize("mode", ["pytorch_half_pixel", "half_pixel", "align_corners"])
def test_resized_images_have_no_axis_more(mode: str, tmp_path: Path) -> None:
    """Where a file resizes the batch and the channels, too, to their own size."""
    settings = {"mode": "linear", "coordinate_transformation_mode": mode}
    nodes = [
        node("Conv", "images k", "c"),
        helper.make_node("Resize", ["c", "", "scales"], ["y"], **settings),
    ]
    weights = {"k": kernel(4, 3, 3, 3), "scales": np.asarray([1, 1, 2, 2], np.float32)}
    network, variables = compare(tmp_path, model(nodes, weights))
    assert Layer(network, "y")(variables, jnp.ones((2, 8, 8, 3))).shape == (2, 12, 12, 4)
