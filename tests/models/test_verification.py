"""A prepared layer that is another function than its layer is refused, never believed."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax.analysis.witnesses import null_space_witness
from depthjax.models import Network
from depthjax.models.network import INPUT, GraphBuilder, Node
from depthjax.models.operations import convolution, global_average, relu
from depthjax.models.verification import verify_prepared

KEY = jax.random.key(0)


class OneSided(Network):
    """Two convolutions that pad on one side alone, as TensorFlow's of stride 2 do."""

    label: str = "right"  # networks of two labels share no compiled program

    def graph(self) -> tuple[Node, ...]:
        net = GraphBuilder()
        x = INPUT
        for name in ("conv1", "conv2"):
            sides = ((0, 1), (0, 1))
            operation = nn.Conv(8, (3, 3), strides=(2, 2), padding=sides, parent=None)
            x = net(f"relu_{name}", relu, net(name, operation, x))
        net("pool", global_average, x)
        return tuple(net.nodes)


MODEL = OneSided()
LAYER = depthjax.Layer(MODEL, "pool")
TO_BE_WRONG = depthjax.Layer(OneSided("wrong"), "pool")
VARIABLES = depthjax.init_variables(MODEL, KEY, 8)
IMAGES = jnp.asarray(np.random.default_rng(0).random((2, 8, 8, 3), np.float32))


def invert(layer: depthjax.Layer) -> Any:
    config = depthjax.InversionConfig(steps=2)
    return depthjax.invert(layer, VARIABLES, layer(VARIABLES, IMAGES), 1 - IMAGES, config)


USES = {
    "invert": invert,
    "linearize": lambda layer: depthjax.jacobian.linearize(layer, VARIABLES, IMAGES),
    "witness": lambda layer: null_space_witness(KEY, layer, VARIABLES, IMAGES, steps=1),
}


@pytest.mark.parametrize("use", USES)
def test_a_wrong_rewrite_is_refused(use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding on both sides gives the same shapes and other numbers."""
    wrong = property(lambda self: ((1, 0), (1, 0)))
    monkeypatch.setattr(convolution.Convolution, "_padding", wrong)
    with pytest.raises(ValueError, match="prepared form of pool of OneSided is") as caught:
        USES[use](TO_BE_WRONG)
    message = str(caught.value)
    assert "\n" not in message
    assert "lambda variables, images" in message


def test_a_right_one_is_taken() -> None:
    assert LAYER.needs_verification
    assert np.isfinite(invert(LAYER).objective).all()


def test_networks_of_the_package_are_not_evaluated_again() -> None:
    def never(variables: Any, images: jax.Array) -> jax.Array:
        raise AssertionError

    layer = depthjax.Layer(depthjax.build_model("resnet18", width=4), "layer1")
    assert not layer.needs_verification
    verify_prepared(layer, {}, never, {}, IMAGES)


class OnlyRun(Network):
    """Nothing here is rewritten."""

    def graph(self) -> tuple[Node, ...]:
        return (Node("dense", nn.Dense(3, parent=None), (INPUT,)),)


def test_what_runs_as_it_is_needs_no_verification() -> None:
    assert not depthjax.Layer(OnlyRun(), "dense").needs_verification


class OfTheUser:
    """Any layer may have a fast form of its own."""

    def __init__(self, error: Any) -> None:
        self.error = error

    def __call__(self, variables: Any, images: jax.Array) -> jax.Array:
        return images * variables

    def prepare(self, variables: Any) -> Any:
        return lambda weights, images: self.error(images * weights), variables


WRONG = {
    "value": lambda y: 1.01 * y,
    "shape": lambda y: y[:, 1:],
    "nan": lambda y: y + jnp.nan,
}


@pytest.mark.parametrize("error", WRONG)
def test_a_fast_form_of_the_users_own_is_compared_too(error: str) -> None:
    layer = OfTheUser(WRONG[error])
    with pytest.raises(ValueError, match="prepared form of OfTheUser"):
        depthjax.jacobian.linearize(layer, jnp.float32(2), IMAGES)


def test_rounding_is_not_refused() -> None:
    """Half precision rounds coarsely, and what amplifies rounding may be as far as that takes."""
    half = OfTheUser(lambda y: y * (1 + 2**-8)), jnp.bfloat16(2), IMAGES.astype(jnp.bfloat16)
    layer, variables, images = half
    verify_prepared(layer, variables, *layer.prepare(variables), images)

    class Chaotic(OfTheUser):
        def __call__(self, variables: Any, images: jax.Array) -> jax.Array:
            return jnp.sin(1e6 * images * variables)

        def prepare(self, variables: Any) -> Any:
            return lambda weights, images: jnp.sin(1e6 * (weights * images + 1e-7)), variables

    chaotic = Chaotic(None)
    verify_prepared(chaotic, jnp.float32(2), *chaotic.prepare(jnp.float32(2)), IMAGES)


def test_a_dead_layer_is_not_refused() -> None:
    """Relative to nothing every rounding is large."""
    dead = OfTheUser(lambda y: y + 1e-9)
    verify_prepared(dead, jnp.float32(0), *dead.prepare(jnp.float32(0)), IMAGES)


def test_the_check_is_of_one_image() -> None:
    seen = []

    class Watched(OfTheUser):
        def __call__(self, variables: Any, images: jax.Array) -> jax.Array:
            seen.append(images.shape[0])
            return super().__call__(variables, images)

    layer = Watched(lambda y: y)
    verify_prepared(layer, jnp.float32(1), *layer.prepare(jnp.float32(1)), IMAGES)
    assert seen == [1]
