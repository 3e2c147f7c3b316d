"""Where a source's axes lie in our activations: random chains of operations against NumPy."""

import math
from collections.abc import Callable
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.importing.building import Builder
from depthjax.importing.values import Known, Value, matched_groups
from depthjax.models.network import INPUT

Pair = tuple[Value, np.ndarray]
Step = Callable[[Builder, Pair, st.DataObject], Pair]


def run(build: Builder, images: np.ndarray) -> dict[str, np.ndarray]:
    """The activations of all nodes, of images `[B, C, H, W]`."""

    @jax.jit
    def computed(images: jax.Array) -> dict[str, jax.Array]:
        values = {INPUT: images}
        for node in build.nodes:
            values[node.name] = node.operation(*(values[name] for name in node.inputs))
        return values

    return jax.tree.map(np.asarray, computed(jnp.moveaxis(jnp.asarray(images), 1, -1)))


def in_source(value: Value, stored: np.ndarray) -> np.ndarray:
    """One image's activation with the source's axes."""
    assert stored.shape == value.stored
    left_out = [axis for axis in range(value.rank) if axis not in value.order]
    assert all(value.shape[axis] == 1 for axis in left_out)
    stored = stored.reshape((*stored.shape, *(1,) * len(left_out)))
    return stored.transpose(np.argsort((*value.order, *left_out)).astype(int))


# Each step does to an array what it does to the value.


def transpose(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    order = data.draw(st.permutations(range(value.rank)))
    return build.transpose(value, order), array.transpose(order)


def reshape(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    """Into the prime factors of its size, in an order and grouped at random, with some ones."""
    value, array = pair
    left, factors = array.size, []
    while left > 1:
        factor = next(n for n in range(2, left + 1) if left % n == 0)
        factors.append(factor)
        left //= factor
    factors = data.draw(st.permutations([*factors, 1]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(factors)), max_size=4)))
    ends = [0, *cuts, len(factors)]
    shape = tuple(math.prod(factors[a:b]) for a, b in pairwise(ends))
    return build.reshape("reshape", value, shape), array.reshape(shape)


def split_axis(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    """One axis into two, or two that follow each other into one."""
    value, array = pair
    axis = data.draw(st.integers(0, value.rank - 1))
    size = value.shape[axis]
    if value.rank > 2 and data.draw(st.booleans()):
        axis = min(axis, value.rank - 2)
        shape = (*array.shape[:axis], array.shape[axis] * array.shape[axis + 1])
        shape = (*shape, *array.shape[axis + 2 :])
    else:
        part = data.draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
        shape = (*array.shape[:axis], part, size // part, *array.shape[axis + 1 :])
    return build.reshape("split", value, shape), array.reshape(shape)


def add_known(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    """A known tensor of fewer axes, or of size 1 along some, or of size n along one of size 1."""
    value, array = pair
    rank = data.draw(st.integers(0, value.rank))
    shape = [
        data.draw(st.sampled_from([1, n] if n > 1 or array.size > 200 else [1, 2]))
        for n in array.shape[value.rank - rank :]
    ]
    other = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    return build.arithmetic("known", "add", value, Known(other)), array + other


def subtract_self(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    """The value less itself with axes of one length exchanged: two layouts meet."""
    value, array = pair
    order = list(range(value.rank))
    alike = [(a, b) for a in order for b in order if a < b and array.shape[a] == array.shape[b]]
    if alike:
        a, b = data.draw(st.sampled_from(alike))
        order[a], order[b] = b, a
    turned = build.transpose(value, order)
    return build.arithmetic("less", "subtract", value, turned), array - array.transpose(order)


def mean(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    axes = tuple(data.draw(st.sets(st.integers(0, value.rank - 1), min_size=1)))
    keep = data.draw(st.booleans())
    made = build.reduce("mean", "mean", value, axes, keep)
    return made, array.mean(axes, keepdims=keep)


def centred(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    """Less its mean over some axes, which broadcasts back."""
    value, array = pair
    axes = tuple(data.draw(st.sets(st.integers(0, value.rank - 1), min_size=1)))
    made = build.reduce("mean", "mean", value, axes, True)
    return build.arithmetic("less", "subtract", value, made), array - array.mean(
        axes, keepdims=True
    )


def concatenate(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    axis = data.draw(st.integers(0, value.rank - 1))
    other = np.ones((*array.shape[:axis], 1, *array.shape[axis + 1 :]), np.float32)
    made = build.concatenate("both", [value, Known(other), value], axis)
    return made, np.concatenate([array, other, array], axis)


def cut(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    axis = data.draw(st.integers(0, value.rank - 1))
    size = value.shape[axis]
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    step = data.draw(st.sampled_from([1, 2, -1]))
    if step < 0:
        start, stop = stop - 1, start - 1
    index = slice(start, None if stop < 0 else stop, step)
    whole = (slice(None),) * axis
    return build.slice("cut", value, axis, start, stop, step), array[(*whole, index)]


def take(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    axis = data.draw(st.integers(0, value.rank - 1))
    size = value.shape[axis]
    shape = data.draw(st.sampled_from([(1,), (2,), (2, 2)]))
    count = math.prod(shape)
    places = data.draw(st.lists(st.integers(-size, size - 1), min_size=count, max_size=count))
    indices = np.asarray(places).reshape(shape)
    return build.take("take", value, axis, indices), array.take(indices, axis)


def pad(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    pads = [(0, 0)] * value.rank
    pads[data.draw(st.integers(0, value.rank - 1))] = data.draw(st.sampled_from([(1, 0), (0, 2)]))
    return build.pad("pad", value, pads, value=3.0), np.pad(array, pads, constant_values=3.0)


def roll(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    axis = data.draw(st.integers(0, value.rank - 1))
    return build.roll("roll", value, (1,), (axis,)), np.roll(array, 1, axis)


def expand(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    value, array = pair
    shape = tuple(2 if n == 1 and data.draw(st.booleans()) else n for n in array.shape)
    shape = (*data.draw(st.sampled_from([(), (1,), (2,)])), *shape)
    if math.prod(shape) > 2000:
        return pair
    return build.expand("expand", value, shape), np.broadcast_to(array, shape)


def stored_otherwise(build: Builder, pair: Pair, data: st.DataObject) -> Pair:
    """The same tensor, with its axes moved in our activation."""
    value, array = pair
    ways = [build.channels_last] * (value.rank > 1) + [build.in_source_order]
    ways += [lambda x: build.with_last(x, 0), lambda x: build.in_source_order(x, whole=True)]
    return data.draw(st.sampled_from(ways))(value), array


STEPS: list[Step] = [
    *(transpose, reshape, split_axis, add_known, subtract_self, mean, centred, concatenate),
    *(cut, take, pad, roll, expand, stored_otherwise),
]


@settings(max_examples=25)
@given(data=st.data())
def test_random_chains_are_what_numpy_computes(data: st.DataObject) -> None:
    """Of two images at once, each as if it were alone."""
    images = np.random.default_rng(0).normal(size=(2, 4, 3, 6)).astype(np.float32)
    build = Builder()
    chain = data.draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=6))
    value: Value = build.images((1, 4, 3, 6))
    arrays = images[:1]
    for step in chain:
        if math.prod(value.shape) > 3000 or value.rank == 0 or value.rank > 7:
            break
        value, arrays = step(build, (value, arrays), data)
        assert value.shape == arrays.shape
    stored = run(build, images)[value.node]
    assert stored.shape[0] == 2
    found = in_source(value, stored[0])
    np.testing.assert_allclose(found, arrays, rtol=1e-4, atol=1e-4)
    alone = run(build, images[1:])[value.node]
    np.testing.assert_allclose(stored[1:], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("step", STEPS)
def test_each_step(step: Step) -> None:
    """None is left to chance."""

    @settings(max_examples=5)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        images = np.random.default_rng(1).normal(size=(1, 4, 2, 6)).astype(np.float32)
        build = Builder()
        first = build.images((1, 4, 2, 6))
        value, array = step(build, (first, images), data)
        np.testing.assert_allclose(
            in_source(value, run(build, images)[value.node][0]), array, rtol=1e-4, atol=1e-5
        )

    check()


def test_a_transposition_alone_computes_nothing() -> None:
    """It is another order of the same activation, and back again the first one."""
    build = Builder()
    images = build.images((1, 3, 8, 6))
    turned = build.transpose(images, (0, 2, 3, 1))
    assert not build.nodes
    assert turned.shape == (1, 8, 6, 3)
    assert build.transpose(turned, (0, 3, 1, 2)) == images


def test_groups_of_axes() -> None:
    """Whole groups only, and none where the sizes disagree."""
    assert matched_groups((1, 6, 4, 5), (1, 2, 3, 20)) == [((1,), (1, 2)), ((2, 3), (3,))]
    assert matched_groups((2, 3), (3, 2)) == [((0, 1), (0, 1))]
    assert matched_groups((2, 3), (5,)) is None


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (lambda b, i, c: b.arithmetic("a", "multiply", i, 0.5), "float32"),
        (lambda b, i, c: b.arithmetic("a", "multiply", i, 2), "int32"),
        (lambda b, i, c: b.arithmetic("a", "divide", i, 2), "float32"),
        (lambda b, i, c: b.arithmetic("a", "multiply", c, 2), "int32"),
        (lambda b, i, c: b.arithmetic("a", "less", i, 2), "bool"),
        (lambda b, i, c: b.function("f", "sqrt", i), "float32"),
        (lambda b, i, c: b.function("f", "isnan", b.images((1, 3, 4, 4))), "bool"),
        (lambda b, i, c: b.reduce("r", "sum", c, (1,), True), "int32"),
    ],
)
def test_a_value_has_the_kind_of_numbers_that_its_node_gives(
    made: Callable[[Builder, Value, Value], Value], kind: str
) -> None:
    """So that a cast to another kind is made, also after one with equal settings (2 and 2.0)."""
    build = Builder()
    whole = build.function("whole", "cast", build.images((1, 3, 4, 4)), "int32")
    condition = build.arithmetic("condition", "greater", whole, 1)
    build.arithmetic("float", "multiply", whole, 2.0)
    assert made(build, whole, condition).dtype == kind
