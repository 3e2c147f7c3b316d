"""PyTorch's state dicts in and out."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_imports import small_import

from depthjax.compat import enable_x64
from depthjax.importing.network import ImportedNetwork
from depthjax.models import Network, build_model, init_variables
from depthjax.models.network import INPUT, Node
from depthjax.weights import from_torch_state_dict, load_weights, to_torch_state_dict

NETWORKS: dict[str, Callable[[], Network]] = {
    "basic": lambda: build_model("resnet18", width=4, stage_sizes=[1, 1], num_classes=3),
    "grouped": lambda: build_model(
        "resnext50_32x4d", width=8, groups=2, width_per_group=32, stage_sizes=[1, 1], num_classes=3
    ),
    "vgg": lambda: build_model("vgg11_bn", width=2, hidden=5, stage_sizes=[1, 1], num_classes=3),
    "mlp": lambda: build_model("mlp", widths=[6, 3]),
}


def random_state(network: str, dtype: Any = np.float32) -> dict[str, np.ndarray]:
    """A state dict of PyTorch's shapes in which no two numbers need be equal."""
    variables = init_variables(NETWORKS[network](), jax.random.key(0), 8)
    generator = np.random.default_rng(0)
    return {
        name: generator.normal(size=array.shape).astype(dtype)
        for name, array in to_torch_state_dict(variables).items()
    }


def assert_identical(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """The same names, dtypes, shapes and bits."""
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape), name
        assert got[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16, np.float32])
@pytest.mark.parametrize("network", NETWORKS)
def test_round_trip_is_exact(network: str, dtype: Any) -> None:
    state = random_state(network, dtype)
    variables = from_torch_state_dict(state)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(variables))
    assert_identical(to_torch_state_dict(variables), state)


def test_round_trip_of_float64_is_exact() -> None:
    state = random_state("basic", np.float64)
    with enable_x64(True):
        assert_identical(to_torch_state_dict(from_torch_state_dict(state)), state)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_way_back_gives_the_variables_again(network: str) -> None:
    variables = init_variables(NETWORKS[network](), jax.random.key(1), 8)
    again = from_torch_state_dict(to_torch_state_dict(variables))
    assert jax.tree.structure(again) == jax.tree.structure(variables)
    for got, expected in zip(jax.tree.leaves(again), jax.tree.leaves(variables), strict=True):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype


def test_each_kind_of_leaf() -> None:
    generator = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "features.0.weight": (5, 3, 2, 4),  # outputs, inputs, height, width
        "features.0.bias": (5,),
        "layer1.0.bn1.weight": (5,),
        "layer1.0.bn1.bias": (5,),
        "layer1.0.bn1.running_mean": (5,),
        "layer1.0.bn1.running_var": (5,),
        "fc.weight": (7, 6),  # outputs, inputs
        "fc.bias": (7,),
    }
    state = {name: generator.normal(size=shape).astype("f") for name, shape in shapes.items()}
    counted = state | {"layer1.0.bn1.num_batches_tracked": np.zeros((), np.int64)}
    variables = from_torch_state_dict(counted)
    params, statistics = variables.pop("params"), variables.pop("batch_stats")
    assert not variables
    assert set(params) == {"features.0", "layer1.0.bn1", "fc"}
    assert set(statistics) == {"layer1.0.bn1"}
    norm = "layer1.0.bn1"
    kernel, matrix = params["features.0"].pop("kernel"), params["fc"].pop("kernel")
    assert kernel.shape == (2, 4, 3, 5)
    assert matrix.shape == (6, 7)
    for o, i, h, w in np.ndindex(5, 3, 2, 4):
        assert kernel[h, w, i, o] == state["features.0.weight"][o, i, h, w]
    for o, i in np.ndindex(7, 6):
        assert matrix[i, o] == state["fc.weight"][o, i]
    np.testing.assert_array_equal(params["features.0"].pop("bias"), state["features.0.bias"])
    np.testing.assert_array_equal(params["fc"].pop("bias"), state["fc.bias"])
    np.testing.assert_array_equal(params[norm].pop("scale"), state[f"{norm}.weight"])
    np.testing.assert_array_equal(params[norm].pop("bias"), state[f"{norm}.bias"])
    np.testing.assert_array_equal(statistics[norm].pop("mean"), state[f"{norm}.running_mean"])
    np.testing.assert_array_equal(statistics[norm].pop("var"), state[f"{norm}.running_var"])
    assert not jax.tree.leaves((params, statistics)), "a leaf that nothing asked for"


def test_a_network_without_batch_norm_has_no_statistics() -> None:
    assert set(from_torch_state_dict(random_state("mlp"))) == {"params"}


def test_grouped_convolutions_have_the_inputs_of_one_group() -> None:
    state = random_state("grouped")
    assert state["layer1.0.conv2.weight"].shape == (8, 4, 3, 3)  # 8 outputs, 2 groups of 4 inputs
    variables = from_torch_state_dict(state)
    assert variables["params"]["layer1.0.conv2"]["kernel"].shape == (3, 3, 4, 8)
    _, activations = NETWORKS["grouped"]().apply(variables, jnp.ones((1, 8, 8, 3)))
    assert activations["layer1.0.conv2"].shape == (1, 2, 2, 8)


def test_weights_decide_what_the_network_computes() -> None:
    """`fc` is `weight @ x + bias` in PyTorch's layout."""
    state = random_state("basic")
    images = jnp.asarray(np.random.default_rng(1).random((2, 8, 8, 3), np.float32))
    logits, activations = NETWORKS["basic"]().apply(from_torch_state_dict(state), images)
    expected = np.asarray(activations["avgpool"]) @ state["fc.weight"].T + state["fc.bias"]
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["layer1.0.conv1.weight_g", "gamma", "conv1.kernel"])
def test_an_unknown_leaf_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no weight") as caught:
        from_torch_state_dict({"conv1.weight": np.zeros((1, 1, 1, 1)), name: np.zeros(3)})
    message = str(caught.value)
    assert name in message
    assert "running_mean" in message
    assert "\n" not in message


def test_a_network_of_one_size_says_which() -> None:
    """Nobody has to say it again, to draw weights or to load them."""
    model, variables = small_import(size=10)
    vit = build_model("vit_tiny_patch16_224", image_size=32, width=24, depth=1)
    for network, given in ((model, variables), (vit, init_variables(vit, jax.random.key(1)))):
        assert jax.tree.structure(init_variables(network, jax.random.key(0))) == (
            jax.tree.structure(given)
        )
        state = to_torch_state_dict(given, network)
        for loaded in (from_torch_state_dict(state, network), load_weights(network, state)):
            jax.tree.map(np.testing.assert_array_equal, loaded, given)


def shared_import() -> tuple[ImportedNetwork, dict[str, Any]]:
    """Its weights have two names each, and two operations have them: a module that is called twice
    and is a part of another one, too.
    """
    conv = nn.Conv(3, (1, 1), use_bias=False, parent=None)
    graph = dataclasses.replace(
        small_import()[0].content,
        nodes=(Node("a", conv, (INPUT,)), Node("a_1", conv, ("a",))),
        weights=tuple((node, "kernel", f"{n}.weight") for node in ("a", "a_1") for n in "ab"),
    )
    kernel = jnp.arange(9.0).reshape(1, 1, 3, 3)
    return ImportedNetwork(graph), {"params": {name: {"kernel": kernel} for name in ("a", "a_1")}}


def test_a_weight_that_modules_share_has_all_its_names() -> None:
    model, variables = shared_import()
    state = to_torch_state_dict(variables, model)
    assert state.keys() == {"a.weight", "b.weight"}
    for names in (["a.weight", "b.weight"], ["a.weight"], ["b.weight"]):
        given = {name: state[name] for name in names}
        wrapped = {f"module.{name}": array for name, array in given.items()}
        for loaded in (
            from_torch_state_dict(given, model),
            load_weights(model, given),
            load_weights(model, wrapped),
        ):
            assert jax.tree.structure(loaded) == jax.tree.structure(variables)
            jax.tree.map(np.testing.assert_array_equal, loaded, variables)


def test_copies_of_a_shared_weight_must_be_equal() -> None:
    model, variables = shared_import()
    state = to_torch_state_dict(variables, model)
    state["b.weight"] = state["b.weight"] + 1
    with pytest.raises(
        ValueError, match=r"a\.weight and b\.weight are one weight .* and differ in"
    ):
        load_weights(model, state)
    variables["params"]["a_1"]["kernel"] += 1
    with pytest.raises(ValueError, match=r"a\.weight is the weight of a and a_1, which differ"):
        to_torch_state_dict(variables, model)
