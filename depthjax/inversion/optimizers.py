"""Optimisers by name."""

from typing import Any

import jax
import optax

from depthjax.errors import unknown


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


def make_optimizer(
    name: str, options: tuple[tuple[str, Any], ...] = (), learning_rate: float = 1.0
) -> optax.GradientTransformation:
    """An optax optimiser by name.

    The loop asks for a rate of 1 and multiplies the change by its own, which is traced; so the
    schedule is the same for every optimiser, also for those that read the rate only once. (Where
    the change is not proportional to the rate, as with fromage, it is not quite optax's then.)

    Raises:
        ValueError: for a name that optax does not have, for options that it does not take, and for
            an optimiser that wants more than gradients (a line search, say).
    """
    factory = _OWN.get(name) or getattr(optax, name, None)
    if not callable(factory) or name.startswith("_"):
        raise unknown("optimizer", name, OPTIMIZERS, hint="any of optax that takes a rate")
    try:
        optimizer = factory(
            learning_rate=learning_rate, **(_DEFAULTS.get(name, {}) | dict(options))
        )
        example = jax.ShapeDtypeStruct((1,), "float32")
        jax.eval_shape(lambda x: optimizer.update(x, optimizer.init(x), x), example)
    except (TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"optax.{name} cannot be used with options {dict(options)}: {reason}; try one of"
            f" {', '.join(OPTIMIZERS)}"
        ) from error
    return optimizer
