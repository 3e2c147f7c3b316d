"""What a descent moves instead of pixels: maps by name and own, and descents on them."""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax import InversionConfig, Parametrisation, invert
from depthjax.inversion.parametrisations import MOVED, parametrisation_of

SIZE = (8, 6, 3)
WEIGHTS = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(144, 30)) / 12)}


def layer(weights: dict[str, Any], images: jax.Array) -> jax.Array:
    return jnp.tanh(images.reshape(len(images), -1) @ weights["w"])


def images_of(seed: int, batch: int = 2) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).uniform(0.2, 0.8, size=(batch, *SIZE)))


def descend(config: InversionConfig, batch: int = 2, start: Any = None) -> Any:
    target = layer(WEIGHTS, images_of(1)[:batch])
    start = images_of(2)[:batch] if start is None else start
    return invert(layer, WEIGHTS, target, start, config)


SOME = {"sigmoid": "sigmoid", "phase": "phase", "deep_prior": "deep_prior:4"}


def test_every_name_is_tested() -> None:
    assert set(SOME) == set(MOVED)


@pytest.mark.parametrize("name", ["sigmoid", "phase"])
def test_images_are_their_parameters(name: str, x64: Any) -> None:
    found = parametrisation_of((name,), SIZE)
    assert found is not None
    x = images_of(0)
    np.testing.assert_allclose(found.decode(found.encode(x)), x, atol=1e-12)


def test_black_and_white_are_finite(x64: Any) -> None:
    found = parametrisation_of(("sigmoid",), SIZE)
    assert found is not None
    x = jnp.round(images_of(0))
    np.testing.assert_allclose(found.decode(found.encode(x)), x, atol=1 / 500)


def test_the_phase_keeps_the_spectrum_of_the_start(x64: Any) -> None:
    run = descend(InversionConfig(steps=30, parametrisation="phase", pixels="none"))
    sizes = [jnp.abs(jnp.fft.rfft2(x, axes=(1, 2))) for x in (images_of(2), run.images)]
    # Columns that are their own mirror images lose what is not the transform of a real image.
    np.testing.assert_allclose(sizes[1][:, :, 1:-1], sizes[0][:, :, 1:-1], rtol=1e-6)
    assert (run.objective < 0.5 * run.trajectory.objective[0]).all()


def test_the_deep_prior_is_a_network_of_the_start(x64: Any) -> None:
    found = parametrisation_of(("deep_prior:4",), SIZE)
    assert found is not None
    parameters = jax.jit(found.encode)(images_of(0))

    def squares(parameters: Any) -> tuple[jax.Array, jax.Array]:
        made = found.decode(parameters)
        return jnp.square(made).sum(), made

    slope, made = jax.jit(jax.grad(squares, has_aux=True))(parameters)
    assert made.shape == (2, *SIZE)
    assert ((made > 0) & (made < 1)).all()
    # Other inputs make other images of the same weights, and only the weights are moved.
    assert float(jnp.abs(made[0] - made[1]).max()) > 1e-3
    assert float(jnp.abs(slope["input"]).max()) == 0
    assert max(float(jnp.abs(w).max()) for w in jax.tree.leaves(slope["weights"])) > 0


@pytest.mark.parametrize("text", [*SOME.values(), "fourier:1,decorrelated,sigmoid", "pyramid:3"])
def test_a_descent_arrives_and_examples_never_mix(text: str, x64: Any) -> None:
    pixels = "none" if text == "phase" else "clip"
    config = InversionConfig(steps=40, parametrisation=text, pixels=pixels, learning_rate=0.05)
    both = descend(config)
    assert (both.objective < 0.5 * both.trajectory.objective[0]).all()
    np.testing.assert_allclose(descend(config, batch=1).images, both.images[:1], atol=1e-7)
    if pixels == "clip":
        assert ((both.images >= 0) & (both.images <= 1)).all()


def test_the_start_that_is_shown_is_where_the_descent_begins() -> None:
    """A sigmoid makes no pixels outside [0, 1]."""
    config = InversionConfig(steps=3, parametrisation="sigmoid")
    start = 3 * images_of(2).astype(jnp.float32) - 1
    run = depthjax.autoencode(
        jax.random.key(0), layer, WEIGHTS, images_of(1).astype(jnp.float32), config,
        init=jnp.stack([start, 1 - start]), frames=3,
    )  # fmt: skip
    found = parametrisation_of(("sigmoid",), SIZE)
    assert found is not None and run.inversion.frames is not None
    assert run.start.shape == (2, *start.shape) and np.abs(run.start[0] - start).max() > 0.1
    np.testing.assert_allclose(run.start[0], found.decode(found.encode(start)), atol=1e-6)
    shown = run.inversion.frames.images[0].reshape(run.start.shape)
    np.testing.assert_allclose(shown / 255, run.start, atol=0.51 / 255)
    first = np.asarray(run.inversion.trajectory.input_distance[0])
    ratio = first / np.asarray(run.measurement.reference_input_distance)
    np.testing.assert_allclose(run.baselines["start"], ratio, rtol=1e-5)


def test_the_first_step_is_that_of_the_parameters(x64: Any) -> None:
    config = InversionConfig(
        steps=1, parametrisation="sigmoid", optimizer="sgd", schedule="constant", learning_rate=0.3
    )
    start, target = images_of(2), layer(WEIGHTS, images_of(1))

    def objective(z: jax.Array) -> jax.Array:
        off = jnp.square(layer(WEIGHTS, jax.nn.sigmoid(z)) - target).sum(1)
        return (off / jnp.square(target).sum(1)).sum()

    z = jnp.log(start / (1 - start))
    expected = jax.nn.sigmoid(z - 0.3 * jax.grad(objective)(z))
    np.testing.assert_allclose(descend(config).final_images, expected, atol=1e-12)


def test_a_trust_radius_is_one_of_images(x64: Any) -> None:
    config = InversionConfig.fast(steps=1, parametrisation="sigmoid", trust_radius=1e-4)
    moved = descend(config).final_images - images_of(2)
    np.testing.assert_allclose(jnp.sqrt(jnp.square(moved).mean((1, 2, 3))), 1e-4, rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["lion", "adamw", "adam"])
def test_sizes_of_coefficients_stay_under_every_optimiser(optimizer: str, x64: Any) -> None:
    """A decay of weights would shrink them, whatever their gradient."""
    config = InversionConfig(
        steps=20, parametrisation="phase", pixels="none", optimizer=optimizer, learning_rate=0.5,
        schedule="constant",
    )  # fmt: skip

    def sizes(images: jax.Array) -> jax.Array:
        spectrum = jnp.abs(jnp.fft.rfft2(images, axes=(1, 2)))
        return spectrum[:, :, 1:-1]  # of the others a real image fixes some phases

    found = descend(config).final_images
    assert jnp.abs(found - images_of(2)).max() > 0.05
    np.testing.assert_allclose(sizes(found), sizes(images_of(2)), rtol=1e-4, atol=1e-6)


def test_coordinates_need_one_array(x64: Any) -> None:
    pair = (lambda z: z["a"] + z["b"], lambda images: {"a": images, "b": 0 * images})
    settings = {"steps": 2, "parametrisation": pair, "pixels": "none"}
    assert descend(InversionConfig(**settings)).images.shape == images_of(2).shape
    with pytest.raises(ValueError, match="need one array like images"):
        descend(InversionConfig(**settings, fourier_decay=0.5))


def square(z: jax.Array) -> jax.Array:
    return jnp.square(z)


OWN = Parametrisation(square, jnp.sqrt)


def test_a_pair_of_your_own_in_python_and_by_name(
    x64: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    config = InversionConfig(steps=20, parametrisation=(square, jnp.sqrt), pixels="none")
    own = descend(config)
    assert (own.images >= 0).all()
    (tmp_path / "my_maps.py").write_text(
        "import jax.numpy as jnp\nfrom depthjax import Parametrisation\n\n"
        "def squares():\n    return Parametrisation(jnp.square, jnp.sqrt)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    named = descend(config.replace(parametrisation="my_maps:squares"))
    sys.modules.pop("my_maps")
    np.testing.assert_array_equal(own.images, named.images)
    assert depthjax.Parametrisation is Parametrisation


def test_the_decay_of_a_parametrisation_is_the_configs(x64: Any) -> None:
    named = InversionConfig(steps=5, parametrisation="fourier:0.5")
    field = InversionConfig(steps=5, fourier_decay=0.5)
    assert named.structure == field.structure
    assert named.replace(parametrisation="fourier:2").structure == named.structure
    np.testing.assert_array_equal(descend(named).images, descend(field).images)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parametrisation": "sigmod"}, "unknown parametrisation 'sigmod'; did you mean 'sigmoid'"),
        ({"parametrisation": "fourier"}, "fourier:decay must be a decay that is not 0"),
        ({"parametrisation": "pyramid:1.5"}, "pyramid:levels must be levels from 1"),
        ({"parametrisation": "sigmoid,fourier:1"}, "fourier as its first step"),
        ({"parametrisation": "sigmoid,phase"}, "phase as its first step"),
        ({"parametrisation": "sigmoid,pyramid:2"}, "with pyramid as its first step"),
        ({"parametrisation": "fourier:1,pyramid:2"}, "with pyramid as its first step"),
        ({"parametrisation": "decorrelated,pyramid:2"}, "with pyramid as its first step"),
        ({"parametrisation": "pyramid:2", "fourier_decay": 0.5}, "set fourier_decay to 0"),
        ({"parametrisation": "phase,sigmoid", "fourier_decay": 0.5}, "set fourier_decay to 0"),
        ({"parametrisation": "phase"}, "end it with sigmoid, or use pixels='penalty' or 'none'"),
        ({"parametrisation": "sigmoid", "blur": True}, "blur is of pixels"),
        ({"parametrisation": "sigmoid", "step_scale": "layer"}, "step_scale='layer' is of pixels"),
        (
            {"parametrisation": "sigmoid", "optimizer": "gauss_newton"},
            "optimizer='gauss_newton' is of pixels",
        ),
        ({"parametrisation": "pyramid:2", "optimizer": "gauss_newton"}, "takes no pyramid"),
        ({"parametrisation": "no_such:map"}, "no module 'no_such' for the parametrisation"),
    ],
)
def test_what_has_no_meaning(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InversionConfig(**fields)


def test_parameters_that_make_no_images(x64: Any) -> None:
    flat = InversionConfig(
        steps=1, pixels="none", parametrisation=(lambda z: z[:, :4], lambda images: images)
    )
    with pytest.raises(ValueError, match="makes images"):
        descend(flat)
