"""Functions of any library as networks."""

import sys
from types import ModuleType

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import depthjax
from depthjax.analysis.accounting import account
from depthjax.models.specifications import specified
from depthjax.weights import rotated, shuffled

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 12, 10, 3)), jnp.float32)


class Tower(nnx.Module):
    """With BatchNorm, dropout's keys and counters, and a pooling."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.bn1 = nnx.BatchNorm(4, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.conv2 = nnx.Conv(4, 5, (3, 3), strides=2, rngs=rngs)

    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        first = nnx.relu(self.bn1(self.conv1(x)))
        pooled = nnx.max_pool(self.drop(first), (2, 2), (2, 2))
        return {"stage1.conv": self.conv1(x), "stage1": pooled, "stage2": self.conv2(pooled)}


def of_nnx(seed: int = 0):
    tower = Tower(nnx.Rngs(seed))
    tower.bn1.mean[...] = jnp.arange(4.0) / 10
    tower.eval()
    graph, state = nnx.split(tower)
    return (lambda state, images: nnx.merge(graph, state)(images)), state


def of_equinox(seed: int = 0):
    first, second = jax.random.split(jax.random.key(seed))
    convs = eqx.nn.Conv2d(3, 4, 3, key=first), eqx.nn.Conv2d(4, 5, 3, stride=2, key=second)
    arrays, static = eqx.partition(convs, eqx.is_array)

    def activations(arrays, images):
        conv1, conv2 = eqx.combine(arrays, static)
        x = jax.nn.relu(jax.vmap(conv1)(jnp.moveaxis(images, -1, 1)))
        return {"stage1.conv": x * 2, "stage1": x, "stage2": jax.vmap(conv2)(x)}

    return activations, arrays


def networks(seed: int = 0):
    """What `--model=MODULE:networks` takes."""
    return depthjax.as_network(*of_nnx(seed), IMAGES)


@pytest.mark.parametrize("library", [of_nnx, of_equinox])
def test_layers_give_what_the_function_gives(library) -> None:
    function, variables = library()
    model, weights = depthjax.as_network(function, variables, IMAGES)
    assert depthjax.layer_names(model) == ("stage1", "stage2")
    assert depthjax.layer_names(model, sublayers=True) == ("stage1.conv", "stage1", "stage2")
    expected = function(variables, IMAGES)
    for name in depthjax.layer_names(model, sublayers=True):
        layer = depthjax.Layer(model, name)
        prepared, frozen = layer.prepare(weights)
        for embedding in (layer(weights, IMAGES), jax.jit(prepared)(frozen, IMAGES)):
            np.testing.assert_allclose(embedding, expected[name], rtol=2e-5, atol=2e-6)


def test_a_descent_is_the_functions() -> None:
    """Of equal steps, starts and weights."""
    function, variables = of_nnx()
    model, weights = depthjax.as_network(function, variables, IMAGES)
    layer, config = depthjax.Layer(model, "stage2"), depthjax.InversionConfig(steps=8)
    plain = depthjax.NamedLayer(function, "stage2")
    runs = [
        depthjax.autoencode(jax.random.key(1), *of, IMAGES, config)
        for of in ((layer, weights), (plain, variables))
    ]
    np.testing.assert_allclose(*(run.input_ratio for run in runs), rtol=1e-4)


def test_weights_are_all_that_is_learned_and_nothing_else() -> None:
    function, variables = of_nnx()
    model, weights = depthjax.as_network(function, variables, IMAGES)
    names = {name.removeprefix("weights.").removesuffix(".value") for name in weights["params"]}
    assert names == {
        *("conv1.kernel", "conv1.bias", "conv2.kernel", "conv2.bias"),
        *("bn1.scale", "bn1.bias", "bn1.mean", "bn1.var"),
    }
    doubled = jax.tree.map(lambda leaf: 2 * leaf, weights)
    layer = depthjax.Layer(model, "stage1.conv")
    np.testing.assert_allclose(layer(doubled, IMAGES), 2 * layer(weights, IMAGES), rtol=1e-5)


def test_complex_weights_are_weights() -> None:
    def filtered(variables, images):
        return {"end": jnp.fft.ifft(jnp.fft.fft(images, axis=1) * variables["w"], axis=1).real}

    variables = {"w": jnp.full((1, 12, 1, 1), 2 + 0j)}
    model, weights = depthjax.as_network(filtered, variables, IMAGES)
    assert set(weights["params"]) == {"weights.w"}
    layer = depthjax.Layer(model, "end")
    doubled = jax.tree.map(lambda leaf: 2 * leaf, weights)
    np.testing.assert_allclose(layer(doubled, IMAGES), 4 * IMAGES, atol=1e-5)


def test_keys_with_dots_of_their_own_share_no_name() -> None:
    def both(variables, images):
        return {"end": images * variables["a.b"] + variables["a"]["b"]}

    variables = {"a.b": jnp.float32(2), "a": {"b": jnp.float32(3)}}
    model, weights = depthjax.as_network(both, variables, IMAGES)
    assert len(weights["params"]) == 2
    layer = depthjax.Layer(model, "end")
    np.testing.assert_allclose(layer(weights, IMAGES), 2 * IMAGES + 3, rtol=1e-5)


def test_networks_of_the_same_function_and_the_same_counters_are_equal() -> None:
    """So that nothing is compiled again."""
    function, variables = of_nnx()
    first, second = (depthjax.as_network(function, variables, IMAGES)[0] for _ in range(2))
    assert first == second and hash(first) == hash(second)
    _, others = of_nnx(seed=1)  # another key of dropout
    assert first != depthjax.as_network(function, others, IMAGES)[0]
    assert first != depthjax.as_network(of_nnx()[0], variables, IMAGES)[0]


def test_its_activations_are_computed_again_for_the_gradient() -> None:
    """Its weights are values of the graph there, of which no gradient is asked."""
    model, weights = networks()
    layer, config = depthjax.Layer(model, "stage2"), depthjax.InversionConfig(steps=4)
    start, target = jnp.full_like(IMAGES, 0.5), layer(weights, IMAGES)
    kept, again = (
        depthjax.invert(layer, weights, target, start, config.replace(rematerialize=flag)).images
        for flag in (False, True)
    )
    assert np.abs(kept - start).max() > 1e-3
    np.testing.assert_allclose(again, kept, rtol=1e-4, atol=1e-5)


def test_its_gates_are_not_known() -> None:
    model, weights = networks()
    layer = depthjax.Layer(model, "stage2")
    start, target = jnp.full_like(IMAGES, 0.5), layer(weights, IMAGES)
    accurate = depthjax.InversionConfig.preset("accurate")
    with pytest.raises(ValueError, match=r"soft_gates changes nothing .* set soft_gates=0"):
        depthjax.invert(layer, weights, target, start, accurate)
    feathers = depthjax.InversionConfig(relu_gradient="fake")
    with pytest.raises(ValueError, match=r"stage2 is no ReLU; set relu_gradient='true'"):
        depthjax.invert(layer, weights, target, start, feathers)


@pytest.mark.parametrize(("library", "first"), [(of_nnx, False), (of_equinox, True)])
def test_controls_know_its_kernels(library, first) -> None:
    _, weights = depthjax.as_network(*library(), IMAGES)
    mixed, turned = shuffled(weights, 0)["params"], rotated(weights, 0)["params"]
    kernels = [name for name, leaf in weights["params"].items() if leaf["value"].ndim == 4]
    assert len(kernels) == 2
    for name in weights["params"]:
        trees = weights["params"], mixed, turned
        before, permuted, other = (tree[name]["value"] for tree in trees)
        if name not in kernels:
            np.testing.assert_array_equal(permuted, before)
            continue
        assert not np.array_equal(permuted, before)
        np.testing.assert_array_equal(np.sort(permuted, None), np.sort(before, None))
        assert other.shape == before.shape

        def values(kernel: jax.Array) -> np.ndarray:
            outputs = kernel if first else jnp.moveaxis(kernel, -1, 0)
            matrix = outputs.reshape(len(outputs), -1)
            return np.linalg.svd(matrix, compute_uv=False)

        np.testing.assert_allclose(values(other), values(before), rtol=1e-4)
    with pytest.raises(ValueError, match="there is no kernel to change"):
        shuffled({"params": {"weights.embedding": {"value": jnp.ones((3, 4))}}}, 0)


def test_accounting_counts_nothing_within() -> None:
    model, weights = networks()
    *_, loss = account(depthjax.Layer(model, "stage2"), weights, IMAGES[0])
    assert not loss.counted and loss.name == "stage2"


@pytest.fixture
def mine(monkeypatch) -> None:
    """A module of the user's."""
    module = ModuleType("mine")
    module.__dict__.update(networks=networks, tower=of_nnx)
    monkeypatch.setitem(sys.modules, "mine", module)


def test_untrained_weights_are_the_functions_own(mine) -> None:
    found = specified("mine:networks", {"seed": 3})
    assert found.variables is not None
    with pytest.raises(ValueError, match=r"a field seed=1 .*pretrained"):
        found.initialize(1)


def test_one_array_is_no_network() -> None:
    with pytest.raises(ValueError, match=r"returns \{name: activation\}, got .* one array"):
        depthjax.as_network(lambda weights, images: images, {}, IMAGES)


def test_no_activation_is_named_as_the_images_are() -> None:
    with pytest.raises(ValueError, match=r"an operation 'input', the name of the images; give it"):
        depthjax.as_network(lambda weights, images: {"input": images}, {}, IMAGES)


def test_a_function_that_is_no_network_says_how_to_make_one(mine) -> None:
    with pytest.raises(ValueError, match=r"depthjax.as_network"):
        specified("mine:tower", {})
