"""Operations that treat all elements alike: functions of one, and arithmetic of two."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from depthjax.errors import one_of
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, keeping_sentence, kept_values

FUNCTIONS: dict[str, Callable[..., Array]] = {
    **{
        name: getattr(jnp, name)
        for name in (
            *("abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "bitwise_not"),
            *("ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor", "isfinite", "isinf", "isnan"),
            *("log",),
            *("log10", "log1p", "log2", "logical_not", "negative", "reciprocal", "rint", "sign"),
            *("sin", "sinh", "sqrt", "square", "tan", "tanh"),
        )
    },
    "erf": jax.scipy.special.erf,
    "rsqrt": jax.lax.rsqrt,
    "stop_gradient": jax.lax.stop_gradient,
    "sigmoid": jax.nn.sigmoid,
    "log_sigmoid": jax.nn.log_sigmoid,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "softsign": jax.nn.soft_sign,
    "elu": lambda x, alpha=1.0: jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0))),
    "celu": jax.nn.celu,
    "selu": jax.nn.selu,
    "softplus": lambda x, beta=1.0: jax.nn.softplus(beta * x) / beta,
    # PyTorch's gradients at the ends: 1 at those of clip, 0 at those of the hard ones.
    "clip": lambda x, low, high: jnp.where(x < low, low, jnp.where(x > high, high, x)),
    "hard_sigmoid": lambda x, slope=1 / 6, shift=0.5: _inside(slope * x + shift, 0.0, 1.0),
    "hard_swish": lambda x: x * _inside(x / 6 + 0.5, 0.0, 1.0),
    "hard_tanh": lambda x, low=-1.0, high=1.0: _inside(x, low, high),
    "threshold": lambda x, threshold, value: jnp.where(x > threshold, x, value),
    "cast": lambda x, dtype: x.astype(dtype),
}
"""By JAX's or NumPy's name; settings follow the element."""


def _inside(x: Array, low: float, high: float) -> Array:
    """`x` clipped, with gradient 0 where it reaches an end."""
    return jnp.where(x <= low, low, jnp.where(x >= high, high, x))


@dataclass(frozen=True)
class Elementwise:
    """A function of each element: one of `FUNCTIONS`, and its settings."""

    name: str
    settings: tuple[float | str, ...] = ()

    def __post_init__(self) -> None:
        one_of("function of elements", self.name, FUNCTIONS)

    def __call__(self, x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """Of the same shape."""
        return FUNCTIONS[self.name](x, *self.settings)


@describes(Elementwise)
@dataclass(frozen=True)
class ElementwiseDescription(Description):
    """Each element depends on one element."""

    operation: Elementwise
    kind = "elementwise"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Each element to itself, where the function is not flat."""
        if self.operation.name not in _PARTLY_FLAT:
            return lambda x: jnp.broadcast_to(x, shape)

        def join(x: Array) -> Array:
            at = jax.lax.stop_gradient(x)
            _, slope = jax.jvp(self.operation, (at,), (jnp.ones_like(at),))
            return x * (slope != 0)

        return join

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """How many elements pass."""
        if loss.read < loss.active_inputs:
            return f"{loss.name} keeps {kept_values(loss)}"
        return keeping_sentence(loss)


_PARTLY_FLAT = (
    *("clip", "hard_sigmoid", "hard_swish", "hard_tanh", "threshold"),
    *("ceil", "floor", "rint", "sign", "stop_gradient"),
)
"""Functions whose slope is exactly 0 on whole intervals, and there alone."""


ARITHMETIC: dict[str, Callable[..., Array]] = {
    name: getattr(jnp, name)
    for name in (
        *("add", "subtract", "multiply", "divide", "floor_divide", "power", "maximum", "minimum"),
        *("remainder", "fmod", "equal", "not_equal", "less", "less_equal", "greater"),
        *("greater_equal", "logical_and", "logical_or", "logical_xor", "arctan2"),
        *("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"),
    )
} | {
    # Whole numbers, rounded towards 0.
    "truncated_divide": lambda x, y: jax.lax.div(*jnp.broadcast_arrays(jnp.asarray(x), y)),
}
"""By NumPy's name."""


@dataclass(frozen=True)
class Arithmetic:
    """Two activations, element by element with NumPy's broadcasting; or one and a number.

    Fields:
        name: one of `ARITHMETIC`.
        number: the other operand, if there is one activation only.
        number_first: whether the number is the first operand.
    """

    name: str
    number: float | int | bool | None = None
    number_first: bool = False

    def __post_init__(self) -> None:
        one_of("arithmetic", self.name, ARITHMETIC)

    def __call__(self, *inputs: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """Of the broadcast shape."""
        operands: list[Any] = list(inputs)
        if self.number is not None:
            operands.insert(0 if self.number_first else 1, self.number)
        return ARITHMETIC[self.name](*operands)


@dataclass(frozen=True)
class Where:
    """`condition ? x : y`, element by element."""

    def __call__(
        self, condition: Shaped[Array, "..."], x: Shaped[Array, "..."], y: Shaped[Array, "..."]
    ) -> Shaped[Array, "..."]:
        """Of the broadcast shape."""
        return jnp.where(condition, x, y)


@describes(Arithmetic, Where)
@dataclass(frozen=True)
class ArithmeticDescription(Description):
    """Each element depends on the elements at its place."""

    kind = "arithmetic"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The sum of what is at one place, and of that what is chosen."""
        if isinstance(self.operation, Where):
            return lambda condition, x, y: jnp.where(condition != 0, x, y)
        name, number = self.operation.name, self.operation.number

        def join(*inputs: Array) -> Array:
            terms = [jnp.broadcast_to(x, shape).astype(float) for x in inputs]
            if name in ("maximum", "minimum"):
                others = (jnp.full(shape, number),) if len(terms) == 1 else terms[::-1]
                chosen = jnp.greater_equal if name == "maximum" else jnp.less_equal
                terms = [x * chosen(x, y) for x, y in zip(terms, others, strict=True)]
            return sum(terms, jnp.zeros(shape))

        return join
