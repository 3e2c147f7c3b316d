"""The networks: sizes, distributions of the untrained weights, evaluation, training, errors."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from error_messages import error_of

from depthjax.compat import enable_x64
from depthjax.models import (
    MODELS,
    OWN_MODELS,
    Network,
    build_model,
    init_variables,
    layer_names,
    resolve,
)
from depthjax.models.initialization import checked_key
from depthjax.models.network import INPUT

PARAMETERS = {  # torchvision's documentation, 1000 classes
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "efficientnet_lite0": 4_652_008,  # timm's count, 1000 classes
    "tf_efficientnet_lite0": 4_652_008,
    "tf_efficientnet_lite1": 5_416_680,
    "tf_efficientnet_lite2": 6_092_072,
    "tf_efficientnet_lite3": 8_197_096,
    "tf_efficientnet_lite4": 13_006_568,
    "convnext_tiny": 28_589_128,
    "convnext_small": 50_223_688,
    "convnext_base": 88_591_464,
    "vit_tiny_patch16_224": 5_717_416,
    "vit_small_patch16_224": 22_050_664,
    "vit_base_patch16_224": 86_567_656,
}
KEY = jax.random.key(0)


def tiny_resnet(**fields: Any) -> Network:
    """Two stages of one basic block each."""
    defaults = {"stage_sizes": (1, 1), "width": 8, "stem": "small", "num_classes": 5}
    return build_model("resnet18", **(defaults | fields))


def tiny_vgg(**fields: Any) -> Network:
    """Two stages of one convolution each."""
    defaults = {"stage_sizes": (1, 1), "width": 4, "hidden": 64, "num_classes": 5, "pooled_size": 2}
    return build_model("vgg11", **(defaults | fields))


TINY: dict[str, Callable[..., Network]] = {
    "basic": tiny_resnet,
    "bottleneck": functools.partial(tiny_resnet, block="bottleneck"),
    "grouped": functools.partial(
        tiny_resnet, block="bottleneck", groups=4, width_per_group=32, stem="imagenet"
    ),
    "vgg": tiny_vgg,
    "vgg_bn": functools.partial(tiny_vgg, batch_norm=True),
    "linear": functools.partial(build_model, "mlp", widths=(64, 5)),
    "mlp": functools.partial(build_model, "mlp", widths=(64, 32, 5), activation="relu"),
    "irevnet": functools.partial(build_model, "irevnet", blocks=(1, 2), width=4, num_classes=5),
    "lite": functools.partial(
        *(build_model, "tf_efficientnet_lite0"),
        stage_sizes=(1, 1),
        widths=(8, 16),
        stem_width=8,
        head_width=8,
        num_classes=5,
    ),
    "convnext": functools.partial(
        build_model, "convnext_tiny", stage_sizes=(1, 1), widths=(8, 16), num_classes=5
    ),
}


def images_of(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).random(shape, np.float32))


def shapes_of_init(model: Network, size: tuple[int, int] = (16, 16)) -> dict[str, Any]:
    """The shapes and dtypes of what `model.init` makes, which costs nothing."""
    images = jax.ShapeDtypeStruct((1, *size, model.channels), jnp.float32)
    return jax.eval_shape(model.init, KEY, images)


def activation_shapes(model: Network, height: int, width: int) -> dict[str, tuple[int, ...]]:
    images = jax.ShapeDtypeStruct((1, height, width, model.channels), jnp.float32)
    variables = jax.eval_shape(model.init, KEY, images)
    _, activations = jax.eval_shape(model.apply, variables, images)
    return {name: array.shape for name, array in activations.items()}


def leaves_of(variables: dict[str, Any]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Layer, leaf and array of every parameter."""
    for layer, leaves in variables["params"].items():
        for leaf, array in leaves.items():
            yield layer, leaf, np.asarray(array)


# ---------------------------------------------------------------------------------- construction


@pytest.mark.parametrize("name", MODELS)
def test_models_are_values(name: str) -> None:
    model = build_model(name)
    assert isinstance(model, Network)
    assert model == build_model(name)
    assert hash(model) == hash(build_model(name))
    other = {"widths": (7, 7)} if name == "mlp" else {"num_classes": 7}
    assert build_model(name, **other) != model
    assert build_model(name, **other) == build_model(name, **other)
    assert build_model(name, channels=1) != model
    assert len({build_model(name), model, build_model(name, channels=1)}) == 2


def test_no_two_architectures_are_equal() -> None:
    assert len({build_model(name) for name in MODELS}) == len(MODELS) == 34


def test_lists_become_tuples() -> None:
    """Flags and JSON give lists, which do not hash."""
    model = build_model("mlp", widths=[4, 3])
    assert model == build_model("mlp", widths=(4, 3))
    assert hash(model) == hash(build_model("mlp", widths=(4, 3)))
    assert build_model("mlp", widths=4) == build_model("mlp", widths=(4,))
    assert build_model("resnet18", stage_sizes=[1, 1]) == build_model(
        "resnet18", stage_sizes=(1, 1)
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("resnet5O", "resnet50"),
        ("vgg_16", "vgg16"),
        ("mpl", "mlp"),
        ("wide_resnet50", "wide_resnet50_2"),
    ],
)
def test_an_unknown_model_names_the_nearest(name: str, nearest: str) -> None:
    message = error_of(lambda: build_model(name))
    assert name in message
    assert nearest in message.partition("?")[0]


@pytest.mark.parametrize(
    ("name", "field", "nearest"),
    [
        ("resnet18", "num_class", "num_classes"),
        ("vgg16_bn", "batchnorm", "batch_norm"),
        ("mlp", "width", "widths"),
        ("resnet50", "group", "groups"),
    ],
)
def test_an_unknown_field_names_the_nearest(name: str, field: str, nearest: str) -> None:
    message = error_of(lambda: build_model(name, **{field: 1}))
    assert name in message
    assert repr(nearest) in message.partition("?")[0]


@pytest.mark.parametrize(
    ("name", "field", "value", "nearest"),
    [
        ("resnet18", "block", "botleneck", "bottleneck"),
        ("resnet50", "stem", "smal", "small"),
        ("mlp", "activation", "rel", "relu"),
    ],
)
def test_an_unknown_choice_names_the_nearest(
    name: str, field: str, value: str, nearest: str
) -> None:
    message = error_of(lambda: build_model(name, **{field: value}))
    assert field in message
    assert repr(nearest) in message.partition("?")[0]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("resnet18", "num_classes", "10"),
        ("resnet18", "width", 0),
        ("resnet18", "width", 2.5),
        ("resnet18", "channels", True),
        ("resnet18", "stage_sizes", (2, -1)),
        ("vgg16", "batch_norm", 1),
        ("mlp", "widths", ()),
    ],
)
def test_a_field_of_another_kind_is_refused(name: str, field: str, value: Any) -> None:
    message = error_of(lambda: build_model(name, **{field: value}))
    assert field in message
    assert repr(value) in message


def test_the_fields_of_linen_are_not_ours() -> None:
    assert "'parent'" in error_of(lambda: build_model("resnet18", parent=None))


# ----------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("name", sorted(set(MODELS) - set(OWN_MODELS)))
def test_parameter_counts_are_those_of_the_originals(name: str) -> None:
    params = shapes_of_init(build_model(name), (224, 224))["params"]
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == PARAMETERS[name]


@pytest.mark.parametrize(("name", "count"), [("resnet18_small", 182_252), ("vgg_small", 76_644)])
def test_small_models_take_images_of_32(name: str, count: int) -> None:
    model = build_model(name)
    params = shapes_of_init(model, (32, 32))["params"]
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == count
    shapes = activation_shapes(model, 32, 32)
    stages = [shapes[resolve(model, stage)] for stage in model.stages()]
    resnet = name.startswith("resnet")
    sides = [32, 32, 16, 8, 4] if resnet else [32, 16, 8, 4, 2]
    features = [8, 8, 16, 32, 64] if resnet else [8, 16, 32, 64, 64]
    assert stages == [
        (1, side, side, channels) for side, channels in zip(sides, features, strict=True)
    ]
    assert shapes[layer_names(model)[-1]] == (1, 100)
    assert build_model(name, num_classes=2, width=4) == build_model(name, width=4, num_classes=2)


def test_parameter_counts_of_an_mlp() -> None:
    params = shapes_of_init(build_model("mlp", widths=(7, 5)), (4, 3))["params"]
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    assert count == (4 * 3 * 3 * 7 + 7) + (7 * 5 + 5)


def test_shapes_of_a_bottleneck_resnet() -> None:
    shapes = activation_shapes(build_model("resnet50"), 224, 224)
    assert shapes["conv1"] == (1, 112, 112, 64)
    assert shapes["maxpool"] == (1, 56, 56, 64)
    assert shapes["layer1.0.conv2"] == (1, 56, 56, 64)
    assert shapes["layer1.2"] == (1, 56, 56, 256)
    assert shapes["layer2.0.conv1"] == (1, 56, 56, 128)  # the 3×3 convolution carries the stride
    assert shapes["layer2.0.conv2"] == (1, 28, 28, 128)
    assert shapes["layer4.2"] == (1, 7, 7, 2048)
    assert shapes["avgpool"] == (1, 2048)
    assert shapes["fc"] == (1, 1000)


def test_the_small_stem_keeps_the_size() -> None:
    shapes = activation_shapes(build_model("resnet18", stem="small"), 32, 32)
    assert "maxpool" not in shapes
    assert shapes["conv1"] == (1, 32, 32, 64)
    assert shapes["layer1.1"] == (1, 32, 32, 64)
    assert shapes["layer4.1"] == (1, 4, 4, 512)
    kernel = shapes_of_init(build_model("resnet18", stem="small"))["params"]["conv1"]["kernel"]
    assert kernel.shape == (3, 3, 3, 64)


def test_width_and_stage_sizes() -> None:
    model = build_model("resnet18", width=16, stage_sizes=(1, 2, 1), num_classes=3)
    shapes = activation_shapes(model, 64, 64)
    assert shapes["conv1"] == (1, 32, 32, 16)
    assert [n for n in layer_names(model) if n.startswith("layer")] == [
        *("layer1.0", "layer2.0", "layer2.1", "layer3.0")
    ]
    assert shapes["layer3.0"] == (1, 4, 4, 64)
    assert shapes["fc"] == (1, 3)
    vgg = build_model("vgg11", width=8, hidden=10, pooled_size=3, stage_sizes=(1, 1, 1, 1, 1))
    shapes = activation_shapes(vgg, 32, 32)
    sizes = [shapes[f"features.{3 * stage}"][-1] for stage in range(5)]
    assert sizes == [8, 16, 32, 64, 64]  # at most eight times the width
    assert shapes["avgpool"] == (1, 3, 3, 64)
    assert shapes["flatten"] == (1, 3 * 3 * 64)
    assert shapes["classifier.3"] == (1, 10)


def test_grouped_and_wide_bottlenecks() -> None:
    grouped = shapes_of_init(build_model("resnext50_32x4d"))["params"]
    assert grouped["layer1.0.conv1"]["kernel"].shape == (1, 1, 64, 128)
    assert grouped["layer1.0.conv2"]["kernel"].shape == (3, 3, 128 // 32, 128)
    assert grouped["layer1.0.conv3"]["kernel"].shape == (1, 1, 128, 256)
    wide = shapes_of_init(build_model("wide_resnet50_2"))["params"]
    assert wide["layer4.2.conv2"]["kernel"].shape == (3, 3, 1024, 1024)


def test_a_grouped_convolution_keeps_its_groups_apart() -> None:
    """Inputs of one group do not reach the outputs of another."""
    model = TINY["grouped"]()
    variables = init_variables(model, KEY, 32)
    operation = next(n.operation for n in model.graph() if n.name == "layer1.0.conv2")
    leaves = {"params": variables["params"]["layer1.0.conv2"]}
    x = images_of(1, 5, 5, 16)
    changed = x.at[..., :4].add(1.0)  # the first of four groups
    difference = np.abs(operation.apply(leaves, x) - operation.apply(leaves, changed))
    assert (difference[..., :4] > 1e-3).any((0, 1, 2)).all()
    assert difference[..., 4:].max() == 0


@pytest.mark.parametrize("tiny", TINY)
def test_images_of_one_channel(tiny: str) -> None:
    model = TINY[tiny](channels=1)
    variables = init_variables(model, KEY, 8)
    output, _ = model.apply(variables, images_of(2, 8, 8, 1))
    assert output.shape == (2, 5)


# ---------------------------------------------------------------------------------- distributions


def expected_distribution(name: str, leaf: str, shape: tuple[int, ...]) -> tuple[str, float]:
    """torchvision's initialisation, read off its sources: the distribution and its scale."""
    if len(shape) == 4:  # kaiming_normal_(mode="fan_out", nonlinearity="relu")
        return "normal", (2 / (shape[0] * shape[1] * shape[3])) ** 0.5
    if name.startswith("classifier"):  # VGG's normal_(weight, 0, 0.01)
        return ("normal", 0.01) if leaf == "kernel" else ("constant", 0.0)
    if leaf == "scale":
        return "constant", 1.0
    return "constant", 0.0


def assert_normal(array: np.ndarray, std: float, label: str) -> None:
    """Mean, spread and kurtosis within five standard errors, which shrink with the size."""
    z, n = array.ravel().astype(np.float64) / std, array.size
    assert abs(z.mean()) < 5 / n**0.5, label
    assert abs((z**2).mean() - 1) < 5 * (2 / n) ** 0.5, label
    assert abs((z**4).mean() - 3) < 5 * (96 / n) ** 0.5, label


def assert_uniform(array: np.ndarray, bound: float, label: str) -> None:
    z, n = array.ravel().astype(np.float64) / bound, array.size
    assert np.abs(z).max() <= 1 + 1e-6, label
    assert np.abs(z).max() > 1 - 12 / n, label  # misses with probability e⁻¹²
    assert abs(z.mean()) < 5 / (3 * n) ** 0.5, label
    assert abs((z**2).mean() - 1 / 3) < 5 * (4 / 45 / n) ** 0.5, label


def assert_initialised_as_torchvision(variables: dict[str, Any]) -> None:
    """Every leaf follows its distribution."""
    kernels = {layer: leaves.get("kernel") for layer, leaves in variables["params"].items()}
    for layer, leaf, array in leaves_of(variables):
        label = f"{layer}.{leaf} {array.shape}"
        assert array.dtype == np.float32, label
        if layer.startswith("fc"):  # nn.Linear: the bias too is bounded by the kernel's fan-in
            assert_uniform(array, kernels[layer].shape[0] ** -0.5, label)
            continue
        kind, scale = expected_distribution(layer, leaf, array.shape)
        if kind == "normal":
            assert_normal(array, scale, label)
        else:
            assert (array == scale).all(), label
    for layer, statistics in variables.get("batch_stats", {}).items():
        assert (np.asarray(statistics["mean"]) == 0).all(), layer
        assert (np.asarray(statistics["var"]) == 1).all(), layer


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("resnet18", {"num_classes": 100}),
        ("resnext50_32x4d", {"stage_sizes": (1, 1), "num_classes": 100}),
        ("vgg11_bn", {"width": 16, "hidden": 256}),
        ("vgg11", {"width": 16, "hidden": 256}),
        ("mlp", {"widths": (300, 200)}),
    ],
)
def test_init_variables_draws_as_torchvision(name: str, fields: dict[str, Any]) -> None:
    assert_initialised_as_torchvision(init_variables(build_model(name, **fields), KEY, 32))


@pytest.mark.parametrize("tiny", ["grouped", "vgg"])
def test_model_init_draws_from_the_same_distributions(tiny: str) -> None:
    model = TINY[tiny](stage_sizes=(1,))
    images = images_of(1, 8, 8, 3)
    key = jax.random.key(0, impl="rbg")  # compiles faster
    assert_initialised_as_torchvision(jax.jit(lambda key: model.init(key, images))(key))


@pytest.mark.parametrize("tiny", TINY)
def test_init_variables_has_the_structure_of_model_init(tiny: str) -> None:
    model = TINY[tiny]()
    variables, expected = init_variables(model, KEY, (16, 12)), shapes_of_init(model, (16, 12))
    assert jax.tree.structure(variables) == jax.tree.structure(expected)
    for got, leaf in zip(jax.tree.leaves(variables), jax.tree.leaves(expected), strict=True):
        assert (got.shape, got.dtype) == (leaf.shape, leaf.dtype)
        assert isinstance(got, jax.Array)


@pytest.mark.parametrize("tiny", TINY)
def test_the_key_decides_the_weights(tiny: str) -> None:
    model = TINY[tiny]()
    first, again = init_variables(model, KEY, 8), init_variables(model, KEY, 8)
    other = init_variables(model, jax.random.key(1), 8)
    for (layer, leaf, a), (_, _, b), (_, _, c) in zip(
        leaves_of(first), leaves_of(again), leaves_of(other), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        constant = len(set(a.ravel().tolist())) == 1
        assert constant or (a != c).any(), f"{layer}.{leaf}"


def test_no_two_weights_share_their_numbers() -> None:
    """Kernels of one shape, and the kernel and bias of one layer, come from different streams."""
    variables = init_variables(build_model("mlp", widths=(48, 48, 48)), KEY, 4)["params"]
    kernels = [np.asarray(leaves["kernel"]).ravel() for leaves in variables.values()]
    biases = [np.asarray(leaves["bias"]).ravel() for leaves in variables.values()]
    vectors = [array[:48] * 48**0.5 for array in (*kernels, *biases)]
    correlations = np.corrcoef(vectors) - np.eye(len(vectors))
    assert np.abs(correlations).max() < 0.7  # five standard errors of 48 numbers


def test_networks_share_the_weights_of_the_layers_they_share() -> None:
    ten = init_variables(tiny_resnet(num_classes=10), KEY, 8)
    thousand = init_variables(tiny_resnet(num_classes=1000), KEY, 8)
    deeper = init_variables(tiny_resnet(stage_sizes=(2, 1)), KEY, 8)
    for other in (thousand, deeper):
        shared = set(ten["params"]) & set(other["params"]) - {"fc"}
        assert {"conv1", "bn1", "layer1.0.conv1", "layer2.0.conv2"} <= shared
        for layer in shared - {"fc"}:
            for leaf, array in ten["params"][layer].items():
                np.testing.assert_array_equal(array, other["params"][layer][leaf])
    assert thousand["params"]["fc"]["kernel"].shape == (16, 1000)


# ------------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize("tiny", TINY)
def test_activations_are_complete_and_in_depth_order(tiny: str) -> None:
    model = TINY[tiny]()
    images = images_of(2, 8, 8, 3)
    output, activations = model.apply(init_variables(model, KEY, 8), images)
    nodes = model.graph()
    assert list(activations) == [node.name for node in nodes]
    assert tuple(activations) == layer_names(model, sublayers=True)
    np.testing.assert_array_equal(output, activations[nodes[-1].name])
    seen = {INPUT}
    for node in nodes:
        assert set(node.inputs) <= seen, f"{node.name} comes before what it depends on"
        seen.add(node.name)
    assert all(array.shape[0] == 2 for array in activations.values())
    assert all(np.isfinite(array).all() for array in activations.values())


def ancestors(model: Network, name: str) -> set[str]:
    """What an operation depends on, itself included, without the images."""
    inputs = {node.name: node.inputs for node in model.graph()}
    found, todo = set(), [name]
    while todo:
        current = todo.pop()
        if current != INPUT and current not in found:
            found.add(current)
            todo += inputs[current]
    return found


@pytest.mark.parametrize("tiny", TINY)
def test_until_evaluates_ancestors_alone(tiny: str) -> None:
    model = TINY[tiny]()
    variables, images = init_variables(model, KEY, 8), images_of(2, 8, 8, 3)
    _, everything = model.apply(variables, images)
    for name in layer_names(model, sublayers=True):
        output, activations = model.apply(variables, images, until=name)
        assert set(activations) == ancestors(model, name)
        assert list(activations)[-1] == name
        np.testing.assert_array_equal(output, everything[name])


def test_the_shortcut_does_not_evaluate_the_branch() -> None:
    model = TINY["bottleneck"]()
    variables = init_variables(model, KEY, 8)
    _, activations = model.apply(variables, images_of(1, 8, 8, 3), until="layer2.0.downsample.1")
    assert "layer1.0" in activations
    assert not [name for name in activations if name.startswith("layer2.0.conv")]


@pytest.mark.parametrize("tiny", ["basic", "grouped", "vgg_bn"])
def test_untrained_batch_norm_is_the_identity(tiny: str) -> None:
    model = TINY[tiny]()
    _, activations = model.apply(init_variables(model, KEY, 16), images_of(2, 16, 16, 3))
    norms = [node for node in model.graph() if type(node.operation).__name__ == "BatchNorm"]
    assert len(norms) >= 2
    for node in norms:
        expected = np.asarray(activations[node.inputs[0]]) / math.sqrt(1 + 1e-5)
        np.testing.assert_allclose(activations[node.name], expected, rtol=1e-6, atol=1e-6)


def test_activations_are_what_the_graph_says() -> None:
    """ReLU, residual sums, averages and flattening, each from the activations before it."""
    model = tiny_resnet()
    _, a = model.apply(init_variables(model, KEY, 8), images_of(2, 8, 8, 3))
    np.testing.assert_array_equal(a["relu"], np.maximum(a["bn1"], 0))
    summed = a["layer2.0.bn2"] + a["layer2.0.downsample.1"]
    np.testing.assert_array_equal(a["layer2.0.add"], summed)
    np.testing.assert_array_equal(a["layer2.0"], np.maximum(summed, 0))
    np.testing.assert_array_equal(a["layer1.0.add"], a["layer1.0.bn2"] + a["relu"])
    means = np.asarray(a["layer2.0"], np.float64).mean((1, 2))
    np.testing.assert_allclose(a["avgpool"], means, rtol=1e-5)


def test_an_mlp_flattens_as_pytorch_and_multiplies() -> None:
    model = TINY["mlp"]()
    variables, images = init_variables(model, KEY, (4, 3)), images_of(2, 4, 3, 3)
    _, a = model.apply(variables, images)
    x = np.moveaxis(np.asarray(images, np.float64), -1, 1).reshape(2, -1)
    np.testing.assert_allclose(a["flatten"], x, rtol=1e-6)
    for layer in ("fc1", "fc2", "fc3"):
        leaves = variables["params"][layer]
        x = x @ np.asarray(leaves["kernel"], np.float64) + np.asarray(leaves["bias"], np.float64)
        np.testing.assert_allclose(a[layer], x, rtol=1e-4, atol=1e-5)
        x = np.maximum(x, 0)
    assert "relu3" not in a


def test_a_leaky_mlp_divides_its_layers_by_leaky_relus() -> None:
    model = build_model("mlp", widths=(4, 3, 2), activation="leaky_relu")
    assert layer_names(model) == ("flatten", "fc1", "leaky_relu1", "fc2", "leaky_relu2", "fc3")
    assert model.stages() == ("leaky_relu1", "leaky_relu2", "fc3")
    _, a = model.apply(init_variables(model, KEY, (4, 3)), images_of(6, 4, 3, 3))
    x = np.asarray(a["fc1"])
    assert (x < 0).any()
    assert (x > 0).any()
    np.testing.assert_allclose(a["leaky_relu1"], np.where(x > 0, x, 0.1 * x), rtol=1e-6)


def test_a_linear_mlp_is_affine() -> None:
    model = TINY["linear"]()
    assert layer_names(model) == ("flatten", "fc1", "fc2")
    variables = init_variables(model, KEY, 8)
    x, y = images_of(1, 8, 8, 3), images_of(1, 8, 8, 3, seed=1)
    middle, ends = (
        model.apply(variables, images)[0] for images in ((x + y) / 2, jnp.stack([x, y])[:, 0])
    )
    np.testing.assert_allclose(middle[0], ends.mean(0), atol=1e-6)


def test_the_images_decide_the_dtype() -> None:
    model = tiny_resnet()
    with enable_x64(True):
        variables = jax.tree.map(
            lambda leaf: leaf.astype(jnp.float64), init_variables(model, KEY, 8)
        )
        output, activations = model.apply(variables, jnp.ones((1, 8, 8, 3), jnp.float64))
    assert {array.dtype for array in (output, *activations.values())} == {np.dtype(np.float64)}


# --------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("tiny", ["basic", "vgg_bn"])
def test_training_normalises_the_batch_and_moves_the_statistics(tiny: str) -> None:
    model = TINY[tiny]()
    variables = init_variables(model, KEY, 16)
    (_, activations), updates = model.apply(
        variables,
        images_of(4, 16, 16, 3),
        train=True,
        mutable=["batch_stats"],
        rngs={"dropout": KEY},
    )
    assert updates.keys() == {"batch_stats"}
    assert updates["batch_stats"].keys() == variables["batch_stats"].keys()
    for node in model.graph():
        if node.name not in variables["batch_stats"]:
            continue
        x = np.asarray(activations[node.inputs[0]], np.float64)
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        after = updates["batch_stats"][node.name]
        np.testing.assert_allclose(after["mean"], 0.1 * mean, atol=1e-5)
        n = x.size // x.shape[-1]
        np.testing.assert_allclose(after["var"], 0.9 + 0.1 * var * n / (n - 1), rtol=1e-4)
        normalised = (x - mean) / np.sqrt(var + 1e-5)
        np.testing.assert_allclose(activations[node.name], normalised, atol=1e-3)


def test_evaluation_uses_the_statistics_and_does_not_move_them() -> None:
    model = tiny_resnet()
    variables = init_variables(model, KEY, 8)
    variables["batch_stats"]["bn1"] = {"mean": jnp.full(8, 0.5), "var": jnp.full(8, 4.0)}
    (_, a), updates = model.apply(variables, images_of(2, 8, 8, 3), mutable=["batch_stats"])
    np.testing.assert_allclose(a["bn1"], (a["conv1"] - 0.5) / 2, atol=1e-5)
    unchanged = jax.tree.map(np.array_equal, updates["batch_stats"], variables["batch_stats"])
    assert all(jax.tree.leaves(unchanged))


def test_dropout_drops_half_in_training_alone() -> None:
    model = tiny_vgg(hidden=2000)
    variables, images = init_variables(model, KEY, 8), images_of(2, 8, 8, 3)
    _, evaluated = model.apply(variables, images)
    np.testing.assert_array_equal(evaluated["classifier.2"], evaluated["classifier.1"])
    np.testing.assert_array_equal(evaluated["classifier.5"], evaluated["classifier.4"])
    _, trained = model.apply(variables, images, train=True, rngs={"dropout": KEY})
    before, after = np.asarray(trained["classifier.1"]), np.asarray(trained["classifier.2"])
    positive = before > 0
    kept = after[positive] > 0
    assert abs(kept.mean() - 0.5) < 5 * 0.5 / kept.size**0.5
    np.testing.assert_allclose(after[positive][kept], 2 * before[positive][kept], rtol=1e-6)
    _, again = model.apply(variables, images, train=True, rngs={"dropout": jax.random.key(1)})
    assert (again["classifier.2"] != trained["classifier.2"]).any()


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("name", ["vgg11", "vgg16", "vgg19_bn"])
def test_images_too_small_for_a_vgg(name: str) -> None:
    model = build_model(name, width=1, hidden=2)
    *_, last = (layer for layer in layer_names(model) if layer.startswith("features"))
    message = error_of(lambda: init_variables(model, KEY, 16))
    assert "16×16" in message
    assert f"after {last}" in message
    error_of(lambda: init_variables(model, KEY, (64, 31)))
    output, _ = model.apply(init_variables(model, KEY, 32), images_of(1, 32, 32, 3))
    assert output.shape == (1, 1000)


def test_a_layer_before_the_end_takes_small_images() -> None:
    model = build_model("vgg11", width=1, hidden=2)
    variables = init_variables(model, KEY, 32)
    output, _ = model.apply(variables, images_of(1, 16, 16, 3), until="features.15")
    assert output.shape == (1, 1, 1, 8)
    message = error_of(lambda: model.apply(variables, images_of(1, 16, 16, 3)))
    assert "16×16" in message


def test_weights_made_for_images_of_another_size() -> None:
    model = TINY["linear"]()
    variables = init_variables(model, KEY, 8)
    message = error_of(lambda: model.apply(variables, images_of(1, 9, 8, 3)))
    assert "fc1" in message
    assert str(8 * 8 * 3) in message
    assert str(9 * 8 * 3) in message


def test_variables_that_lack_some() -> None:
    model = TINY["basic"]()
    variables = init_variables(model, KEY, 8)
    for part in (variables["params"], {"params": variables["params"]}, {}):
        message = error_of(lambda part=part: model.apply(part, images_of(1, 8, 8, 3)))
        assert message.startswith("the variables lack those of ")
        assert "'batch_stats'" in message


def test_a_seed_is_no_key() -> None:
    for seed, written in ((3, 3), (np.int64(3), 0), (None, 0)):
        message = error_of(lambda seed=seed: checked_key(seed))
        assert message.startswith("key must be a key of JAX")
        assert message.endswith(f"write jax.random.key({written})")
    for key in (KEY, jax.random.PRNGKey(3)):
        assert checked_key(key) is key


@pytest.mark.parametrize("tiny", TINY)
def test_weights_made_for_images_of_another_number_of_channels(tiny: str) -> None:
    model = TINY[tiny]()
    variables = init_variables(model, KEY, 8)
    first = next(node.name for node in model.graph() if node.name in variables["params"])
    message = error_of(lambda: model.apply(variables, images_of(1, 8, 8, 1)))
    assert message.startswith(first)
    assert "channels" in message


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("resnet18", {"groups": 4}, "basic blocks have no groups"),
        ("resnet50", {"width": 2, "width_per_group": 16}, "leaves no features"),
    ],
)
def test_fields_that_do_not_go_together(name: str, fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        build_model(name, **fields)
    assert len(str(error.value).splitlines()) == 1


def test_a_name_that_was_begun_is_suggested_first() -> None:
    with pytest.raises(ValueError, match="did you mean 'resnext50_32x4d'"):
        build_model("resnext50")
