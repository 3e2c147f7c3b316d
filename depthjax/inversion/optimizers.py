"""Optimisers by name."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import optax

from depthjax.errors import unknown
from depthjax.models.references import function_at

Optimizer: TypeAlias = str | Callable[..., optax.GradientTransformation]


def normalized_sgd(learning_rate: float) -> optax.GradientTransformation:
    """Steps of one length, the rate: the gradient over its norm, as in robustness (L2 steps)."""
    return optax.chain(
        optax.normalize_by_update_norm(eps=1e-10), optax.scale_by_learning_rate(learning_rate)
    )


_OWN = {"normalized_sgd": normalized_sgd}
OPTIMIZERS = (
    *("sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad", "lion", "yogi", "radam"),
    *("lbfgs", "normalized_sgd", "gauss_newton"),
)
# A line search would evaluate the whole batch again until its slowest example is content.
_DEFAULTS: dict[str, dict[str, Any]] = {"lbfgs": {"linesearch": None}}


@functools.lru_cache(typed=True)  # it is tried, which takes longer than all else of a config
def make_optimizer(
    asked: Optimizer, options: tuple[tuple[str, Any], ...] = ()
) -> optax.GradientTransformation:
    """An optax optimiser, by name or by the function that makes it.

    The loop asks for a rate of 1 and multiplies the change by its own, which is traced; so the
    schedule is the same for every optimiser, also for those that read the rate only once. (Where
    the change is not proportional to the rate, as with fromage, it is not quite optax's then.)

    Args:
        asked: a name of `OPTIMIZERS` or another of optax; `package.module:function`; or a function
            `(learning_rate, **options)` of your own.
        options: other arguments of it.

    Raises:
        ValueError: for a name that optax does not have, for options that it does not take, and for
            an optimiser that wants more than gradients (a line search, say).
    """
    factory, name = _factory(asked)
    try:
        optimizer = factory(learning_rate=1.0, **(_DEFAULTS.get(str(asked), {}) | dict(options)))
        example = jax.ShapeDtypeStruct((1,), "float32")
        jax.eval_shape(lambda x: optimizer.update(x, optimizer.init(x), x), example)
    except (TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{name} cannot be used with options {dict(options)}: {reason}; try one of"
            f" {', '.join(OPTIMIZERS)}"
        ) from error
    return optimizer


def _factory(asked: Optimizer) -> tuple[Callable[..., optax.GradientTransformation], str]:
    """What makes the optimiser, and its name for messages."""
    if callable(asked):
        return asked, getattr(asked, "__name__", type(asked).__name__)
    if ":" in asked:
        return function_at(asked, "optimizer", f"one of {', '.join(OPTIMIZERS)}"), asked
    factory = _OWN.get(asked) or getattr(optax, asked, None)
    if not callable(factory) or asked.startswith("_"):
        raise unknown("optimizer", asked, OPTIMIZERS, hint="any of optax that takes a rate")
    return factory, f"optax.{asked}"
