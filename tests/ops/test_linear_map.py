"""A linear map with both directions explicit, under every transformation JAX has."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax.ops import linear_map


@dataclass(frozen=True)
class Product:
    """`x @ a`; the parameters are the matrix."""

    def forward(self, a, x):
        return x @ a

    def transpose(self, a, y):
        return y @ a.T


@pytest.fixture
def arrays(x64):
    rng = np.random.default_rng(0)
    shapes = {"a": (5, 3), "x": (4, 5), "tangent": (4, 5), "cotangent": (4, 3)}
    return {name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}


def ours(a):
    return lambda x: jnp.tanh(linear_map.apply(Product(), a, x))


def plain(a):
    return lambda x: jnp.tanh(x @ a)


def total(f):
    return lambda x: jnp.sum(f(x) ** 2)


TRANSFORMATIONS = {
    "value": lambda f, v: f(v["x"]),
    "jit": lambda f, v: jax.jit(f)(v["x"]),
    "jvp": lambda f, v: jax.jvp(f, (v["x"],), (v["tangent"],))[1],
    "vjp": lambda f, v: jax.vjp(f, v["x"])[1](v["cotangent"])[0],
    "linearize": lambda f, v: jax.linearize(f, v["x"])[1](v["tangent"]),
    "linearize transposed": lambda f, v: jax.linear_transpose(jax.linearize(f, v["x"])[1], v["x"])(
        v["cotangent"]
    )[0],
    "jacfwd": lambda f, v: jax.jacfwd(f)(v["x"]),
    "jacrev": lambda f, v: jax.jacrev(f)(v["x"]),
    "hessian": lambda f, v: jax.hessian(total(f))(v["x"]),
    "remat": lambda f, v: jax.grad(total(jax.checkpoint(f)))(v["x"]),
    "vmap of grad": lambda f, v: jax.vmap(jax.grad(total(f)))(_two(v["x"])),
    "grad of vmap": lambda f, v: jax.grad(total(jax.vmap(f)))(_two(v["x"])),
    "vmap along axis 1": lambda f, v: jax.vmap(f, 1, 2)(_two(v["x"]).swapaxes(0, 1)),
    "scan of grad": lambda f, v: jax.lax.scan(
        lambda x, _: (x - 0.1 * jax.grad(total(f))(x), None), v["x"], length=3
    )[0],
}


def _two(x):
    return jnp.stack([x, 2 * x])


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_equals_the_plain_product(name, arrays):
    transform = TRANSFORMATIONS[name]
    expected = transform(plain(arrays["a"]), arrays)
    np.testing.assert_allclose(transform(ours(arrays["a"]), arrays), expected, rtol=1e-10)


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0), (2, 1)])
def test_vmap_over_parameters_too(axes, arrays):
    def stack(value, axis):
        return value if axis is None else jnp.stack([value, 3 * value], axis)

    a, x = stack(arrays["a"], axes[0]), stack(arrays["x"], axes[1])
    mine = jax.vmap(lambda a, x: jax.grad(total(ours(a)))(x), axes)(a, x)
    theirs = jax.vmap(lambda a, x: jax.grad(total(plain(a)))(x), axes)(a, x)
    np.testing.assert_allclose(mine, theirs, rtol=1e-10)


def test_derivative_in_a_loop_uses_the_explicit_transpose(arrays):
    """What the loop compiles is our transpose, not one that XLA derived."""
    gradient = jax.make_jaxpr(jax.grad(total(ours(arrays["a"]))))(arrays["x"])
    assert str(gradient).count("linear_map[") == 2


@pytest.mark.parametrize(("precision", "said"), [("highest", "HIGHEST"), ("bfloat16", "DEFAULT")])
def test_products_have_the_precision_that_is_set_where_the_map_is_applied(precision, said, arrays):
    """Also those of its derivatives, and though a program is lowered when the context has ended."""

    def gradient(x):
        with jax.default_matmul_precision(precision):
            value, pullback = jax.vjp(ours(arrays["a"]), x)
        return pullback(value)

    with jax.default_matmul_precision("high"):
        text = jax.jit(gradient).lower(arrays["x"]).as_text()
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert len(products) == 2 and all(line.count(said) == 2 for line in products), text


def test_weights_are_constants(arrays):
    with pytest.raises(ValueError, match="weights constant") as error:
        jax.grad(lambda a: total(ours(a))(arrays["x"]))(arrays["a"])
    assert "\n" not in str(error.value)


@dataclass(frozen=True)
class Counted(Product):
    """A product that counts how often it is traced."""

    traced: list = dataclasses.field(default_factory=list, compare=False)

    def forward(self, a, x):
        self.traced.append(x.shape)
        return super().forward(a, x)


def test_maps_that_are_alike_are_not_traced_each(arrays):
    counted, a, x = Counted(), jnp.eye(5), arrays["x"]
    for _ in range(2):  # a program of its own each time
        jax.jit(lambda x: linear_map.apply(counted, a, linear_map.apply(counted, a, x)))(x)
    assert len(counted.traced) <= 2  # for the shape of the result, and to be lowered
