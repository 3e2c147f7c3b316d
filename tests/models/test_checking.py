"""What a function of one's own must be, and what is said where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from error_messages import error_of
from flax import nnx

import depthjax
from depthjax.models.named import NamedLayer, named_layers
from depthjax.ops.rewriting import rewrite

IMAGES = jnp.asarray(np.random.default_rng(0).random((3, 6, 6, 3), np.float32))
WEIGHTS = {"a": jnp.asarray(np.random.default_rng(1).normal(size=(3, 4)), jnp.float32)}


def good(variables, images):
    return jnp.tanh(images @ variables["a"])


def failing(layer, variables=WEIGHTS):
    """The names of the checks that fail, and what they say."""
    report = depthjax.check_layer(layer, variables, IMAGES, refuse=False)
    assert all("\n" not in check.problem for check in report.checks)
    return [check.name for check in report.failures], str(report)


def test_a_good_layer_passes_everything_and_is_described():
    report = depthjax.check_layer(good, WEIGHTS, IMAGES)
    names = ("output", "determinism", "tracing", "purity", "independence", "gradient")
    assert tuple(check.name for check in report.checks) == names and not report.failures
    assert str(report).startswith("good gives float32 (3, 6, 6, 4)\n  output: ok\n")
    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1,), num_classes=3)
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    layer = depthjax.Layer(model, "layer1")
    report = depthjax.check_layer(layer, variables, jnp.concatenate([IMAGES, IMAGES], axis=1))
    assert report.layer == "layer1" and "(prepare)" in report.notes[0]


def by_batch(variables, images):
    x = good(variables, images)
    return (x - x.mean(0, keepdims=True)) / x.std(0, keepdims=True)


def branching(variables, images):
    return good(variables, images) if images.mean() > 0 else images


def numpy(variables, images):
    return jnp.asarray(np.tanh(np.asarray(images)))


def random(variables, images):
    noise = np.random.default_rng().normal(size=images.shape)
    return good(variables, images + jnp.asarray(noise, images.dtype))


KEPT = []


def leaking(variables, images):
    x = good(variables, images)
    if KEPT:
        x = x + 0 * KEPT.pop()
    KEPT.append(x)
    return x


def changing(variables, images):
    variables["a"] = variables["a"] * 1
    return good(variables, images)


def rounding(variables, images):
    return jnp.round(good(variables, images) * 3)


def norm(variables, images):
    return jnp.linalg.norm(0 * images, axis=-1)


WRONG = {
    "closed": (lambda variables, images: good(variables, images)[0], "output", "the batch"),
    "many": (lambda variables, images: (images, images), "output", "depthjax.NamedLayer"),
    "whole": (lambda variables, images: images.sum((1, 2, 3)).astype(int), "output", "floats"),
    "infinite": (lambda variables, images: jnp.log(images - 2), "output", "NaN"),
    "arguments": (lambda images: images, "output", "TypeError"),
    "branching": (branching, "tracing", "jnp.where"),
    "numpy": (numpy, "tracing", "jax.numpy"),
    "batch statistics": (by_batch, "independence", "use_running_average"),
    "random": (random, "determinism", "no dropout"),
    "leaking": (leaking, "purity", "keeps a value"),
    "changing": (changing, "purity", "changes its variables"),
    "rounding": (rounding, "gradient", "0 everywhere"),
    "norm": (norm, "gradient", "not finite"),
    "of one size": (
        lambda variables, images: images.reshape(3, 108), "independence", "any size"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_failure_has_advice(name):
    layer, check, advice = WRONG[name]
    KEPT.clear()
    failed, text = failing(layer, dict(WEIGHTS))
    assert check in failed
    problem = next(line for line in text.splitlines() if line.startswith(f"  {check}: "))
    assert advice in problem
    if name not in ("random", "leaking"):  # which say another thing each time
        KEPT.clear()
        message = error_of(lambda: depthjax.check_layer(layer, dict(WEIGHTS), IMAGES))
        assert "is no layer yet" in message and f"{check}: " in message


def test_networks_in_training_are_found():
    class Net(nnx.Module):
        def __init__(self, *parts):
            self.parts = nnx.List(parts)

        def __call__(self, x):
            for part in self.parts:
                x = part(x)
            return x

    def layer_of(*parts):
        graph, state = nnx.split(Net(*parts))
        return (lambda variables, images: nnx.merge(graph, variables)(images)), state

    rngs = nnx.Rngs(0)
    norm, dropout = nnx.BatchNorm(3, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
    for part in (norm, dropout):
        failed, text = failing(*layer_of(part))
        assert failed and "evaluation mode" in text
    norm.eval(), dropout.eval()
    assert depthjax.check_layer(*layer_of(norm, dropout), IMAGES).failures == ()


def test_a_class_that_does_not_hash_and_images_that_are_none():
    class Unhashable:
        __hash__ = None

        def __call__(self, variables, images):
            return images

    assert "does not hash" in failing(Unhashable())[1]
    for images in (IMAGES[:1], IMAGES[0], (IMAGES * 255).astype(jnp.uint8)):
        message = error_of(lambda images=images: depthjax.check_layer(good, WEIGHTS, images))
        assert "two or more float images" in message


def test_what_is_worth_knowing_is_noted():
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 3, 8)), jnp.float32)

    def closed(variables, images):
        return jax.lax.conv(
            images.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), (1, 1), "SAME"
        )

    notes = depthjax.check_layer(closed, (), IMAGES).notes
    assert "216 numbers are closed over" in notes[0]
    assert "replaces by faster ones: 1" in notes[1]


def test_a_derivative_that_goes_back_alone_is_noted():
    @jax.custom_vjp
    def straight_through(x):
        return jnp.round(x)

    straight_through.defvjp(lambda x: (straight_through(x), None), lambda _, ct: (ct,))
    (note,) = depthjax.check_layer(lambda _, x: straight_through(x), (), IMAGES).notes
    assert note.endswith("descents can use it, Jacobians cannot")


# ------------------------------------------------------------------------- layers by name


def activations(variables, images):
    first = jax.lax.conv_general_dilated(
        images, variables["k"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    second = jax.lax.conv_general_dilated(
        first, variables["k"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return {"first": first, "second": second}


def test_layers_by_name_compute_what_they_need_and_equal_what_means_the_same():
    variables = {"k": jnp.ones((3, 3, 3, 3))}
    for function in (activations, jax.jit(activations)):
        layers = named_layers(function, variables, IMAGES)
        assert list(layers) == ["first", "second"]
        assert layers["first"] == NamedLayer(function, "first") != layers["second"]
        assert len({*layers.values(), NamedLayer(function, "first")}) == 2
        expected = activations(variables, IMAGES)
        for count, (name, layer) in enumerate(layers.items(), 1):
            np.testing.assert_array_equal(layer(variables, IMAGES), expected[name])
            assert rewrite(layer, variables, IMAGES).replaced == count
        assert not depthjax.check_layer(layers["second"], variables, IMAGES).failures


def test_a_name_that_is_not_there_and_a_function_without_names():
    message = error_of(
        lambda: NamedLayer(activations, "frist")({"k": jnp.ones((3, 3, 3, 3))}, IMAGES)
    )
    assert "did you mean 'first'" in message
    assert "returns one array" in error_of(
        lambda: named_layers(lambda v, x: jnp.ones(3), {}, IMAGES)
    )
    assert "returns a tuple as 'block'; leave it out" in error_of(
        lambda: named_layers(lambda v, x: {"block": (x, x)}, (), IMAGES)
    )
    assert "returns the name 3; names are text" in error_of(
        lambda: named_layers(lambda v, x: {3: x}, (), IMAGES)
    )
