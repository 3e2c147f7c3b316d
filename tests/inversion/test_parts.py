"""Descents that ask for several layers at once, and objectives of a user's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, Layer, autoencode, fitting_batch, invert, step_scale, term
from depthjax.models import build_model, init_variables

KEY = jax.random.key(0)
JOINED = "fc1+fc2"


@pytest.fixture(scope="module")
def mlp():
    """A square layer, which keeps everything, and a narrow one."""
    model = build_model("mlp", widths=(48, 6))
    return model, init_variables(model, KEY, image_size=4)


@pytest.fixture(scope="module")
def images():
    return jax.random.uniform(jax.random.key(1), (2, 4, 4, 3))


def descend(mlp, images, objective, **fields):
    model, variables = mlp
    config = InversionConfig(objective=objective, steps=300, learning_rate=0.02, **fields)
    found = autoencode(KEY, Layer(model, JOINED), variables, images, config)
    each = [Layer(model, name) for name in JOINED.split("+")]
    far = [np.linalg.norm(one(variables, found.images) - one(variables, images)) for one in each]
    return found, far


def test_each_term_is_of_its_layer(mlp, images):
    """Asked for the narrow layer alone, a descent leaves the other, which holds far more."""
    found, (wide, narrow) = descend(mlp, images, "relative_squared_l2@fc2")
    assert narrow < 1e-3 and wide > 0.1
    again, (both, _) = descend(mlp, images, "relative_squared_l2@fc2 + 2*relative_squared_l2@fc1")
    assert both < wide / 5
    assert (again.input_ratio < found.input_ratio).all()


def test_flags_and_python_give_the_same_numbers(mlp, images):
    asked = 0.5 * term("cosine", at="fc1") + term("l1", at="fc2")
    ours, _ = descend(mlp, images, asked, penalty=1e-3 * term("tv"))
    written, _ = descend(mlp, images, "cosine:0.5@fc1 + l1@fc2", penalty="0.001*tv")
    np.testing.assert_array_equal(ours.images, written.images)


def test_a_function_is_an_objective_and_a_penalty(mlp, images):
    def squares(embedding, target):
        return jnp.square(embedding - target).sum(1) / jnp.square(target).sum(1)

    def box(images):
        return jnp.square(images - images.clip(0, 1)).sum((1, 2, 3))

    ours, _ = descend(mlp, images, squares, pixels="none", penalty=box)
    named, _ = descend(mlp, images, "relative_squared_l2", pixels="none", penalty="range")
    np.testing.assert_allclose(ours.images, named.images, atol=1e-4)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda e, t: ((e - t) ** 2).sum(), r"gives float32 \(\) for 2 examples; .* one float"),
        (lambda e, t: (e - t).argmax(1), r"gives int32 \(2,\) for 2 examples"),
        (
            lambda e, t: ((e - t - (e - t).mean(0, keepdims=True)) ** 2).sum(1),
            "mixes examples: the first one's",
        ),
    ],
)
def test_a_function_gives_one_number_for_each_example(mlp, images, function, message):
    with pytest.raises(ValueError, match=message):
        descend(mlp, images, function)


def test_a_penalty_may_not_mix_either(mlp, images):
    with pytest.raises(ValueError, match="_to_the_mean mixes examples"):
        descend(mlp, images, "l1", penalty=_to_the_mean)


def _to_the_mean(images):
    return jnp.square(images - images.mean(0, keepdims=True)).sum((1, 2, 3))


def test_a_layer_that_is_not_there_is_said(mlp, images):
    with pytest.raises(ValueError, match="asks for 'fc3', and the embedding is of fc1, fc2"):
        descend(mlp, images, "l1@fc3")
    model, variables = mlp
    layer, config = Layer(model, "fc1"), InversionConfig(objective="l1@fc1")
    with pytest.raises(ValueError, match="asks for 'fc1', and the embedding is of one layer alone"):
        invert(layer, variables, layer(variables, images), images, config)


def test_memory_and_the_first_step_know_of_parts(mlp, images):
    model, variables = mlp
    layer = Layer(model, JOINED)
    config = InversionConfig(objective="l1@fc1 + cosine@fc2", step_scale="layer", steps=2)
    assert fitting_batch(layer, variables, images.shape[1:], 2, config).batch == 2
    found = invert(layer, variables, layer(variables, images), images + 0.1, config)
    assert np.isfinite(found.images).all()
    fast, weights = layer.prepare(variables)
    with pytest.raises(ValueError, match="of one layer alone"):
        step_scale(fast, weights, images + 0.1, fast(weights, images), objective="l1@fc1")
