"""Networks drawn over all settings of every operation, and how far prepared is from plain.

`python tests/helpers/drawn_networks.py 2000` compares so many, in float32 and float64, and says how
large the deviations of values, `jvp` and `vjp` are; it exits with 1 if one is larger than rounding.
"""

import functools
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import depthjax
from depthjax.compat import enable_x64
from depthjax.models import Network
from depthjax.models.network import INPUT, Node
from depthjax.models.operations import (
    GELU,
    AdaptiveAveragePool,
    BatchNorm,
    LayerScale,
    LeakyReLU,
    MaxPool,
    SelfAttention,
    add,
    batch_norm,
    conv,
    describe,
    dropout,
    flatten,
    gelu,
    global_average,
    identity,
    layer_norm,
    linear,
    relu,
    relu6,
)
from depthjax.ops import winograd

Rng = np.random.Generator
SIZE = (7, 9)
QUANTITIES = ("value", "jvp", "vjp")
TOLERANCE = {np.float32: 2e-3, np.float64: 1e-10}
"""Of the largest deviation, relative to the largest element: 10⁴ to 10⁶ roundings."""


class DrawnNetwork(Network):
    """The network of a seed."""

    seed: int = 0
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        return draw_nodes(self.seed)


# ---------------------------------------------------------------------------- operations


class DoubledConv(nn.Conv):
    """A convolution that computes something else than a convolution."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return 2 * super().__call__(x)


class ShiftedNorm(nn.BatchNorm):
    """A BatchNorm that computes something else than BatchNorm."""

    @nn.compact
    def __call__(self, x: jax.Array, use_running_average: bool | None = None) -> jax.Array:
        return 1 + super().__call__(x, use_running_average)


class SqueezeExcite(nn.Module):
    """A module with modules in it, and with something to say in training alone."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        hidden = nn.relu(nn.Dense(2)(x.mean((1, 2))))
        hidden = nn.Dropout(0.5, deterministic=not train)(hidden)
        gate = nn.sigmoid(nn.Dense(x.shape[-1])(hidden))
        return x * gate[:, None, None]


def concatenate(*inputs: jax.Array) -> jax.Array:
    """Beside each other, in channels."""
    return jnp.concatenate(inputs, -1)


def choose(rng: Rng, *values: Any) -> Any:
    """One of some values, whatever they are."""
    return values[rng.integers(len(values))]


def pair(rng: Rng, *values: int) -> tuple[int, int]:
    """One for each axis."""
    return choose(rng, *values), choose(rng, *values)


def draw_padding(rng: Rng) -> Any:
    """Every way in which Flax takes it."""
    sides = tuple(pair(rng, -1, 0, 1, 2, 3) for _ in range(2))
    names = ("SAME", "VALID", "CIRCULAR", "REFLECT", "SAME_LOWER")
    return choose(rng, sides, sides, choose(rng, 0, 1, 2), pair(rng, 0, 1, 2), choose(rng, *names))


def draw_conv(rng: Rng, channels: int) -> nn.Module:
    """A convolution with many settings; some combinations do not exist."""
    if rng.random() < 0.25:
        groups = choose(rng, 1, channels)
        features = groups * choose(rng, 1, 2, 3)
        sizes = choose(rng, 1, 3, 5), choose(rng, 1, 2)
        return conv(features, *sizes, groups=groups, bias=bool(rng.integers(2)))
    groups = choose(rng, *(n for n in (1, 1, 2, 3, channels) if channels % n == 0))
    size = pair(rng, 1, 2, 3, 3, 5)
    features = groups * choose(rng, 1, 2, 3)
    settings: dict[str, Any] = {"padding": draw_padding(rng), "use_bias": bool(rng.integers(2))}
    if rng.random() < 0.7:
        settings["strides"] = choose(rng, None, 2, (1, 1), (2, 2), pair(rng, 1, 2, 3))
    if rng.random() < 0.3:
        settings["kernel_dilation"] = choose(rng, None, 2, pair(rng, 1, 2, 3))
    if rng.random() < 0.2:
        settings["input_dilation"] = choose(rng, None, 2, pair(rng, 1, 2, 3))
    if rng.random() < 0.15:
        settings["precision"] = choose(rng, "highest", jax.lax.Precision.HIGHEST)
    if rng.random() < 0.15:
        settings["dtype"] = jnp.float32
    if rng.random() < 0.15:
        settings["mask"] = rng.integers(0, 2, (*size, channels // groups, features))
    if rng.random() < 0.1:
        settings["bias_init"] = nn.initializers.normal()
    kind = choose(rng, *([nn.Conv] * 9), DoubledConv)
    if "-1" in str(settings["padding"]):  # nothing that crops runs as it is; see `deviations`
        settings.pop("dtype", None)
        kind = nn.Conv
    return kind(features, size, feature_group_count=groups, parent=None, **settings)


def draw_norm(rng: Rng, channels: int) -> nn.Module:
    """BatchNorm of all kinds, and other normalisations."""
    if rng.random() < 0.4:
        return batch_norm()
    kind = choose(rng, nn.BatchNorm, nn.BatchNorm, BatchNorm, ShiftedNorm, None)
    if kind is None:
        groups = choose(rng, *(n for n in (1, 2, 3, channels) if channels % n == 0))
        return choose(
            rng,
            layer_norm(),
            nn.LayerNorm(use_scale=False, reduction_axes=(1, 2, 3), parent=None),
            nn.GroupNorm(groups, parent=None),
            nn.RMSNorm(parent=None),
        )
    settings: dict[str, Any] = {
        "use_scale": bool(rng.integers(2)),
        "use_bias": bool(rng.integers(2)),
        "epsilon": choose(rng, 1e-5, 1e-3, 0.1),
        "momentum": choose(rng, 0.9, 0.5),
        "use_running_average": choose(rng, None, True),
    }
    if kind is nn.BatchNorm and rng.random() < 0.3:
        settings["axis"] = choose(rng, 1, 2, 3, -2, (1, 3))
    if kind is nn.BatchNorm and rng.random() < 0.2:
        settings["dtype"] = jnp.float32
    return kind(parent=None, **settings)


def draw_spatial(rng: Rng, channels: int) -> Any:
    """An operation on `[B, H, W, C]` other than convolutions and normalisations."""
    average = choose(
        rng,
        functools.partial(nn.avg_pool, window_shape=(2, 3), strides=(1, 2), padding="SAME"),
        functools.partial(nn.avg_pool, window_shape=(2, 2), strides=(2, 2)),
    )
    size, features = pair(rng, 2, 3), choose(rng, 1, 3)
    return choose(
        rng,
        MaxPool(choose(rng, 2, 3), choose(rng, 1, 2, 3), choose(rng, 0, 1)),
        functools.partial(nn.max_pool, window_shape=(3, 2), strides=(2, 1), padding="SAME"),
        average,
        AdaptiveAveragePool(choose(rng, 1, 2, 5)),
        SqueezeExcite(parent=None),
        nn.ConvTranspose(
            *(features, size),
            strides=pair(rng, 1, 2),
            padding=choose(rng, "SAME", "VALID"),
            parent=None,
        ),
        nn.ConvLocal(features, size, parent=None),
        SelfAttention(choose(rng, 1, 2)),  # exists for multiples of three channels
    )


def draw_pointwise(rng: Rng, channels: int) -> Any:
    """An operation on any shape."""
    features = choose(rng, 2, 5)
    return choose(
        rng,
        *(
            relu,
            relu,
            relu6,
            identity,
            LayerScale(0.5, parent=None),
            nn.silu,
            nn.relu6,
            jnp.tanh,
            gelu,
            GELU(approximate=True),
            LeakyReLU(0.2),
        ),
        dropout(0.5),
        nn.Dropout(0.5, deterministic=True, parent=None),
        linear(features, std=choose(rng, None, 0.1)),
        nn.Dense(features, use_bias=bool(rng.integers(2)), parent=None),
        nn.DenseGeneral(features, parent=None),
    )


# ------------------------------------------------------------------------------- networks


@functools.lru_cache(maxsize=64)
def draw_nodes(seed: int) -> tuple[Node, ...]:
    """Between two and seven operations that fit each other; the last value is the output."""
    rng = np.random.default_rng(seed)
    shapes = {INPUT: (1, *SIZE, choose(rng, 1, 2, 3, 4))}
    nodes: list[Node] = []
    wanted = rng.integers(2, 8)
    while len(nodes) < wanted:
        node = _draw_node(rng, shapes, f"op{len(nodes) + 1}", nodes)
        inputs = [jax.ShapeDtypeStruct(shapes[name], np.float32) for name in node.inputs]
        shape = _output_shape(node.operation, inputs)
        if shape is not None and 0 not in shape and np.prod(shape) <= 5000:
            nodes.append(node)
            shapes[node.name] = shape
    return tuple(nodes)


def _draw_node(rng: Rng, shapes: dict[str, Any], name: str, nodes: list[Node]) -> Node:
    last = nodes[-1].name if nodes else INPUT
    source = last if rng.random() < 0.85 else choose(rng, *shapes)
    shape = shapes[source]
    if len(shape) == 2:
        return Node(name, draw_pointwise(rng, shape[-1]), (source,))
    twins = [other for other, its in shapes.items() if its == shape]
    beside = [other for other, its in shapes.items() if its[:-1] == shape[:-1]]
    after_conv = bool(nodes) and isinstance(nodes[-1].operation, nn.Conv)
    choice = rng.random()
    if after_conv and choice < 0.5:
        return Node(name, draw_norm(rng, shape[-1]), (source,))
    if choice < 0.55:
        return Node(name, draw_conv(rng, shape[-1]), (source,))
    if choice < 0.65:
        return Node(name, draw_norm(rng, shape[-1]), (source,))
    if choice < 0.75:
        return Node(name, draw_spatial(rng, shape[-1]), (source,))
    if choice < 0.80:
        return Node(name, add, (source, choose(rng, *twins)))
    if choice < 0.84:
        return Node(name, concatenate, (source, choose(rng, *beside)))
    if choice < 0.88:
        return Node(name, choose(rng, flatten, global_average), (source,))
    return Node(name, draw_pointwise(rng, shape[-1]), (source,))


def _output_shape(operation: Any, inputs: list[Any]) -> tuple[int, ...] | None:
    """None where the settings do not go together, or with these inputs."""
    mode: dict[str, Any] = describe(operation).mode(train=False)

    def call(*values: jax.Array) -> jax.Array:
        if isinstance(operation, nn.Module):
            return operation.init_with_output(jax.random.key(0), *values, **mode)[0]
        return operation(*values)

    try:
        output = jax.eval_shape(call, *inputs)
    except (ValueError, TypeError, AssertionError, ZeroDivisionError, nn.module.errors.FlaxError):
        return None
    return output.shape


class Drawn(NamedTuple):
    """A network with weights at which nothing is the identity, and where to look at it."""

    layer: depthjax.Layer
    variables: Any
    images: np.ndarray
    tangent: np.ndarray


def draw(seed: int, dtype: Any) -> Drawn:
    """The network of a seed, its weights and two images."""
    rng = np.random.default_rng([seed, 1])
    model, initial = _untrained(seed)
    variables = jax.tree.map(
        lambda leaf: jnp.asarray(np.asarray(leaf) + rng.uniform(0.1, 0.5, leaf.shape), dtype),
        initial,
    )
    images, tangent = rng.normal(size=(2, 2, *SIZE, model.channels)).astype(dtype)
    return Drawn(depthjax.Layer(model, draw_nodes(seed)[-1].name), variables, images, tangent)


@functools.lru_cache(maxsize=4)
def _untrained(seed: int) -> tuple[DrawnNetwork, Any]:
    model = DrawnNetwork(seed, channels=_channels(seed))
    return model, depthjax.init_variables(model, jax.random.key(seed), SIZE)


def _channels(seed: int) -> int:
    return int(choose(np.random.default_rng(seed), 1, 2, 3, 4))


# ----------------------------------------------------------------------------- comparing


@contextmanager
def _winograd(everywhere: bool) -> Iterator[None]:
    """So small images would never have it."""
    before = winograd.pays
    if everywhere:
        winograd.pays = lambda x, outputs: True
    try:
        yield
    finally:
        winograd.pays = before


def deviations(seed: int) -> dict[Any, dict[str, float]]:
    """How far prepared is from plain, by dtype: the largest difference over the largest element.

    In float32 the nearer of plain in float32 and in float64 counts: XLA's CPU backend may read
    beyond an image where it crops one in float32 (negative padding, also that of the gradient), and
    give anything; and a network may amplify rounding.
    """
    found: dict[Any, dict[str, float]] = {}
    exact: Any = None
    for dtype in (np.float64, np.float32):
        with enable_x64(True), _winograd(seed % 2 == 0):
            layer, variables, images, tangent = draw(seed, dtype)

            @jax.jit
            def both(variables: Any, images: Any, tangent: Any, layer: Any = layer) -> Any:
                forms = (layer, variables), layer.prepare(variables)
                return [_three(*form, images, tangent) for form in forms]

            plain, prepared = both(variables, images, tangent)
        exact = exact or plain
        found[dtype] = {}
        for name, same, expected, got in zip(QUANTITIES, plain, exact, prepared, strict=True):
            if got.dtype != same.dtype or got.shape != same.shape:
                raise AssertionError(
                    f"seed {seed}: {name} is {got.dtype}{got.shape}, not {same.dtype}{same.shape}"
                )
            largest = float(np.abs(expected).max()) or 1.0
            found[dtype][name] = min(
                float(np.abs(got - wanted).max()) / largest for wanted in (expected, same)
            )
    return found


def _three(function: Any, parameters: Any, images: Any, tangent: Any) -> tuple[Any, Any, Any]:
    def at(x: Any) -> Any:
        return function(parameters, x)

    value, push = jax.linearize(at, images)
    cotangent = jnp.cos(jnp.arange(value.size, dtype=value.dtype)).reshape(value.shape)
    return value, push(tangent), jax.linear_transpose(push, images)(cotangent)[0]


def within_rounding(seed: int, found: dict[Any, dict[str, float]]) -> bool:
    """Whether the deviations of a network, by dtype and quantity, are rounding.

    Where a network amplifies rounding, float64 says how much, and float32 may do it too.
    """
    coarse, exact = rounds_coarsely(seed), max(found[np.float64].values())
    growth = 0 if coarse else 30 * np.finfo(np.float32).eps / np.finfo(np.float64).eps
    return exact <= TOLERANCE[np.float32 if coarse else np.float64] and max(
        found[np.float32].values()
    ) <= max(TOLERANCE[np.float32], growth * exact)


def rounds_coarsely(seed: int) -> bool:
    """Whether an operation computes in float32, whatever it is given."""
    return any(getattr(node.operation, "dtype", None) for node in draw_nodes(seed))


def describe_network(seed: int) -> str:
    """The network of a seed, an operation a line."""
    return "\n".join(
        f"  {node.name} = {' '.join(repr(node.operation).split())} {node.inputs}"
        for node in draw_nodes(seed)
    )


def main(count: int, first: int = 0) -> int:
    """Compares `count` networks and prints what was found."""
    largest: Counter[tuple[str, str]] = Counter()
    operations: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + count):
        for node in draw_nodes(seed):
            operation = node.operation
            function = getattr(operation, "func", operation)
            operations[getattr(function, "__name__", type(operation).__name__)] += 1
        try:
            found = deviations(seed)
        except Exception as error:
            wrong.append(seed)
            print(f"seed {seed}: {error!r:.300}\n{describe_network(seed)}")
            continue
        if not within_rounding(seed, found):
            wrong.append(seed)
            print(f"seed {seed}: {found}\n{describe_network(seed)}")
        for dtype, by_quantity in found.items():
            kind = "float32" if rounds_coarsely(seed) else dtype.__name__
            for quantity, value in by_quantity.items():
                largest[kind, quantity] = max(largest[kind, quantity], value)
        if (seed + 1) % 50 == 0:
            jax.clear_caches()  # programs that nothing runs again
            print(seed + 1, "networks,", len(wrong), "wrong,", dict(largest), flush=True)
    print(f"{count} networks, {len(set(wrong))} wrong: {sorted(set(wrong))}")
    print(f"largest deviations: {dict(largest)}\noperations: {dict(operations.most_common())}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
