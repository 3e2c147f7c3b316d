"""What operations lose, and bounds on ranks, against dense Jacobians and slow definitions."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.analysis.accounting import (
    OperationLoss,
    RankBound,
    account,
    local_rank_bound,
    local_rank_bounds,
    sentence,
)
from depthjax.compat import enable_x64
from depthjax.models import Network, build_model, init_variables
from depthjax.models.layers import Layer
from depthjax.models.network import INPUT, Node, node_names
from depthjax.models.operations import MaxPool, add, flatten, relu

SIZE = 8
FIELDS: dict[str, Any] = {"num_classes": 5, "channels": 2}
NETWORKS = {
    "basic": build_model("resnet18", stage_sizes=(1,), width=3, stem="small", **FIELDS),
    "bottleneck": build_model("resnet50", stage_sizes=(1, 1), width=4, **FIELDS),
    "vgg": build_model(
        "vgg_small", stage_sizes=(1, 1), width=3, hidden=9, pooled_size=2, dropout=True, **FIELDS
    ),
    "mlp": build_model("mlp", widths=(60, 40, 50, 7), activation="relu", channels=2),
}
DEEPEST = {name: Layer(model, node_names(model)[-1]) for name, model in NETWORKS.items()}


@pytest.fixture(autouse=True, scope="module")
def _float64():
    """Ranks are told apart in float64, and everything is compiled once."""
    with enable_x64(True):
        yield


@functools.cache
def leaves_of(name: str) -> Any:
    return init_variables(NETWORKS[name], jax.random.key(0), image_size=SIZE)


def drawn(name: str, seed: int, dtype: Any = np.float64) -> tuple[Any, np.ndarray]:
    """Random weights, statistics and an image; all BatchNorms move their gates about."""
    rng = np.random.default_rng(seed)

    def draw(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        values = rng.normal(size=leaf.shape)
        last = path[-1].key
        if last == "kernel":
            values /= np.sqrt(np.prod(leaf.shape[:-1]))
        if last == "var":
            values = 0.5 + np.abs(values)
        return jnp.asarray(values.astype(dtype))

    return (
        jax.tree_util.tree_map_with_path(draw, leaves_of(name)),
        rng.random((SIZE, SIZE, 2)).astype(dtype),
    )


@functools.partial(jax.jit, static_argnums=0)
def differentiated(
    model: Network, variables: Any, image: jax.Array
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Of every operation, the dense Jacobian `[outputs, H, W, C]` and the activation."""

    def activations(image: jax.Array) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        _, values = model.apply(variables, image[None])
        return {name: value.ravel() for name, value in values.items()}, values

    return jax.jacfwd(activations, has_aux=True)(image)


def dense_ranks(model: Network, variables: Any, image: np.ndarray) -> dict[str, int]:
    dense, _ = differentiated(model, variables, jnp.asarray(image))
    return {name: rank(np.asarray(j).reshape(len(j), -1)) for name, j in dense.items()}


def activations(model: Network, variables: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    _, values = differentiated(model, variables, jnp.asarray(image))
    return {INPUT: image} | {name: np.asarray(value) for name, value in values.items()}


def rank(matrix: np.ndarray) -> int:
    sigma = np.linalg.svd(matrix, compute_uv=False)
    return int((sigma > 1e-12 * sigma[0]).sum())


class Nodes(Network):
    """A network of the nodes that it is given."""

    nodes: tuple[Node, ...] = ()

    def graph(self) -> tuple[Node, ...]:
        return self.nodes


def chain(*operations: Callable[..., Any]) -> Layer:
    """Operations `op1`, `op2`, … one after the other."""
    names = [INPUT, *(f"op{i}" for i in range(1, len(operations) + 1))]
    nodes = (
        Node(name, operation, (before,))
        for before, name, operation in zip(names, names[1:], operations, strict=False)
    )
    return Layer(Nodes(nodes=tuple(nodes)), names[-1])


# ---------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_against_dense_jacobians(name: str) -> None:
    """Never below the rank, and within 1 % of it nearly everywhere."""
    tight = []
    for seed in range(2):
        variables, image = drawn(name, seed)
        ranks = dense_ranks(NETWORKS[name], variables, image)
        bounds = local_rank_bounds(DEEPEST[name], variables, image)
        assert [bound.layer for bound in bounds] == list(node_names(NETWORKS[name]))
        for bound in bounds:
            assert bound.rank >= ranks[bound.layer], bound
            assert bound.rank + bound.nullity == bound.inputs == image.size
            assert bound.rank <= min(bound.inputs, bound.outputs)
            tight.append(ranks[bound.layer] >= 0.99 * bound.rank)
    assert np.mean(tight) > 0.8


@settings(max_examples=10)
@given(st.sampled_from(["basic", "bottleneck", "vgg"]), st.integers(0, 2**31))
def test_no_rank_exceeds_its_bound(name: str, seed: int) -> None:
    variables, image = drawn(name, seed)
    ranks = dense_ranks(NETWORKS[name], variables, image)
    for bound in local_rank_bounds(DEEPEST[name], variables, image):
        assert bound.rank >= ranks[bound.layer], bound


@settings(max_examples=6)
@given(st.lists(st.sampled_from([1, 4, 9, 20]), min_size=1, max_size=3))
def test_a_linear_mlp_is_as_wide_as_its_narrowest_layer(widths: list[int]) -> None:
    model = build_model("mlp", widths=tuple(widths), channels=1)
    variables = init_variables(model, jax.random.key(0), image_size=3)
    image = np.full((3, 3, 1), 0.5, np.float32)
    bound = local_rank_bound(Layer(model, f"fc{len(widths)}"), variables, image)
    assert bound.rank == min(9, *widths)
    narrow = [f"fc{i}" for i, width in enumerate(widths, 1) if width == bound.rank]
    assert bound.cut == (("input",) if bound.rank == 9 else (narrow[0],))


def test_a_known_bottleneck() -> None:
    model = build_model("mlp", widths=(20, 3, 20, 20), channels=1)
    variables = init_variables(model, jax.random.key(0), image_size=4)
    bound = local_rank_bound(Layer(model, "fc4"), variables, np.zeros((4, 4, 1), np.float32))
    assert bound == RankBound("fc4", 16, 20, 3, 13, ("fc2",))


def test_a_skip_leads_past_closed_gates() -> None:
    """With every gate of the branch closed nothing passes it, and everything passes the block."""
    variables, image = drawn("basic", 0)
    bn1 = variables["params"]["layer1.0.bn1"]
    bn1["bias"] = jnp.full_like(bn1["bias"], -1e4)
    bounds = {b.layer: b for b in local_rank_bounds(DEEPEST["basic"], variables, image)}
    assert bounds["layer1.0.relu"].rank == bounds["layer1.0.conv2"].rank == 0
    assert bounds["layer1.0.conv2"].cut == ("layer1.0.relu",)
    assert bounds["layer1.0.add"].rank == bounds["relu"].rank > 0
    assert bounds["layer1.0.add"].cut == bounds["relu"].cut


def test_paths_that_meet_carry_both() -> None:
    """Two poolings beside each other pass what either passes, up to the width of their sum."""
    image = np.random.default_rng(0).random((4, 4, 1)).astype(np.float32)
    first, last = MaxPool(2, 2), lambda x: -MaxPool(2, 2)(-x)
    nodes = (Node("a", first, (INPUT,)), Node("b", last, (INPUT,)))
    meet = Node("add", add, ("a", "b"))
    join = Node("both", lambda x, y: jnp.concatenate([x, y], -1), ("a", "b"))
    summed = local_rank_bound(Layer(Nodes(nodes=(*nodes, meet)), "add"), {}, image)
    assert (summed.rank, summed.cut) == (4, ("add",))
    joined = local_rank_bound(Layer(Nodes(nodes=(*nodes, join)), "both"), {}, image)
    assert (joined.rank, joined.cut) == (8, ("a", "b"))
    assert sentence(joined).endswith("the cut is a and b")


def test_the_last_bound_is_the_layers() -> None:
    variables, image = drawn("basic", 1)
    layer = Layer(NETWORKS["basic"], "layer1")
    *_, last = local_rank_bounds(layer, variables, image)
    assert last.layer == "layer1.0"
    assert local_rank_bound(layer, variables, image) == last._replace(layer="layer1")


# ---------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_are_the_operations_and_add_up(name: str) -> None:
    variables, image = drawn(name, 0)
    model = NETWORKS[name]
    values = activations(model, variables, image)
    rows = account(DEEPEST[name], variables, image)
    assert tuple(row.name for row in rows) == node_names(model)
    for row, node in zip(rows, model.graph(), strict=True):
        assert row.outputs == values[node.name].size
        assert row.inputs == sum(values[source].size for source in node.inputs)
        assert row.read <= row.active_inputs <= row.inputs and row.active_outputs <= row.outputs
        if row.kind == "relu":
            before = np.asarray(values[node.inputs[0]])
            assert row.unread == (before <= 0).sum()
            assert row.read == row.active_outputs <= (before > 0).sum()
        assert "other" not in row.kind
        assert sentence(row).startswith(f"{row.name} ")


def test_rows_of_float32_and_float64_agree() -> None:
    layer = Layer(NETWORKS["vgg"], "features.3")
    rows = [account(layer, *drawn("vgg", 0, dtype)) for dtype in (np.float32, np.float64)]
    assert rows[0] == rows[1]


def test_kinds_and_strides() -> None:
    rows = account(DEEPEST["bottleneck"], *drawn("bottleneck", 0))
    found = {row.name: (row.kind, row.stride) for row in rows}
    expected = {"conv1": ("conv", 2), "bn1": ("batch norm", 1), "relu": ("relu", 1)}
    expected |= {"maxpool": ("max pool", 2), "layer1.0.add": ("add", 1), "fc": ("linear", 1)}
    expected |= {"avgpool": ("average pool", 1), "layer2.0.conv2": ("conv", 2)}
    assert expected.items() <= found.items()
    kinds = [row.kind for row in account(DEEPEST["vgg"], *drawn("vgg", 0))]
    assert kinds[-7:] == [
        *("linear", "relu", "dropout", "linear", "relu", "dropout", "linear"),
    ]


def test_a_strided_projection_skips_positions() -> None:
    """A 1×1 convolution of stride 2 reads every other row and column."""
    variables, image = drawn("bottleneck", 0)
    rows = {row.name: row for row in account(DEEPEST["bottleneck"], variables, image)}
    row = rows["layer2.0.downsample.0"]
    values = activations(NETWORKS["bottleneck"], variables, image)
    assert row.read == (values["layer1.0"][:, ::2, ::2] > 0).sum() < row.active_inputs
    assert row.lost == row.active_inputs - row.read
    assert f"reads {row.read} of them" in sentence(row)


def distinct_winners(x: np.ndarray, window: int, strides: int, padding: int) -> int:
    """By the definition, one window after the other; the first of equal values wins."""
    height, width, channels = x.shape
    winners = set()
    for c in range(channels):
        for top in range(-padding, height + padding - window + 1, strides):
            for left in range(-padding, width + padding - window + 1, strides):
                inside = [
                    (h, w, c)
                    for h in range(max(0, top), min(height, top + window))
                    for w in range(max(0, left), min(width, left + window))
                ]
                winners.add(max(inside, key=lambda at: x[at]))
    return len(winners)


@settings(max_examples=25)
@given(
    st.sampled_from([(2, 2, 0), (3, 2, 1), (3, 1, 1)]),
    st.integers(1, 4),
    st.integers(0, 2**31),
)
def test_losers_of_pooling_with_ties(window: tuple[int, int, int], values: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, values, (5, 6, 2)).astype(np.float64)
    layer = chain(MaxPool(*window))
    (row,) = account(layer, {}, image)
    winners = distinct_winners(image, *window)
    assert (row.unread, row.read) == (image.size - winners, winners)
    bound = local_rank_bound(layer, {}, image)
    assert bound.rank == winners == dense_ranks(layer.model, {}, image)["op1"]


def test_pooling_a_constant_image_keeps_the_first_of_each_window() -> None:
    (row,) = account(chain(MaxPool(2, 2)), {}, np.full((6, 6, 3), 0.5, np.float32))
    assert (row.unread, row.read, row.active_outputs) == (81, 27, 27)
    assert sentence(row) == "op1 keeps 27 of 108 active values"


def test_winners_that_are_closed_gates_carry_nothing() -> None:
    """A window of zeros has a winner, but no pixel can change it."""
    image = np.full((4, 4, 1), -1.0, np.float32)
    image[0, 0] = image[3, 3] = 1
    gates, pool, _ = account(chain(relu, MaxPool(2, 2), flatten), {}, image)
    assert (gates.unread, gates.active_outputs) == (14, 2)
    assert (pool.unread, pool.read, pool.active_outputs) == (12, 2, 2)
    bound = local_rank_bound(chain(relu, MaxPool(2, 2), flatten), {}, image)
    assert (bound.rank, bound.cut) == (2, ("op1",))


def test_gates_at_exactly_0_are_closed() -> None:
    (row,) = account(chain(relu), {}, np.zeros((2, 2, 3), np.float32))
    assert (row.unread, row.read, row.active_outputs, row.lost) == (12, 0, 0, 12)


def test_scales_of_batch_norm_that_are_0() -> None:
    """One that is tiny is reported; only one that is 0 certainly passes nothing."""
    variables, image = drawn("vgg", 0)
    scale = variables["params"]["features.1"]["scale"]
    variables["params"]["features.1"]["scale"] = scale.at[0].set(0).at[1].set(1e-20)
    rows = {row.name: row for row in account(DEEPEST["vgg"], variables, image)}
    row = rows["features.1"]
    assert row.zero_scales == 2
    assert row.read == row.active_outputs == 2 * SIZE**2
    assert row.lost == SIZE**2
    assert (
        sentence(row)
        == "features.1 scales 2 channels by nearly 0 and keeps 128 of 192 active values"
    )
    assert all(other.zero_scales == 0 for other in rows.values() if other is not row)


def test_weights_of_0_join_nothing() -> None:
    model = build_model("mlp", widths=(20, 20), channels=1)
    variables = init_variables(model, jax.random.key(0), image_size=3)
    kernel = variables["params"]["fc1"]["kernel"]
    variables["params"]["fc1"]["kernel"] = kernel.at[:4].set(0)
    image = np.ones((3, 3, 1), np.float32)
    bound = local_rank_bound(Layer(model, "fc2"), variables, image)
    assert (bound.rank, bound.nullity, bound.cut) == (5, 4, ("fc1",))


def test_an_unknown_operation_is_taken_to_join_everything() -> None:
    image = np.random.default_rng(0).normal(size=(3, 3, 1)).astype(np.float32)
    row, after = account(chain(jnp.tanh, relu), {}, image)
    assert (row.kind, row.read, row.active_outputs) == ("other", 9, 9)
    assert after.unread == (image <= 0).sum()


def test_normalization_only_moves_the_image() -> None:
    variables, image = drawn("basic", 0)
    plain = Layer(NETWORKS["basic"], "layer1")
    normal = Layer(NETWORKS["basic"], "layer1", ((0.4, 0.6), (0.2, 0.3)))
    moved = np.asarray(normal.normalization(jnp.asarray(image)[None])[0])
    assert account(normal, variables, image) == account(plain, variables, moved)
    assert account(normal, variables, image) != account(plain, variables, image)


# ------------------------------------------------------------------------------ words and errors


def test_sentences() -> None:
    pool = OperationLoss("maxpool", "max pool", 802816, 200704, 2, 423008, 94001, 150000, 0, 0)
    assert sentence(pool) == "maxpool keeps 94,001 of 423,008 active values"
    stage = RankBound("layer4", 3072, 2048, 1024, 2048, ("layer4.1",))
    assert sentence(stage) == (
        "at most 1,024 of 3,072 input directions can pass layer4: the cut is layer4.1"
    )
    whole = RankBound("conv1", 12, 64, 12, 0, ("input",))
    assert sentence(whole) == "all 12 input directions may pass conv1: no cut is smaller"
    fc = OperationLoss("fc", "linear", 512, 10, 1, 500, 500, 10, 0, 0)
    assert sentence(fc) == "fc maps 500 active values to 10 and loses at least 490 directions"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((1, 8, 8, 2), np.float32), r"one image \[height, width, 2\].*\(1, 8, 8, 2\)"),
        (np.zeros((8, 8, 3), np.float32), r"of shape \(8, 8, 3\)"),
        (np.zeros((0, 8, 2), np.float32), r"of shape \(0, 8, 2\)"),
        (np.zeros((8, 8, 2), np.uint8), "uint8 of shape"),
        (np.full((8, 8, 2), np.nan, np.float32), "conv1 is not finite"),
    ],
)
@pytest.mark.parametrize("count", [account, local_rank_bound, local_rank_bounds])
def test_images_that_cannot_be_counted(
    count: Callable[..., object], image: np.ndarray, message: str
) -> None:
    layer = Layer(NETWORKS["basic"], "relu")
    with pytest.raises(ValueError, match=message) as caught:
        count(layer, leaves_of("basic"), image)
    assert len(str(caught.value).splitlines()) == 1


def test_images_that_do_not_fit_the_weights() -> None:
    layer = Layer(NETWORKS["mlp"], "fc1")
    with pytest.raises(ValueError, match="has weights for 128 inputs"):
        account(layer, leaves_of("mlp"), np.zeros((4, 4, 2), np.float32))


@pytest.mark.parametrize("count", [account, local_rank_bound, local_rank_bounds])
def test_functions_have_no_graph(count: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"give Layer\(model, name\)") as caught:
        count(lambda variables, images: images, {}, np.zeros((8, 8, 2), np.float32))
    assert len(str(caught.value).splitlines()) == 1
