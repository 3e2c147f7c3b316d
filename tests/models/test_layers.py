"""Layers by name: what they compute, what they cost, and how they are chosen."""

import dataclasses
import functools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from error_messages import error_of
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.compat import enable_x64
from depthjax.models import (
    MLP,
    MODELS,
    EfficientNetLite,
    IRevNet,
    Network,
    build_model,
    init_variables,
    layer_names,
    layers,
    resolve,
)
from depthjax.models.layers import Layer, select_layers
from depthjax.models.network import INPUT, GraphBuilder, Node, needed_variables

KEY = jax.random.key(0)
RESNET50 = build_model("resnet50")
SMALL = build_model("resnet18", stage_sizes=(1, 2), width=4, stem="small", num_classes=3)

RESNET50_LAYERS = (
    *("conv1", "bn1", "relu", "maxpool"),
    *("layer1.0", "layer1.1", "layer1.2"),
    *("layer2.0", "layer2.1", "layer2.2", "layer2.3"),
    *("layer3.0", "layer3.1", "layer3.2", "layer3.3", "layer3.4", "layer3.5"),
    *("layer4.0", "layer4.1", "layer4.2"),
    *("avgpool", "fc"),
)


def images_of(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).random(shape, np.float32))


# ----------------------------------------------------------------------------------------- names


def test_layers_of_a_resnet_are_its_blocks() -> None:
    assert layer_names(RESNET50) == RESNET50_LAYERS


def test_sublayers_of_a_resnet() -> None:
    names = layer_names(RESNET50, sublayers=True)
    assert [name for name in names if name in RESNET50_LAYERS] == list(RESNET50_LAYERS)
    assert set(names) - set(RESNET50_LAYERS) == {
        f"{block}.{part}"
        for block in RESNET50_LAYERS
        if block.startswith("layer")
        for part in (
            *("conv1", "bn1", "relu", "conv2", "bn2", "relu_1", "conv3", "bn3", "add"),
            *(("downsample.0", "downsample.1") if block.endswith(".0") else ()),
        )
    }
    assert len(set(names)) == len(names)


def test_layers_of_a_vgg_and_of_an_mlp() -> None:
    vgg = build_model("vgg16")
    expected = (
        *(f"features.{index}" for index in range(31)),
        *("avgpool", "flatten"),
        *(f"classifier.{index}" for index in range(7)),
    )
    assert layer_names(vgg) == layer_names(vgg, sublayers=True) == expected
    mlp = build_model("mlp", widths=(4, 3, 2), activation="relu")
    assert layer_names(mlp) == ("flatten", "fc1", "relu1", "fc2", "relu2", "fc3")
    assert layer_names(build_model("mlp", widths=(4, 3))) == ("flatten", "fc1", "fc2")


@pytest.mark.parametrize(
    ("model", "alias", "node"),
    [
        ("resnet50", "layer1", "layer1.2"),
        ("resnet50", "layer2", "layer2.3"),
        ("resnet50", "layer3", "layer3.5"),
        ("resnet50", "layer4", "layer4.2"),
        ("resnet50", "conv2", "layer1.2"),
        ("resnet50", "conv3", "layer2.3"),
        ("resnet50", "conv4", "layer3.5"),
        ("resnet50", "conv5", "layer4.2"),
        ("resnet50", "stem", "maxpool"),
        ("resnet50", "layer1.0.relu_2", "layer1.0"),
        ("resnet50", "layer3.0.conv2", "layer3.0.conv2"),
        ("resnet50", "conv1", "conv1"),  # the raw convolution
        ("resnet18", "layer4", "layer4.1"),
        ("resnet18", "layer1.0.relu_1", "layer1.0"),
        ("resnet152", "conv4", "layer3.35"),
        # torchvision's indices.
        ("vgg16", "conv1_1", "features.0"),
        ("vgg16", "relu1_1", "features.1"),
        ("vgg16", "conv3_1", "features.10"),
        ("vgg16", "relu3_1", "features.11"),
        ("vgg16", "relu5_3", "features.29"),
        ("vgg16", "conv1", "features.3"),
        ("vgg16", "conv5", "features.29"),
        ("vgg16", "pool1", "features.4"),
        ("vgg16", "pool5", "features.30"),
        ("vgg16", "features", "features.30"),
        ("vgg16", "fc1", "classifier.0"),
        ("vgg16", "fc3", "classifier.6"),
        ("vgg16", "classifier", "classifier.6"),
        ("vgg11", "pool5", "features.20"),
        ("vgg19", "relu5_1", "features.29"),
        ("vgg16_bn", "conv1_1", "features.0"),
        ("vgg16_bn", "bn1_1", "features.1"),
        ("vgg16_bn", "relu1_1", "features.2"),
        ("vgg16_bn", "relu3_1", "features.16"),
        ("vgg16_bn", "pool5", "features.43"),
    ],
)
def test_aliases(model: str, alias: str, node: str) -> None:
    assert resolve(build_model(model), alias) == node


def test_the_stem_of_small_images_ends_with_its_relu() -> None:
    assert resolve(SMALL, "stem") == "relu"


_STAGES = {MLP: 4, IRevNet: 2, EfficientNetLite: 9}


@pytest.mark.parametrize("name", MODELS)
def test_every_name_resolves(name: str) -> None:
    model = build_model(name)
    nodes = layer_names(model, sublayers=True)
    assert set(layer_names(model)) <= set(nodes)
    assert [resolve(model, node) for node in nodes] == list(nodes)
    for alias, node in model.aliases().items():
        assert alias not in nodes, "an alias that hides a layer"
        assert resolve(model, alias) == node
        assert node in nodes
    stages = [nodes.index(resolve(model, stage)) for stage in model.stages()]
    assert stages == sorted(set(stages))
    assert len(stages) == _STAGES.get(type(model), 5)


@pytest.mark.parametrize(
    ("model", "asked", "nearest"),
    [
        ("resnet50", "layer5", "layer4"),
        ("resnet50", "layr3", "layer3"),
        ("resnet50", "layer3.0.conv4", "layer3.0.conv1"),
        ("resnet50", "max_pool", "maxpool"),
        ("vgg16", "relu3_4", "relu3_3"),
        ("vgg16", "feature.3", "features.3"),
        ("mlp", "fc5", "fc4"),
    ],
)
def test_an_unknown_layer_names_the_nearest(model: str, asked: str, nearest: str) -> None:
    message = error_of(lambda: Layer(build_model(model), asked))
    assert repr(asked) in message
    assert repr(nearest) in message.partition("?")[0]


# ---------------------------------------------------------------------------------------- values


def test_layers_are_equal_when_they_mean_the_same() -> None:
    layer = Layer(RESNET50, "layer1")
    for alias in ("conv2", "layer1.2", "layer1.2.relu_2"):
        assert Layer(build_model("resnet50"), alias) == layer
        assert hash(Layer(RESNET50, alias)) == hash(layer)
    assert Layer(RESNET50, "layer2") != layer
    assert Layer(build_model("resnet101"), "layer1") != layer
    assert layer.name == "layer1"
    assert layer.node == "layer1.2"
    assert Layer(RESNET50, "conv2").name == "conv2"


def test_layers_are_frozen() -> None:
    layer = Layer(SMALL, "layer1")
    for field in ("model", "name", "node"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(layer, field, None)


stages = st.sampled_from([(1,), (2,), (1, 1)])


@st.composite
def architectures(draw: st.DrawFn) -> dict[str, Any]:
    """Small networks of every kind, as arguments of `build_model`."""
    kind = draw(st.sampled_from(["basic", "bottleneck", "vgg", "mlp"]))
    channels = draw(st.integers(1, 3))
    if kind == "mlp":
        widths = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
        activation = draw(st.sampled_from(["relu", "linear"]))
        return {"name": "mlp", "widths": widths, "activation": activation, "channels": channels}
    fields = {"stage_sizes": draw(stages), "num_classes": 3, "channels": channels}
    if kind == "vgg":
        fields |= {"batch_norm": draw(st.booleans()), "pooled_size": draw(st.integers(1, 3))}
        return {"name": "vgg11", "width": 2, "hidden": 4, **fields}
    if kind == "bottleneck":
        fields |= {"groups": draw(st.integers(1, 2)), "width_per_group": 32}
    stem = draw(st.sampled_from(["small", "imagenet"]))
    return {"name": "resnet18", "block": kind, "stem": stem, "width": 2, **fields}


def random_variables(model: Network, size: tuple[int, int]) -> dict[str, Any]:
    """Weights of which none is left at its start: statistics, biases and scales too."""
    generator = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + jnp.asarray(generator.uniform(0, 0.2, leaf.shape), leaf.dtype),
        init_variables(model, KEY, size),
    )


@settings(deadline=None, max_examples=10)
@given(architecture=architectures(), shape=st.sampled_from([(1, 8, 8), (2, 5, 7)]))
def test_every_layer_is_the_activation_of_the_network(
    architecture: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    model = build_model(
        architecture["name"], **{k: v for k, v in architecture.items() if k != "name"}
    )
    variables = random_variables(model, shape[1:])
    images = images_of(*shape, model.channels)
    with jax.disable_jit():  # operation by operation, so that the same means the same bits
        _, activations = model.apply(variables, images)
        for name in layer_names(model, sublayers=True):
            embedding = Layer(model, name)(variables, images)
            assert embedding.shape[0] == shape[0]
            np.testing.assert_array_equal(embedding, activations[name], err_msg=name)


@pytest.mark.parametrize("name", ["conv1", "layer1.0.bn2", "conv2", "layer2.0.downsample.0", "fc"])
def test_compiled_layers_compute_the_same(name: str) -> None:
    variables, images = random_variables(SMALL, (8, 8)), images_of(2, 8, 8, 3)
    _, activations = SMALL.apply(variables, images)
    layer = Layer(SMALL, name)
    embedding = layer(variables, images)
    np.testing.assert_allclose(embedding, activations[layer.node], rtol=1e-5, atol=1e-5)
    # The same within someone else's jit, as a static argument.
    static = jax.jit(lambda layer, *args: layer(*args), static_argnums=0)
    np.testing.assert_allclose(static(layer, variables, images), embedding, rtol=1e-5, atol=1e-5)


def test_each_image_is_embedded_by_itself() -> None:
    variables, images = random_variables(SMALL, (8, 8)), images_of(3, 8, 8, 3)
    layer = Layer(SMALL, "layer2")
    together = layer(variables, images)
    for index in range(3):
        alone = layer(variables, images[index : index + 1])
        np.testing.assert_allclose(alone[0], together[index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_embeddings_have_the_dtype_of_weights_and_images(dtype: Any) -> None:
    with enable_x64(True):
        variables = jax.tree.map(lambda leaf: leaf.astype(dtype), random_variables(SMALL, (8, 8)))
        embedding = jax.eval_shape(
            Layer(SMALL, "fc"), variables, images_of(1, 8, 8, 3).astype(dtype)
        )
    assert embedding.dtype == dtype


def test_only_the_weights_up_to_the_layer_are_needed() -> None:
    variables, images = random_variables(SMALL, (8, 8)), images_of(1, 8, 8, 3)
    layer = Layer(SMALL, "layer1")
    shallow = {
        collection: {
            name: leaf for name, leaf in leaves.items() if name[:6] not in ("layer2", "fc")
        }
        for collection, leaves in variables.items()
    }
    assert len(shallow["params"]) < len(variables["params"])
    np.testing.assert_array_equal(layer(shallow, images), layer(variables, images))


# ------------------------------------------------------------------------------------------ cost

TRACED: list[str] = []


def traced(name: str, *inputs: jax.Array) -> jax.Array:
    """An operation that leaves a mark each time it is traced."""
    TRACED.append(name)
    return sum(inputs[1:], inputs[0]) * 2


class Marked(Network):
    """A fork: `left` and `right` of `start`, joined in `end`."""

    tag: int = 0  # networks of different tags share no compilation

    def graph(self) -> tuple[Node, ...]:
        net = GraphBuilder()
        edges = {
            "start": (INPUT,),
            "left": ("start",),
            "right": ("start",),
            "end": ("left", "right"),
        }
        for name, inputs in edges.items():
            net(name, functools.partial(traced, name), *inputs)
        return tuple(net.nodes)

    def aliases(self) -> dict[str, str]:
        return {"first": "start", "port": "left"}


@pytest.fixture
def marks() -> list[str]:
    """The operations traced since the test began."""
    TRACED.clear()
    return TRACED


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("start", ["start"]),
        ("left", ["start", "left"]),
        ("right", ["start", "right"]),
        ("end", ["start", "left", "right", "end"]),
    ],
)
def test_tracing_visits_only_what_the_layer_needs(
    marks: list[str], name: str, needed: list[str]
) -> None:
    embedding = Layer(Marked(tag=1), name)({}, jnp.ones((1, 2, 2, 1)))
    assert marks == needed
    factor = {"start": 2, "left": 4, "right": 4, "end": 16}[name]
    np.testing.assert_array_equal(embedding, np.full((1, 2, 2, 1), factor))


def test_a_layer_is_traced_once(marks: list[str]) -> None:
    """For repeated calls, for equal layers made anew, and for its other names."""
    images = jnp.ones((1, 2, 2, 1))
    for _ in range(3):
        for name in ("left", "port"):
            Layer(Marked(tag=2), name)({}, images)
    assert marks == ["start", "left"]
    Layer(Marked(tag=2), "port")({}, jnp.ones((2, 2, 2, 1)))  # another shape
    assert marks == ["start", "left"] * 2
    Layer(Marked(tag=2), "first")({}, images)  # another layer
    assert marks == ["start", "left"] * 2 + ["start"]


def test_a_static_layer_is_traced_once(marks: list[str]) -> None:
    compiled = jax.jit(lambda layer, images: layer({}, images), static_argnums=0)
    for name in ("left", "port", "left"):
        compiled(Layer(Marked(tag=3), name), jnp.ones((1, 2, 2, 1)))
    assert marks == ["start", "left"]


def structs(model: Network) -> tuple[Any, jax.ShapeDtypeStruct]:
    """Variables and images of which only the shapes exist."""
    images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    return jax.eval_shape(model.init, KEY, images), images


def flops(lowered: Any) -> float:
    return lowered.compile().cost_analysis()["flops"]


def value_and_gradient(embed: Callable[..., jax.Array]) -> Any:
    """The inner step of a descent, jitted."""
    return jax.jit(
        jax.value_and_grad(lambda images, variables: (embed(variables, images) ** 2).sum())
    )


def test_a_layer_costs_what_the_network_cut_there_costs() -> None:
    deep, cut = build_model("resnet152"), build_model("resnet50", stage_sizes=(3,), num_classes=1)
    layer = Layer(deep, "layer1")
    variables, images = structs(deep)
    whole = jax.jit(deep.apply).lower(variables, images).cost_analysis()["flops"]
    cut_variables, _ = structs(cut)

    def cut_there(variables: Any, images: jax.Array) -> jax.Array:
        _, activations = cut.apply(variables, images)
        return activations["layer1.2"]

    expected = flops(value_and_gradient(cut_there).lower(images, cut_variables))
    got = flops(value_and_gradient(layer).lower(images, variables))
    assert expected / 1.05 <= got <= 1.05 * expected
    expected = flops(jax.jit(cut_there).lower(cut_variables, images))
    assert expected < whole / 5
    # The plain call, as it is compiled.
    got = flops(
        layers._embed.lower(layer, needed_variables(layer.model, layer.node, variables), images)
    )
    assert expected / 1.05 <= got <= 1.05 * expected


# ------------------------------------------------------------------------------------- selection


@pytest.mark.parametrize(
    ("specification", "expected"),
    [
        ("conv1", ("conv1",)),
        ("conv1,layer1:layer3", ("conv1", "layer1", "layer2", "layer3")),
        ("conv1:layer2", ("conv1", "layer1", "layer2")),
        ("layer1.0:layer2.1", ("layer1.0", "layer1.1", "layer1.2", "layer2.0", "layer2.1")),
        ("relu:layer1", ("relu", "maxpool", "layer1.0", "layer1.1", "layer1.2")),
        ("stem:layer1.0", ("maxpool", "layer1.0")),
        ("layer4.2.relu_2:fc", ("layer4.2", "avgpool", "fc")),
        ("layer3:layer3", ("layer3",)),
        ("all-stages", ("conv1", "layer1", "layer2", "layer3", "layer4")),
        ("all_stages", ("conv1", "layer1", "layer2", "layer3", "layer4")),
        ("all", RESNET50_LAYERS),
        ("all-stages,fc", ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")),
        (" fc , conv1,", ("fc", "conv1")),
        ("layer3.0.conv2", ("layer3.0.conv2",)),
        ("conv1,conv1,conv1:layer1", ("conv1", "layer1")),
    ],
)
def test_select_layers(specification: str, expected: tuple[str, ...]) -> None:
    assert select_layers(RESNET50, specification) == expected
    for name in expected:
        Layer(RESNET50, name)


def test_select_layers_of_a_vgg_and_of_an_mlp() -> None:
    vgg = build_model("vgg16")
    assert select_layers(vgg, "all-stages") == ("conv1", "conv2", "conv3", "conv4", "conv5")
    assert select_layers(vgg, "conv2:conv4") == ("conv2", "conv3", "conv4")
    assert select_layers(vgg, "conv1_1:pool1") == tuple(f"features.{n}" for n in range(5))
    mlp = build_model("mlp", widths=(4, 3, 2), activation="relu")
    assert select_layers(mlp, "all-stages") == ("relu1", "relu2", "fc3")
    assert select_layers(mlp, "all") == layer_names(mlp)


@pytest.mark.parametrize(
    ("specification", "words"),
    [
        ("layer9", ["layer9", "did you mean", "layer"]),
        ("conv1,lyer1", ["lyer1", "'layer1'"]),
        ("layer1:layer9", ["layer9", "did you mean"]),
        ("layer3:layer1", ["runs backwards", "layer1:layer3"]),
        ("fc:conv1", ["runs backwards", "conv1:fc"]),
        ("layer1.0.conv2:layer2", ["layer1.0.conv2", "inside a block"]),
        ("layer1:layer2.0.conv1", ["layer2.0.conv1", "inside a block"]),
        ("", ["no layer", "all-stages"]),
        (" , ", ["no layer"]),
    ],
)
def test_select_layers_refuses(specification: str, words: list[str]) -> None:
    message = error_of(lambda: select_layers(RESNET50, specification))
    for word in words:
        assert word in message


def test_paper_and_torchvision_stage_names_select_alike() -> None:
    model = build_model("resnet18")
    assert select_layers(model, "conv2:conv4") == select_layers(model, "layer1:layer3")
    assert select_layers(model, "layer1.0:layer2.1") == (
        "layer1.0", "layer1.1", "layer2.0", "layer2.1",
    )  # fmt: skip
    assert select_layers(model, "layer1,conv2,layer1.1") == ("layer1",)


# -------------------------------------------------------------------------- networks of one's own


def test_no_normalization_under_its_name_goes_with_from_layer() -> None:
    named = Layer(SMALL, "layer2", normalization="none", from_layer="layer1")
    assert named == Layer(SMALL, "layer2", from_layer="layer1")
    assert "no normalization" in error_of(
        lambda: Layer(SMALL, "layer2", normalization="half", from_layer="layer1")
    )


def test_a_module_without_a_graph_has_no_layers() -> None:
    """Types are checked in these tests, and not for users: so this asks Python as they do."""
    program = """
import depthjax, flax.linen as nn, jax
dense = nn.Dense(3)
for asked in (
    lambda: depthjax.Layer(dense, "x"),
    lambda: depthjax.layer_names(dense),
    lambda: depthjax.init_variables(dense, jax.random.key(0)),
    lambda: depthjax.load_weights(dense, {}),
    lambda: depthjax.to_torch_state_dict({"params": {}}, nn.Dense(3)),
):
    try:
        asked()
    except ValueError as error:
        print(error)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    messages = found.stdout.splitlines()
    assert len(messages) == 5, found.stderr
    for message in messages:
        assert "Dense is no depthjax Network" in message
        assert "lambda variables, images" in message


class Adopted(Network):
    """A module made as if it were to run at once."""

    def graph(self) -> tuple[Node, ...]:
        return (Node("conv", nn.Conv(3, (1, 1)), (INPUT,)),)


def test_a_module_of_a_graph_needs_parent_none() -> None:
    message = error_of(lambda: layer_names(Adopted()))
    assert "Adopted.graph()" in message
    assert "parent=None" in message


class Failing(Network):
    """Its own assertion fails."""

    def graph(self) -> tuple[Node, ...]:
        raise AssertionError("mine")


def test_other_assertions_of_a_graph_are_its_own() -> None:
    with pytest.raises(AssertionError, match="mine"):
        layer_names(Failing())


class Given(Network):
    """Operations as fields, one of them under the name of its node."""

    act: Any = None
    nodes: tuple[Any, ...] = ()

    def graph(self) -> tuple[Node, ...]:
        return (Node("act", self.act, (INPUT,)), *self.nodes)


def test_operations_may_be_fields() -> None:
    model = Given(
        nn.Conv(4, (3, 3), parent=None), (Node("second", nn.Dense(2, parent=None), ("act",)),)
    )
    variables = init_variables(model, KEY, 5)
    assert {name: set(leaves) for name, leaves in variables["params"].items()} == {
        "act": {"kernel", "bias"},
        "second": {"kernel", "bias"},
    }
    layer, images = Layer(model, "second"), images_of(2, 5, 5, 3)
    assert layer(variables, images).shape == (2, 5, 5, 2)
    fast, weights = layer.prepare(variables)
    np.testing.assert_allclose(fast(weights, images), layer(variables, images), rtol=1e-5)


def test_a_field_and_another_operation_of_its_name() -> None:
    class Confused(Given):
        def graph(self) -> tuple[Node, ...]:
            return (Node("act", nn.Dense(2, parent=None), (INPUT,)),)

    message = error_of(lambda: init_variables(Confused(nn.Dense(3, parent=None)), KEY, 5))
    assert "give the operation another name" in message


@pytest.mark.parametrize("name", ["input", "params"])
def test_names_that_no_operation_can_have(name: str) -> None:
    model = Given(nn.relu, (Node(name, nn.Dense(2, parent=None), ("act",)),))
    message = error_of(lambda: init_variables(model, KEY, 5))
    assert f"Given has an operation {name!r}" in message
    assert "give it another name" in message


def test_images_whose_channels_come_first_are_told_from_others() -> None:
    variables = init_variables(SMALL, KEY, 8)
    layer = Layer(SMALL, "conv1")
    message = error_of(lambda: layer(variables, images_of(2, 3, 8, 8)))
    assert message.endswith("give it 8; channels come last here: jnp.moveaxis(images, 1, -1)")
    message = error_of(lambda: layer(variables, images_of(2, 8, 8, 5)))
    assert "channels come last" not in message and "that the weights were made for" in message
