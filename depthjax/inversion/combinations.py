"""Which settings of a descent go together."""

from typing import Any

from depthjax.errors import one_of, require
from depthjax.inversion.gauss_newton import Options
from depthjax.inversion.objectives import OBJECTIVES, square_of
from depthjax.inversion.parametrisations import OF_SOMETHING_ELSE, is_bounded
from depthjax.settings import is_number


def check_together(config: Any) -> None:
    """Refuses settings that have no meaning together.

    Args:
        config: an `InversionConfig`, each of whose fields may have its value.

    Raises:
        ValueError: naming two of them, and what to use instead.
    """
    if config.structure.moved:
        _check_moved(config)
    if config.fourier_decay:
        _check_decay(config)
    if config.relu_gradient == "redirected" and config.step_scale == "layer":
        raise ValueError("relu_gradient='redirected' has no step_scale='layer': use fixed")
    if config.soft_gates and config.relu_gradient != "true":
        raise ValueError(
            f"soft_gates={config.soft_gates:g} and relu_gradient={config.relu_gradient!r} are both"
            " gradients of ReLUs: take one"
        )
    if config.soft_gates and config.plateau:
        raise ValueError(
            "soft_gates become harder over all steps, and until then an objective may stand still:"
            " set plateau to 0"
        )
    if config.soft_gates and config.step_scale == "layer":
        raise ValueError(
            "step_scale='layer' measures the true gradient, soft_gates another: use fixed"
        )
    if config.optimizer == "gauss_newton":
        _check_gauss_newton(config)


def _check_moved(config: Any) -> None:
    """What is asked of pixels cannot be asked of what is moved in their place."""
    moved = config.structure.moved
    text = ",".join(map(str, moved))
    if config.pixels == "clip" and not is_bounded(moved):
        raise ValueError(
            f"pixels='clip' cuts off pixels, and parametrisation {text} moves something else:"
            " end it with sigmoid, or use pixels='penalty' or 'none'"
        )
    unmet = {
        "blur": config.blur,
        "step_scale='layer'": config.step_scale == "layer",
        "optimizer='gauss_newton'": config.optimizer == "gauss_newton",
    }
    for name, asked in unmet.items():
        if asked:
            raise ValueError(f"{name} is of pixels, and parametrisation {text} moves others")


def _check_decay(config: Any) -> None:
    """Coefficients are of one array, which is an image or is like one."""
    first = next(iter(config.parametrisation), "")
    if isinstance(first, str) and first.partition(":")[0] in OF_SOMETHING_ELSE:
        text = ",".join(map(str, config.parametrisation))
        raise ValueError(
            f"fourier_decay={config.fourier_decay:g} is of pixels, and parametrisation {text} makes"
            " them of something else: set fourier_decay to 0"
        )


def _check_gauss_newton(config: Any) -> None:
    """It minimises a sum of squares, and knows nothing else."""
    if any("pyramid" in name for name in config.structure.coordinates):
        raise ValueError("gauss_newton takes no pyramid: it solves for one array")
    if config.transform:
        raise ValueError("gauss_newton takes no transform: it minimises one sum of squares")
    if config.relu_gradient != "true":
        raise ValueError("gauss_newton needs relu_gradient='true': the curvature of the layer")
    if config.soft_gates:
        raise ValueError("gauss_newton needs soft_gates=0: the curvature of the layer")
    if square_of(config.objective) is None or config.penalties:
        squares = [name for name, known in OBJECTIVES.items() if known.is_square]
        penalties = " + ".join(map(str, config.penalties)) or "none"
        raise ValueError(
            f"gauss_newton needs an objective of {', '.join(squares)} and no penalty, got"
            f" objective {str(config.objective)!r} with penalty {penalties}"
        )
    for name, value in config.structure.optimizer_options:
        one_of("option of gauss_newton", name, Options._fields)
        require(is_number(value) and value > 0, name, value, "positive")
