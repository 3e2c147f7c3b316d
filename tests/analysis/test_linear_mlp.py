"""What a multilayer perceptron tells of its input, and how many steps it takes to read it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import depthjax
from depthjax import figures
from depthjax.analysis import linear_mlp
from depthjax.compat import enable_x64
from depthjax.inversion.config import InversionConfig

SIZE, INPUTS = 2, 12


def network(layers, seed=0, activation="linear"):
    model = depthjax.build_model("mlp", widths=layers, activation=activation)
    return model, depthjax.init_variables(model, jax.random.key(seed), SIZE)


def pair(batch=2, seed=0):
    """Targets and starts."""
    random = np.random.default_rng(seed)
    return random.random((2, batch, SIZE, SIZE, 3)).astype(np.float32)


def errors_of(targets, starts):
    return linear_mlp.flatten_images(starts) - linear_mlp.flatten_images(targets)


def directions_of(layers, seed=0):
    return linear_mlp.product_directions(linear_mlp.affine_maps(network(layers, seed)[1]))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_linear_network_is_one_map(depth):
    model, variables = network((15, 7, 20))
    images = jnp.asarray(pair()[0])
    whole = depthjax.Layer(model, f"fc{depth}")(variables, images)
    weights = jax.tree.map(np.float32, linear_mlp.affine_maps(variables)[depth - 1])
    np.testing.assert_allclose(linear_mlp.affine_layer(weights, images), whole, atol=2e-6)


def test_a_descent_through_it_is_the_descent_through_its_map():
    """The paper's steps, layer by layer and as one map."""
    model, variables = network((15, 14))
    targets, starts = map(jnp.asarray, pair())
    config = InversionConfig.paper("mlp", steps=5)
    layer = depthjax.Layer(model, "fc2")
    slow = depthjax.invert(layer, variables, layer(variables, targets), starts, config)
    weights = jax.tree.map(np.float32, linear_mlp.affine_maps(variables)[-1])
    target = linear_mlp.affine_layer(weights, targets)
    fast = depthjax.invert(linear_mlp.affine_layer, weights, target, starts, config)
    np.testing.assert_allclose(fast.final_images, slow.final_images, atol=1e-5)


@given(st.lists(st.integers(1, 18), min_size=1, max_size=3), st.integers(0, 9))
@settings(deadline=None, max_examples=20)
def test_the_directions_of_a_product_span_its_row_space(layers, seed):
    maps = linear_mlp.affine_maps(network(tuple(layers), seed)[1])
    directions = linear_mlp.product_directions(maps)
    rank = min(INPUTS, *layers)
    assert directions.values.shape == (rank,) and directions.vectors.shape == (rank, INPUTS)
    np.testing.assert_allclose(directions.vectors @ directions.vectors.T, np.eye(rank), atol=1e-10)
    product = maps[-1]["kernel"]
    truth = np.linalg.svd(product, compute_uv=False)
    np.testing.assert_allclose(directions.values, truth[:rank], atol=1e-7 * truth[0])
    np.testing.assert_allclose(
        np.linalg.norm(directions.vectors @ product, axis=1),
        directions.values,
        atol=1e-7 * truth[0],
    )
    assert directions.condition_number >= 1
    # What is left of an error is in the null space, and the two parts make up the whole.
    error = np.random.default_rng(seed).normal(size=(1, INPUTS))
    lost = error - error @ directions.vectors.T @ directions.vectors
    np.testing.assert_allclose(lost @ product, 0, atol=1e-9)
    inside = (
        np.square(error @ directions.vectors.T).sum()
        + linear_mlp.null_distance(directions, error) ** 2
    )
    np.testing.assert_allclose(inside, np.square(error).sum())


@pytest.mark.parametrize("layers", [(15, 8, 15), (15, 15)])
@pytest.mark.parametrize("steps", [0, 40])
def test_the_closed_form_is_gradient_descent(layers, steps):
    _, variables = network(layers)
    directions = directions_of(layers)
    targets, starts = pair()
    with enable_x64(True):
        weights = linear_mlp.affine_maps(variables)[-1]
        config = InversionConfig(
            steps=max(steps, 1), objective="squared_l2", objective_scale=0.5, optimizer="sgd",
            learning_rate=1 / directions.values[0] ** 2, schedule="constant", pixels="none",
            record_every=1,
        )  # fmt: skip
        exact, begin = jnp.asarray(targets, jnp.float64), jnp.asarray(starts, jnp.float64)
        target = linear_mlp.affine_layer(weights, exact)
        found = depthjax.invert(
            linear_mlp.affine_layer, weights, target, begin, config, compare_to=exact
        ).trajectory
    expected = linear_mlp.distance_after(directions, errors_of(targets, starts), steps)
    np.testing.assert_allclose(found.input_distance[steps], expected, rtol=1e-9)


def test_a_narrow_layer_anywhere_leaves_the_null_component():
    """C4 in small: m_i ends at ‖P_N(a − a_0)‖ if any layer is narrow, else at 0."""
    errors = errors_of(*pair())
    for layers in ((8, 8), (15, 8, 15), (8, 15)):
        directions = directions_of(layers)
        path = linear_mlp.conjugate_gradients(directions, errors, [0, 3, 2000])
        floor = linear_mlp.null_distance(directions, errors)
        assert (floor > 0.1).all()
        np.testing.assert_allclose(path.input_distance[-1], floor, rtol=1e-6)
        np.testing.assert_allclose(
            linear_mlp.distance_after(directions, errors, 10**12), floor, rtol=1e-6
        )
        assert (path.embedding_distance[-1] < 1e-6 * path.embedding_distance[0]).all()
        assert np.isinf(linear_mlp.steps_until(directions, errors, floor.min() / 2)).all()
    directions = directions_of((15, 15))
    path = linear_mlp.conjugate_gradients(directions, errors, [0, 2000])
    np.testing.assert_allclose(path.input_distance[0], np.linalg.norm(errors, axis=1))
    assert (path.input_distance[-1] < 1e-6).all()


def test_conjugate_gradients_are_those_on_the_matrix():
    """k steps give the nearest embedding in the Krylov space of k gradients."""
    layers = (15, 14)
    product = linear_mlp.affine_maps(network(layers)[1])[-1]["kernel"]
    errors = errors_of(*pair(batch=1))
    path = linear_mlp.conjugate_gradients(directions_of(layers), errors, [0, 1, 2, 3, 4])
    residual, gradient, space = errors @ product, errors @ product @ product.T, []
    for step, distance in zip(path.step, path.embedding_distance[:, 0], strict=True):
        if space:
            basis = np.linalg.qr(np.concatenate(space).T)[0]
            best = np.linalg.lstsq(product.T @ basis, residual[0], rcond=None)[0]
            nearest = np.linalg.norm(residual[0] - product.T @ basis @ best)
        else:
            nearest = np.linalg.norm(residual)
        np.testing.assert_allclose(distance, nearest, rtol=1e-7)
        space.append(gradient)
        gradient = gradient @ product @ product.T
        assert step + 1 == len(space)


@given(st.integers(0, 20), st.floats(0.05, 3))
@settings(deadline=None, max_examples=20)
def test_steps_are_the_first_that_are_enough(seed, distance):
    directions = directions_of((15, 15), seed)
    errors = errors_of(*pair(batch=3, seed=seed))
    found = linear_mlp.steps_until(directions, errors, distance)
    for index, steps in enumerate(map(int, found)):
        assert linear_mlp.distance_after(directions, errors, steps)[index] <= distance * (1 + 1e-9)
        if steps:
            before = linear_mlp.distance_after(directions, errors, steps - 1)[index]
            assert before > distance * (1 - 1e-9)
    assert np.isinf(linear_mlp.steps_until(directions, errors, 1e-9, most=1)).all()


@pytest.mark.parametrize(
    ("ratios", "needed"),
    [
        ([4.0, 2.0, 0.5, 0.1], 2.5),
        ([0.5, 0.4, 0.3, 0.2], 1.0),
        ([4.0, 0.5, 2.0, 0.5], 3.5),  # only what stays recovered counts
        ([4.0, 3.0, 2.0, 1.5], np.inf),
        ([4.0, np.nan, 0.5, 0.1], 3.0),
        ([4.0, 4.0, 1.0, 0.1], 3.0),
    ],
)
def test_the_width_needed(ratios, needed):
    found = linear_mlp.width_needed(np.arange(1.0, 5.0), np.array(ratios))
    assert found == pytest.approx(needed)


@given(st.integers(1, 10**6))
def test_log_steps_rise_from_nothing_to_the_last(most):
    steps = linear_mlp.log_steps(most)
    assert steps[0] == 0 and steps[-1] == most and sorted(set(steps)) == steps


def test_figures_are_of_the_shapes_they_say():
    steps = np.array([0, 1, 10])
    far = np.ones((3, 4))
    figure = figures.distances_against_step(
        {"narrow": {"one": (steps, far, far)}, "wide": {"other": (steps, far, far)}},
        {"narrow": np.full(4, 0.5), "wide": np.zeros(4)},
    )
    left, right = figure.axes
    assert (len(left.lines), len(right.lines)) == (2, 3)  # the floor of one network
    figure = figures.steps_to_recover(["1", "2"], np.array([[1, 10], [np.inf, 20]]), axis="layers")
    assert "1\xa0of\xa04\xa0values" in figure.axes[0].get_title(loc="left")
    with pytest.raises(ValueError, match="2 places"):
        figures.steps_to_recover(["1", "2"], np.ones((3, 2)), axis="layers")
    figure = figures.recovery_against_width(
        np.array([1.0, 2.0]), {"D": np.array([0, 1])}, {"D": (1.5, 1.4, 1.6)}
    )
    assert figure.axes[0].get_xlabel() == "width / inputs"
    with pytest.raises(ValueError, match="2 widths"):
        figures.recovery_against_width(
            np.array([1.0, 2.0]), {"D": np.zeros(1)}, {"D": (1.5, 1.4, 1.6)}
        )
