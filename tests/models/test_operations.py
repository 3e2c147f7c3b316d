"""Operations of one file each, and modules of which nothing is known."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_networks import DoubledConv, SqueezeExcite

import depthjax
from depthjax.analysis.accounting import account, local_rank_bound, sentence
from depthjax.compat import enable_x64
from depthjax.models import Network, init_variables
from depthjax.models.network import INPUT, GraphBuilder, Node
from depthjax.models.operations import (
    GELU,
    TransposedConv,
    batch_norm,
    conv,
    describe,
    gelu,
    layer_norm,
    relu,
)
from depthjax.weights import from_torch_state_dict, load_weights, to_torch_state_dict

MASK = np.arange(108, dtype=np.float32).reshape(3, 3, 3, 4) % 2
KEY = jax.random.key(0)
IMAGES = jnp.asarray(np.random.default_rng(0).random((2, 6, 6, 3), np.float32))


class Chain(Network):
    """Operations `op1`, `op2`, … one after the other."""

    operations: tuple[Any, ...] = ()

    def graph(self) -> tuple[Node, ...]:
        net, x = GraphBuilder(), INPUT
        for i, operation in enumerate(self.operations, 1):
            x = net(f"op{i}", operation, x)
        return tuple(net.nodes)


def untrained(*operations: Any) -> tuple[Network, depthjax.Layer, Any]:
    model = Chain(operations)
    layer = depthjax.Layer(model, f"op{len(operations)}")
    return model, layer, init_variables(model, KEY, 6)


# ------------------------------------------------------------------------------ semantics


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu(approximate: bool) -> None:
    x = np.linspace(-4, 4, 81)
    exact = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x]
    cubic = [0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in x]
    with enable_x64(True):
        values = GELU(approximate)(jnp.asarray(x))
    np.testing.assert_allclose(values, cubic if approximate else exact, atol=1e-12)
    assert GELU() == gelu


def test_layer_norm_is_pytorchs(x64: None) -> None:
    """Over channels, biased variance, ε = 1e-5, and exact where the mean is large."""
    rng = np.random.default_rng(0)
    x = 1e4 + rng.normal(size=(2, 3, 3, 5)) / 100
    scale, bias = rng.normal(size=(2, 5))
    value = layer_norm().apply({"params": {"scale": scale, "bias": bias}}, jnp.asarray(x))
    centred = x - x.mean(-1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + bias
    np.testing.assert_allclose(value, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("transpose_kernel", [False, True])
def test_kernels_of_transposed_convolutions_are_pytorchs(transpose_kernel: bool) -> None:
    """Each pixel adds the kernel, times its value, at its place: `y[s·i + k] += x[i] w[k]`."""
    model, layer, _ = untrained(
        nn.ConvTranspose(
            *(3, (2, 3)),
            strides=(2, 1),
            padding="VALID",
            transpose_kernel=transpose_kernel,
            parent=None,
        )
    )
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 3, 2, 3)), rng.normal(size=3)
    state = {"op1.weight": np.float32(weight), "op1.bias": np.float32(bias)}
    x = np.asarray(IMAGES)
    expected = np.zeros((2, 12, 8, 3)) + bias
    for i, j, row, column in np.ndindex(6, 6, 2, 3):
        expected[:, 2 * i + row, j + column] += x[:, i, j] @ weight[:, :, row, column]
    variables = from_torch_state_dict(state, model, 6)
    np.testing.assert_allclose(layer(variables, IMAGES), expected, rtol=1e-4, atol=1e-5)
    again = to_torch_state_dict(variables, model)
    jax.tree.map(np.testing.assert_array_equal, again, state)


# ----------------------------------------------------------------------------- any module

MODULES: dict[str, Any] = {
    "dense": nn.Dense(4, parent=None),
    "layer norm": layer_norm(),
    "group norm": nn.GroupNorm(3, parent=None),
    "transposed": nn.ConvTranspose(4, (3, 3), strides=(2, 2), parent=None),
    "transposed of PyTorch": TransposedConv(
        *(6, (3, 2)),
        padding=((1, 1), (2, 0)),
        input_dilation=(2, 1),
        feature_group_count=3,
        parent=None,
    ),
    "squeeze and excite": SqueezeExcite(parent=None),
    "norm without scale": nn.BatchNorm(use_scale=False, parent=None),
    "norm without either": nn.BatchNorm(use_scale=False, use_bias=False, parent=None),
    "convolution": nn.Conv(4, (3, 3), parent=None),
    "subclass": DoubledConv(4, (3, 3), parent=None),
    "masked": nn.Conv(4, (3, 3), mask=MASK, parent=None),
    "local": nn.ConvLocal(4, (3, 3), parent=None),
    "gelu": gelu,
    "function": jnp.tanh,
}


class Alone(Network):
    """One module of `MODULES` between two convolutions."""

    name_of_module: str = ""

    def graph(self) -> tuple[Node, ...]:
        net = GraphBuilder()
        x = net("first", conv(3, 1), INPUT)
        x = net("middle", MODULES[self.name_of_module], x)
        net("last", relu, x)
        return tuple(net.nodes)


@pytest.mark.parametrize("name", MODULES)
def test_any_module_is_initialised_prepared_and_named(name: str) -> None:
    model = Alone(name)
    layer = depthjax.Layer(model, "last")
    variables, again = (init_variables(model, KEY, 6) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, variables, again)
    fast, weights = layer.prepare(variables)
    value = layer(variables, IMAGES)
    np.testing.assert_allclose(jax.jit(fast)(weights, IMAGES), value, rtol=1e-4, atol=1e-5)
    state = to_torch_state_dict(variables, model)
    for back in (from_torch_state_dict(state, model, 6), load_weights(model, state, image_size=6)):
        assert jax.tree.structure(back) == jax.tree.structure(variables)
        jax.tree.map(np.testing.assert_array_equal, back, variables)


def test_the_accounting_of_any_module_stays_a_bound() -> None:
    names = ("convolution", "layer norm", "gelu", "transposed")
    with enable_x64(True):
        _, layer, variables = untrained(*(MODULES[name] for name in names), batch_norm())
        rng = np.random.default_rng(0)
        variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), variables)
        variables["batch_stats"]["op5"]["var"] = jnp.ones(4)
        image = jnp.asarray(rng.random((4, 4, 3)))
        losses = account(layer, variables, image)
        assert [loss.kind for loss in losses] == [
            *("conv", "layer norm", "gelu", "other", "batch norm")
        ]
        assert all(sentence(loss) for loss in losses)
        jacobian = jax.jacobian(lambda x: layer(variables, x[None]).ravel())(image)
        rank = np.linalg.matrix_rank(np.asarray(jacobian).reshape(len(jacobian), -1))
        assert local_rank_bound(layer, variables, image).rank >= rank > 0


def test_an_operation_that_does_not_hash_joins_everything() -> None:
    layer = depthjax.Layer(Alone("masked"), "middle")
    _, loss = account(layer, init_variables(layer.model, KEY, 6), IMAGES[0])
    assert (loss.active_inputs, loss.active_outputs) == (108, 144)


def test_names_of_a_module_within_a_module() -> None:
    model, _, variables = untrained(SqueezeExcite(parent=None), layer_norm())
    names = to_torch_state_dict(variables, model)
    assert {name: array.shape for name, array in names.items()} == {
        "op1.Dense_0.weight": (2, 3),
        "op1.Dense_0.bias": (2,),
        "op1.Dense_1.weight": (3, 2),
        "op1.Dense_1.bias": (3,),
        "op2.weight": (3,),
        "op2.bias": (3,),
    }


def test_a_kernel_and_a_scale_in_one_module_keep_their_names() -> None:
    names = describe(nn.Dense(1, parent=None)).torch_names([("kernel",), ("scale",)])
    assert names == {("kernel",): "kernel", ("scale",): "scale"}


def test_a_name_that_the_model_does_not_have() -> None:
    model, _, variables = untrained(layer_norm())
    state = to_torch_state_dict(variables, model) | {"op1.gamma": np.ones(3)}
    with pytest.raises(ValueError, match=r"'op1.gamma' is no weight of this Chain"):
        from_torch_state_dict(state, model, 6)


# --------------------------------------------------------------------------- initialisation


def test_flaxs_own_initialisers() -> None:
    """Drawn from the operation's name: two networks share what they share."""
    convolution = nn.Conv(400, (3, 3), bias_init=nn.initializers.ones, parent=None)
    _, _, variables = untrained(convolution)
    _, _, longer = untrained(convolution, relu, convolution)
    first, later = (longer["params"][name]["kernel"] for name in ("op1", "op3"))
    np.testing.assert_array_equal(first, variables["params"]["op1"]["kernel"])
    assert abs(float(jnp.std(later)) * math.sqrt(9 * 400) - 1) < 0.05  # LeCun's
    np.testing.assert_array_equal(variables["params"]["op1"]["bias"], 1)


def test_flaxs_initialisers_compile_once_for_all_seeds(monkeypatch) -> None:
    model = Chain((nn.Dense(4, parent=None), nn.Dense(4, parent=None), nn.LayerNorm(parent=None)))
    made, init = [], nn.Dense.init
    monkeypatch.setattr(nn.Dense, "init", lambda *given: made.append(1) or init(*given))
    first, again = (init_variables(model, jax.random.key(seed), 7) for seed in (0, 1))
    assert len(made) == 2  # of three channels and of four, each traced once
    kernels = [each["params"]["op2"]["kernel"] for each in (first, again)]
    assert not np.array_equal(*kernels)


def test_initial_dtypes_are_the_modules() -> None:
    half = nn.Conv(2, (1, 1), param_dtype=jnp.bfloat16, parent=None)
    _, _, variables = untrained(half, nn.BatchNorm(param_dtype=jnp.bfloat16, parent=None))
    assert variables["params"]["op1"]["kernel"].dtype == jnp.bfloat16
    assert variables["params"]["op2"]["scale"].dtype == jnp.bfloat16


# --------------------------------------------------------------------------- what is known


def test_what_a_subclass_computes_is_not_known() -> None:
    """It runs as it is, and nothing is folded into it."""
    double = describe(DoubledConv(4, (3, 3), parent=None))
    assert (double.kind, double.is_rewritten, double.absorbs) == ("other", False, False)


def test_a_setting_that_is_not_honoured_is_left_to_flax() -> None:
    plain = dict(features=4, kernel_size=(3, 3), parent=None)
    assert describe(nn.Conv(**plain)).is_rewritten
    for settings in (
        {"padding": "CIRCULAR"},
        {"precision": "highest"},
        {"dtype": jnp.float32},
        {"conv_general_dilated": jax.lax.conv_general_dilated},
        {"kernel_size": (3,)},
    ):
        assert not describe(nn.Conv(**plain | settings)).is_rewritten, settings
    assert describe(batch_norm()).is_affine
    for settings in ({"axis": 1}, {"dtype": jnp.float32}, {"use_running_average": False}):
        assert not describe(nn.BatchNorm(parent=None, **settings)).is_affine, settings


CROPPING: dict[str, Any] = {
    "strided": dict(kernel_size=(5, 5), strides=2, padding=((-1, 2), (0, -1))),
    "dilated": dict(
        kernel_size=(5, 5), strides=2, padding=((-1, 2), (0, -1)), input_dilation=(2, 1)
    ),
    "left to Flax": dict(kernel_size=(2, 2), padding=((-1, 1), (-1, 1)), precision="highest"),
}


@pytest.mark.parametrize("name", CROPPING)
def test_cropping_before_a_convolution(name: str) -> None:
    """XLA's float32 convolution may read beyond the image here, so float64 is the truth."""
    rng = np.random.default_rng(0)
    module = nn.Conv(4, parent=None, **CROPPING[name])
    model, layer, _ = untrained(module)
    x = rng.normal(size=(2, 9, 9, 3))
    images = jnp.float32(x)
    params = {
        "kernel": rng.normal(size=(*CROPPING[name]["kernel_size"], 3, 4)),
        "bias": rng.normal(size=4),
    }
    exact = {"params": params}
    single = {"params": {"op1": jax.tree.map(jnp.float32, params)}}
    with enable_x64(True):
        truth = np.asarray(jax.jit(module.apply)(exact, x))
        joins = describe(module).joins(truth.shape, jax.tree.map(jnp.asarray, exact))
        joined = np.asarray(jax.jit(joins)(x))
    fast, weights = layer.prepare(single)
    for found in (layer(single, images), jax.jit(fast)(weights, images)):
        np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-4)
    trained, _ = model.apply(single, images, train=True)
    np.testing.assert_allclose(trained, truth, rtol=1e-4, atol=1e-4)
    joins = describe(module).joins(truth.shape, {"params": single["params"]["op1"]})
    np.testing.assert_allclose(jax.jit(joins)(images), joined, rtol=1e-4, atol=1e-4)
    assert jax.eval_shape(model.init, KEY, x)["params"]["op1"]["kernel"].shape[-1] == 4


def test_layer_norm_in_the_accounting() -> None:
    """A channel of scale 0 is closed; the others of its position are joined."""
    _, layer, variables = untrained(layer_norm(), relu)
    variables["params"]["op1"]["scale"] = jnp.asarray([1.0, 0.0, 1.0])
    norm, _ = account(layer, variables, np.asarray(IMAGES[0]))
    assert (norm.kind, norm.active_inputs, norm.active_outputs) == ("layer norm", 108, 72)


def test_gelu_in_the_accounting() -> None:
    _, layer, variables = untrained(gelu)
    (loss,) = account(layer, variables, np.asarray(IMAGES[0]))
    assert sentence(loss) == "op1 keeps all 108 active values"


def test_a_norm_without_scale_and_bias_keeps_the_dtype_of_its_input(x64):
    """Flax promotes by scale and bias alone, not by the statistics."""
    norm = nn.BatchNorm(use_running_average=True, use_scale=False, use_bias=False, parent=None)
    x = jnp.ones((1, 2, 2, 3), jnp.float32)
    leaves = {"batch_stats": {"mean": jnp.zeros(3), "var": jnp.ones(3)}}
    assert leaves["batch_stats"]["var"].dtype == jnp.float64
    description = describe(norm)
    y = description.run(description.freeze(leaves), x)
    assert y.dtype == norm.apply(leaves, x).dtype == jnp.float32
