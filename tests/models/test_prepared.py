"""A prepared layer is the layer: same values, same derivatives."""

import math
import re
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_networks import describe_network, deviations, within_rounding

import depthjax
from depthjax.devices.precision import compiler_options
from depthjax.inversion.loop import descend
from depthjax.inversion.problem import Data, numbers_of
from depthjax.inversion.state import initial_state
from depthjax.models import Network
from depthjax.models.network import INPUT, GraphBuilder, Node
from depthjax.models.operations import (
    add,
    batch_norm,
    conv,
    flatten,
    global_average,
    layer_norm,
    linear,
    relu,
)
from depthjax.models.operations.elementwise import Arithmetic, Where
from depthjax.models.prepared import plan
from depthjax.ops import winograd

MODELS = {
    "basic": ("resnet18", {"width": 4, "stage_sizes": (1, 1)}, ["conv1", "layer2.0.bn1", "fc"]),
    "bottleneck": (
        "resnet50",
        {"width": 4, "stage_sizes": (1, 1), "width_per_group": 128},
        ["bn1", "layer2.0.conv3", "layer2.0.downsample.1", "layer2"],
    ),
    "grouped": ("resnext50_32x4d", {"width": 16, "stage_sizes": (1, 1), "groups": 4}, ["layer2"]),
    "small stem": ("resnet18", {"width": 4, "stage_sizes": (1,), "stem": "small"}, ["layer1"]),
    "vgg": ("vgg11", {"width": 4, "hidden": 8, "stage_sizes": (1, 1)}, ["conv2", "classifier"]),
    "vgg_bn": ("vgg11_bn", {"width": 4, "hidden": 8, "stage_sizes": (1, 1)}, ["pool2"]),
}


def build(name, **fields):
    """A small model whose BatchNorm is not the identity, in float64."""
    size = {} if name == "mlp" else {"num_classes": 5}
    model = depthjax.build_model(name, **size, **fields)
    variables = depthjax.init_variables(model, jax.random.key(0), 17)
    rng = np.random.default_rng(0)
    return model, jax.tree.map(
        lambda leaf: jnp.asarray(np.float64(leaf) + rng.uniform(0.1, 0.5, leaf.shape)), variables
    )


@pytest.mark.parametrize("kind", MODELS)
def test_same_values_and_gradients(kind, x64):
    name, fields, layers = MODELS[kind]
    model, variables = build(name, **fields)
    rng = np.random.default_rng(1)
    images = jnp.asarray(rng.uniform(size=(2, 17, 19, 3)))
    for layer_name in layers:
        layer = depthjax.Layer(model, layer_name)
        fast, weights = layer.prepare(variables)

        def compare(f, parameters):
            value, pullback = jax.vjp(lambda x: f(parameters, x), images)
            return value, pullback(
                jnp.cos(jnp.arange(value.size, dtype=float)).reshape(value.shape)
            )

        (value, (gradient,)), (expected, (expected_gradient,)) = (
            jax.jit(compare, static_argnums=0)(fast, weights),
            jax.jit(compare, static_argnums=0)(layer, variables),
        )
        for ours, theirs in ((value, expected), (gradient, expected_gradient)):
            scale = max(float(jnp.abs(theirs).max()), 1e-30)
            np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-12, err_msg=layer_name)


@pytest.mark.parametrize("seed", range(6))
def test_drawn_networks(seed: int) -> None:
    """All settings of all operations, a few networks; the helper itself compares thousands."""
    found = deviations(seed)
    assert within_rounding(seed, found), f"{found}\n{describe_network(seed)}"


SETTINGS: dict[str, dict[str, Any]] = {
    "padding of one side": {"padding": ((0, 1), (0, 1)), "strides": (2, 2)},
    "padding of both, unequal": {"kernel_size": (5, 5), "padding": ((1, 2), (1, 2))},
    "two strides": {"strides": (1, 2)},
    "dilation": {"kernel_dilation": (2, 2)},
    "a row": {"kernel_size": (1, 7)},
    "a column": {"kernel_size": (3, 1)},
    "input dilation": {"input_dilation": (2, 2), "padding": ((1, 1), (1, 1))},
    "Flax's defaults": {},
    "valid": {"padding": "VALID"},
    "circular": {"padding": "CIRCULAR"},
    "numbers": {"padding": 1, "strides": 2},
    "a number for each axis": {"padding": (1, 0), "strides": None},
    "same, strided": {"padding": "SAME", "strides": (2, 2)},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_a_convolution(name: str) -> None:
    """Under a global average all shapes agree, so that only the numbers can tell."""
    settings = {"kernel_size": (3, 3)} | SETTINGS[name]
    model = Averaged(nn.Conv(4, parent=None, **settings))
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    images = jnp.asarray(np.random.default_rng(0).random((2, 8, 9, 3), np.float32))
    layer = depthjax.Layer(model, "pool")
    fast, weights = layer.prepare(variables)
    np.testing.assert_allclose(fast(weights, images), layer(variables, images), rtol=1e-4)


class Averaged(Network):
    """An operation, given as a field, and the average of what it makes."""

    operation: Any = None

    def graph(self) -> tuple[Node, ...]:
        net = GraphBuilder()
        net("pool", global_average, net("relu", relu, net("operation", self.operation, INPUT)))
        return tuple(net.nodes)


def test_a_norm_of_vectors() -> None:
    """As `torch.nn.BatchNorm1d`, after a fully connected layer."""
    net = GraphBuilder()
    x = net("norm", batch_norm(), net("fc", linear(3), net("flatten", flatten, INPUT)))
    model = Nodes(tuple(net.nodes))
    variables = depthjax.init_variables(model, jax.random.key(0), 2)
    images = jnp.asarray(np.random.default_rng(0).random((2, 2, 2, 3), np.float32))
    layer = depthjax.Layer(model, x)
    fast, weights = layer.prepare(variables)
    np.testing.assert_allclose(fast(weights, images), layer(variables, images), rtol=1e-5)


class Nodes(Network):
    nodes: tuple[Node, ...] = ()

    def graph(self) -> tuple[Node, ...]:
        return self.nodes


def test_jacobian_products_agree(x64):
    model, variables = build("resnet50", width=4, stage_sizes=(1, 1))
    layer = depthjax.Layer(model, "layer2")
    fast, weights = layer.prepare(variables)
    rng = np.random.default_rng(0)
    images, tangent = (jnp.asarray(rng.uniform(size=(1, 17, 17, 3))) for _ in range(2))
    value, push = jax.linearize(jax.jit(lambda x: fast(weights, x)), images)
    _, expected = jax.jvp(lambda x: layer(variables, x), (images,), (tangent,))
    np.testing.assert_allclose(push(tangent), expected, rtol=1e-9, atol=1e-12)
    (pulled,) = jax.linear_transpose(push, images)(value)
    np.testing.assert_allclose(
        jnp.vdot(pulled, tangent), jnp.vdot(value, push(tangent)), rtol=1e-10
    )
    many = jnp.stack([tangent, 2 * tangent])
    np.testing.assert_allclose(
        jax.vmap(push)(many), jnp.stack([expected, 2 * expected]), rtol=1e-9, atol=1e-12
    )


def test_batch_norm_is_folded_only_into_a_convolution_that_nobody_else_reads():
    model = depthjax.build_model("resnet18")
    whole = {step.name: step for step in plan(model, "layer1.0")}
    assert whole["bn1"].source == "conv1" and "conv1" not in whole
    assert plan(model, "conv1")[-1].norm is None
    names = [step.name for step in plan(model, "layer1.0.conv2")]
    assert names[-2:] == ["layer1.0.relu", "layer1.0.conv2"]


def test_prepared_layers_compare_by_value():
    model = depthjax.build_model("resnet18", width=4)
    variables = depthjax.init_variables(model, jax.random.key(0), 32)
    first, _ = depthjax.Layer(model, "layer1").prepare(variables)
    second, _ = depthjax.Layer(model, "conv2").prepare(variables)
    assert first == second and hash(first) == hash(second)


def test_a_step_of_a_descent_costs_what_the_cut_network_costs():
    """layer1 of ResNet-152: loop, optimiser and records within 1.05 of one bare gradient."""
    images = jnp.zeros((1, 64, 64, 3))

    def layer_of(model):
        variables = depthjax.init_variables(model, jax.random.key(0), 64)
        return depthjax.Layer(model, "layer1"), variables

    layer, variables = layer_of(depthjax.build_model("resnet152"))
    fast, weights = layer.prepare(variables)
    config = depthjax.InversionConfig()
    numbers = numbers_of(config, images.dtype)
    data = Data(layer(variables, images), images, jnp.ones(1), numbers)
    state = initial_state(config.structure, images)
    compiled = descend(None, images.dtype)
    lowered = compiled.lower(fast, config.structure, weights, data, state, jnp.asarray(3))
    loop = lowered.compile()
    cut, cut_variables = layer_of(depthjax.build_model("resnet50", stage_sizes=(3,)))
    bare = jax.jit(jax.value_and_grad(lambda v, x: (cut(v, x) ** 2).sum(), argnums=1))
    flops = [
        compiled.cost_analysis()["flops"]
        for compiled in (loop, bare.lower(cut_variables, images).compile())
    ]
    assert flops[0] <= 1.05 * flops[1]


def residual_chain(blocks: int) -> tuple[depthjax.Layer, Any]:
    """Sums of sums, as the blocks of a transformer are."""
    net = GraphBuilder()
    skip = net("flat", flatten, INPUT)
    for block in range(blocks):
        x = net(f"{block}.norm", layer_norm(), skip)
        x = net(f"{block}.linear", linear(12), x)
        skip = net(f"{block}", add, x, skip)
    model = Nodes(tuple(net.nodes))
    return depthjax.Layer(model, skip), depthjax.init_variables(model, jax.random.key(0), 2)


def test_the_sums_of_residual_blocks_are_computed_once_each():
    def operations(blocks: int) -> int:
        layer, variables = residual_chain(blocks)
        fast, weights = layer.prepare(variables)
        images = jnp.ones((2, 2, 2, 3))
        step = jax.jit(jax.grad(lambda x: (fast(weights, x) ** 2).sum()))
        return step.lower(images).compile().as_text().count(" add(")

    assert operations(12) - operations(8) <= 1.1 * (operations(8) - operations(4))


def weights_read_alone(program: str) -> list[str]:
    """Instructions of the body of the loop that make a large array of loop invariants only."""
    (name,) = set(re.findall(r" while\(.*body=(%[\w.]+)", program))
    body = program.split(f"\n{name} ", 1)[1].split("\n}", 1)[0]
    parts = dict(re.findall(r"(%\S+) = \S+ get-tuple-element\(.*?\), index=(\d+)", body))
    (result,) = re.findall(r"ROOT %\S+ = \(.*\) tuple\((.*?)\)", body)
    passed_on = [re.sub(r"/\*.*?\*/", "", part).strip() for part in result.split(",")]
    fixed = {part for part, index in parts.items() if passed_on[int(index)] == part}
    found = []
    pattern = r"%\S+ = f32\[([\d,]+)\]\S* (?:fusion|copy|transpose|concatenate)\((.*?)\)"
    for shape, operands in re.findall(pattern, body):
        read = {re.sub(r"/\*.*?\*/", "", part).strip() for part in operands.split(",")}
        if read <= fixed and math.prod(map(int, shape.split(","))) >= 400:
            found.append(f"{shape} of {operands}")
    return found


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="says what XLA's CPU backend does")
@pytest.mark.parametrize(
    ("kernel", "side", "strides"),
    [(3, 8, 1), (3, 2, 1), (3, 1, 1), (3, 2, 2), (5, 3, 1), (1, 3, 1), (1, 3, 2), (2, 4, 2)],
)
def test_no_step_copies_a_kernel(kernel, side, strides, monkeypatch):
    monkeypatch.setattr(winograd, "pays", lambda x, outputs: side == 8)
    net = GraphBuilder()
    x = net("first", conv(24, 1), INPUT)
    padding = 0 if kernel == strides else None
    net("second", conv(24, kernel, strides, padding=padding), x)
    model = Nodes(tuple(net.nodes))
    fast, weights = depthjax.Layer(model, "second").prepare(
        depthjax.init_variables(model, jax.random.key(0), side)
    )

    def stepped(weights, images):
        def step(_, images):
            return images - jax.grad(lambda x: (fast(weights, x) ** 2).sum())(images)

        return jax.lax.fori_loop(0, 3, step, images)

    compiled = jax.jit(stepped, compiler_options=compiler_options(np.dtype(np.float32)))
    program = compiled.lower(weights, jnp.ones((2, side, side, 3))).compile().as_text()
    assert not weights_read_alone(program)


def test_float64_goes_back_without_zeros_between_pixels(x64):
    """XLA's CPU backend skips those in float32 alone; its fast products know no float64 either."""
    model = depthjax.build_model("resnet18_small", width=8, stage_sizes=(1, 1))
    variables = jax.tree.map(
        lambda leaf: leaf.astype(np.float64), depthjax.init_variables(model, jax.random.key(0), 16)
    )
    fast, weights = depthjax.Layer(model, "layer2").prepare(variables)
    gradient = jax.jit(jax.grad(lambda x: (fast(weights, x) ** 2).sum()))
    program = gradient.lower(jnp.ones((2, 16, 16, 3))).as_text()
    assert "f64" in program and "convolution" in program
    assert jax.default_backend() != "cpu" or "lhs_dilate = [2" not in program
    assert compiler_options(np.dtype(np.float64)) == {}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_weights_are_the_same_by_numpy_and_within_a_program(name, dtype, x64):
    """They come from NumPy where they are numbers in the host's memory, else from XLA."""
    model_name, fields, layers = MODELS[name]
    model, variables = build(model_name, **fields)
    variables = jax.tree.map(lambda leaf: leaf.astype(dtype), variables)
    layer = depthjax.Layer(model, layers[-1])
    _, by_numpy = layer.prepare(variables)
    by_xla = jax.jit(lambda held: layer.prepare(held)[1])(variables)
    assert jax.tree.structure(by_numpy) == jax.tree.structure(by_xla)
    for mine, other in zip(jax.tree.leaves(by_numpy), jax.tree.leaves(by_xla), strict=True):
        assert isinstance(mine, jax.Array) and mine.dtype == other.dtype == dtype
        scale = np.abs(other).max()
        np.testing.assert_allclose(mine, other, rtol=0, atol=8 * np.finfo(dtype).eps * scale)


def test_weights_that_stay_are_not_copied_and_no_program_is_compiled(caplog):
    model, variables = build("mlp", widths=(6, 5))
    layer = depthjax.Layer(model, model.stages()[-1])
    with jax.log_compiles(), caplog.at_level("WARNING"):
        _, weights = layer.prepare(variables)
    assert not caplog.records
    given = {id(leaf) for leaf in jax.tree.leaves(variables)}
    assert {id(leaf) for leaf in jax.tree.leaves(weights)} <= given


def test_gates_that_are_numbers_of_no_kind_pass_between_parts(x64):
    """Of true and false there is no gradient to wait for; PReLU is imported so."""
    net = GraphBuilder()
    x = net("conv", conv(4, 3, bias=True), INPUT)
    gate = net("gate", Arithmetic("greater", 0.2), x)
    late = net("late", conv(4, 3), net("relu", relu, net("first", conv(4, 3), x)))
    net("end", Where(), gate, late, x)
    model = Nodes(tuple(net.nodes))
    variables = depthjax.init_variables(model, jax.random.key(0), 6)
    exact = jax.tree.map(lambda leaf: leaf.astype(float), variables)
    images = jnp.asarray(np.random.default_rng(0).random((2, 6, 6, 3)))

    def gradient(rematerialize):
        fast, weights = depthjax.Layer(model, "end").prepare(exact, rematerialize=rematerialize)
        return jax.jit(jax.grad(lambda x: jnp.square(fast(weights, x)).sum()))(images)

    assert np.ptp(gradient(False)) > 0
    np.testing.assert_allclose(gradient(True), gradient(False), rtol=1e-10)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), exact)
    fast, weights = depthjax.Layer(model, "end").prepare(half, rematerialize=True)
    few = images.astype(jnp.bfloat16)
    assert jax.grad(lambda x: fast(weights, x).sum())(few).dtype == jnp.bfloat16


@pytest.mark.parametrize("rematerialize", [False, True])
def test_all_products_have_the_precision_that_was_set(rematerialize):
    """Also of the gradient, which is taken after that."""
    model, variables = build("resnet18", width=4, stage_sizes=(1, 1))
    fast, weights = depthjax.Layer(model, "fc").prepare(variables, rematerialize=rematerialize)

    def gradient(images):
        with jax.default_matmul_precision("highest"):
            value, pullback = jax.vjp(lambda x: fast(weights, x), images)
        return pullback(value)

    with jax.default_matmul_precision("bfloat16"):
        text = jax.jit(gradient).lower(jnp.zeros((1, 16, 16, 3))).as_text()
    products = re.findall(r"stablehlo\.(?:convolution|dot_general).*", text)
    assert len(products) > 10
    assert all(product.count("HIGHEST") == 2 for product in products)
