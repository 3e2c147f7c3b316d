"""What linear theory predicts of a descent: the distance that stays, and the one still to go.

Where a layer is `O(x) = O(a) + J (x − a)`, gradient descent on `c·‖O(x) − O(a)‖²` treats each right
singular vector of J separately: a step of rate λ multiplies the error along a vector of singular
value σ by `1 − 2cλσ²`, and leaves the error in the null space of J unchanged. J, the target and the
start thus determine the whole curve m_i(t). This is exact for linear networks, and an approximation
for others: it ignores that J changes on the way.

    jacobian = depthjax.jacobian.exact_jacobian(layer, variables, images)
    directions = singular_directions(jacobian[0])
    prediction = predict_input_distance(directions, images[0], start[0], config)
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.analysis.singular_directions import SingularDirections, singular_directions
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import invert
from depthjax.inversion.objectives import square_of, weights_of
from depthjax.inversion.results import Inversion
from depthjax.inversion.schedules import scheduled_rate
from depthjax.jacobian import dense_jacobian, exact_jacobian, linearize
from depthjax.models.embeddings import embed
from depthjax.typing import Images, LayerFn, Variables


@dataclass(frozen=True)
class Prediction:
    """The distances of a descent before each of its steps and after the last one, float64.

    Fields:
        input_distance: m_i, `[steps + 1]`; its square is `lost² + slow²`.
        lost: ‖P_N (a_0 − a)‖₂, the error in the null space: no number of steps recovers it.
        slow: the norm of the error in the row space, `[steps + 1]`: more steps make it smaller.
        embedding_distance: m_g, `[steps + 1]`.
    """

    input_distance: Float[np.ndarray, " records"]
    lost: float
    slow: Float[np.ndarray, " records"]
    embedding_distance: Float[np.ndarray, " records"]


def predict_input_distance(
    directions: SingularDirections,
    target: ArrayLike,
    start: ArrayLike,
    config: InversionConfig,
    *,
    embedding_norm: float | None = None,
    step_scale: float | None = None,
) -> Prediction:
    """The distances of a gradient descent at every step, if the layer is affine.

    Let e be the component of `a_n − a` along a singular vector, `g = 2cσ²e` its gradient, μ the
    momentum and λ_n the rate of step n. Then `v ← g + μv` and `e ← e − λ_n v`; with Nesterov's
    momentum, `e ← e − λ_n (g + μv)`. Exact up to rounding where O is affine.

    Args:
        directions: of the Jacobian, from `singular_directions`.
        target: a, of n elements in the order of the Jacobian's columns.
        start: a_0, of the same n elements.
        config: of the descent: "sgd" with or without momentum, on a squared distance, with free
            pixels. Everything else (L1, Adam, clipping, blur, …) is not linear.
        embedding_norm: ‖O(a)‖₂, which relative objectives divide by.
        step_scale: the factor of the rates where the config asks for one ("layer"); by default the
            one that `depthjax.step_scale` would find for the affine layer.

    Raises:
        ValueError: for a config that is not linear, for images that do not have n elements, and for
            a relative objective without `embedding_norm`.
    """
    error = (np.asarray(start, float) - np.asarray(target, float)).ravel()
    sigma, vectors = directions
    if error.size != vectors.shape[1]:
        raise ValueError(
            f"the Jacobian has {vectors.shape[1]} inputs, but target and start have {error.size};"
            " give one image of the size that it was taken at"
        )
    lost = float(np.linalg.norm(directions.null_component(error)))
    return course(
        sigma, vectors @ error, lost, config, embedding_norm=embedding_norm, step_scale=step_scale
    )


def course(
    sigma: Float[np.ndarray, " rank"],
    along: Float[np.ndarray, " rank"],
    lost: float,
    config: InversionConfig,
    *,
    embedding_norm: float | None = None,
    step_scale: float | None = None,
) -> Prediction:
    """The distances at every step, from the components of `a_0 − a` along singular vectors.

    Args:
        sigma: the singular values that are not 0.
        along: the component along the singular vector of each, with any sign.
        lost: the norm of what lies in the null space.
        config, embedding_norm, step_scale: as in `predict_input_distance`, with its errors.
    """
    _check_linear(config, embedding_norm)
    (weight,) = weights_of(config.objective, config.objective_scale)
    if embedding_norm is not None and _is_relative(config):
        weight /= embedding_norm**2
    curvature = 2 * weight * sigma**2
    scale = 1.0
    if config.step_scale == "layer":
        scale = _step_scale(curvature, along, sigma) if step_scale is None else step_scale
    options = dict(config.optimizer_options)
    momentum, nesterov = options.get("momentum") or 0.0, options.get("nesterov", False)
    velocity = np.zeros_like(along)
    slow, distances = [], []
    for rate in [*(scale * learning_rates(config)), 0.0]:
        slow.append(np.linalg.norm(along))
        distances.append(np.linalg.norm(sigma * along))
        gradient = curvature * along
        velocity = gradient + momentum * velocity
        along = along - rate * (gradient + momentum * velocity if nesterov else velocity)
    remaining = np.array(slow, float)
    return Prediction(np.hypot(remaining, lost), lost, remaining, np.array(distances, float))


def learning_rates(config: InversionConfig) -> Float[np.ndarray, " steps"]:
    """λ of every step as the schedule has it, before it is multiplied by a layer's step scale."""
    first, last = config.learning_rate, config.final_learning_rate
    stairs = np.array(config.stairs or (1.0,))
    step = np.arange(config.steps)
    rates = scheduled_rate(config.schedule, step, config.steps, first, last, stairs)
    return np.asarray(rates, float)


def _step_scale(curvature: np.ndarray, along: np.ndarray, sigma: np.ndarray) -> float:
    """`⟨r, J g⟩ / ‖J g‖²` with the residual `r = J e` and the gradient `g = curvature · e`."""
    residual, change = sigma * along, sigma * curvature * along
    square = float(change @ change)
    return float(residual @ change) / square if square > 0 else 1.0


_LINEAR_OPTIONS = ("momentum", "nesterov")


def _check_linear(config: InversionConfig, embedding_norm: float | None) -> None:
    """Refuses a descent that has a step which is not linear in the image."""
    wrong = {
        f"objective {str(config.objective)!r}": square_of(config.objective) is None,
        "a penalty": bool(config.penalties) and config.pixels == "none",
        f"optimizer {config.optimizer!r}": config.optimizer != "sgd",
        f"pixels {config.pixels!r}": config.pixels != "none",
        "a blur": config.blur,
        "a trust radius": config.trust_radius > 0,
        "a Fourier decay": "fourier" in config.structure.coordinates,
        "a parametrisation": bool(config.parametrisation),
        "a transform": bool(config.transform),
        "a plateau": config.plateau > 0,
        "another gradient of ReLUs": config.relu_gradient != "true",
        "soft gates": config.soft_gates > 0,
        **{
            f"optimizer option {name!r}": name not in _LINEAR_OPTIONS
            for name, _ in config.structure.optimizer_options
        },
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise ValueError(
                f"linear theory knows nothing of {what}; use objective='squared_l2',"
                " optimizer='sgd' and pixels='none'"
            )
    if _is_relative(config) and not (embedding_norm and embedding_norm > 0):
        raise ValueError(
            f"objective {str(config.objective)!r} needs embedding_norm, ‖O(a)‖₂ above 0, got"
            f" {embedding_norm}"
        )


def _is_relative(config: InversionConfig) -> bool:
    square = square_of(config.objective)
    return square is not None and square.is_relative


def linear_descent(
    steps: int, rate: float, *, momentum: float = 0.0, record_every: int | None = None
) -> InversionConfig:
    """The settings of plain gradient descent on the squared distance, with free pixels.

    Args:
        steps: updates of the image.
        rate: the learning rate of all steps; for `descend_and_predict` in units of `1 / (2cσ₁²)`.
        momentum: of the descent; 0 for none.
        record_every: steps between two records; by default there is one record, at the end.
    """
    return InversionConfig(
        steps=steps,
        objective="squared_l2",
        optimizer="sgd",
        optimizer_options={"momentum": momentum} if momentum else {},
        learning_rate=rate,
        schedule="constant",
        pixels="none",
        record_every=steps if record_every is None else record_every,
    )


class PredictedDescents(NamedTuple):
    """Descents through one layer, beside the prediction of linear theory for each.

    Fields:
        config: with the learning rate that was used, in absolute units.
        inversion: the descents of B images.
        predictions: B of them.
        directions: of the Jacobian at each image; B times the same if the layer is affine, none
            if the prediction was made by products alone.
    """

    config: InversionConfig
    inversion: Inversion
    predictions: tuple[Prediction, ...]
    directions: tuple[SingularDirections, ...]


def descend_and_predict(
    layer: LayerFn,
    variables: Variables,
    images: Images,
    starts: Images,
    config: InversionConfig,
    *,
    at: Images | None = None,
    affine: bool = False,
) -> PredictedDescents:
    """Runs descents, and predicts each of them from one Jacobian.

    The learning rate of the config is in units of `1 / (2cσ₁²)`, with σ₁ the largest singular value
    at any of the starts (the targets are not used). For an affine layer the descent converges if
    it is below 2.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`; of small inputs, since J is computed as a
            dense matrix.
        images, starts: a and a_0, `[B, H, W, C]`.
        config: as in `predict_input_distance`, with an objective that is not relative.
        at: where the Jacobians are taken, `[B, H, W, C]`; by default at the targets.
        affine: whether the Jacobian is the same everywhere. It is then computed once, in float64.
            Otherwise it is computed in the dtype of the images, which is several times as fast;
            singular values below its rounding errors count as 0, as no descent recovers these.

    Raises:
        ValueError: as `predict_input_distance` and `invert`.
    """
    _check_linear(config, None)
    places = images if at is None else at
    if affine:
        jacobians = exact_jacobian(layer, variables, places[:1])
    else:  # both in one call, so that only one program is compiled
        together = linearize(layer, variables, np.concatenate([places, starts]))
        jacobians = dense_jacobian(together)
    largest = max(float(np.linalg.norm(jacobian, 2)) for jacobian in jacobians[-len(starts) :])
    config, inversion = descend(layer, variables, images, starts, config, largest)
    directions = [singular_directions(jacobian) for jacobian in jacobians[: len(images)]]
    if affine:
        directions *= len(images)
    predictions = [
        predict_input_distance(of_image, image, start, config)
        for of_image, image, start in zip(directions, images, starts, strict=True)
    ]
    return PredictedDescents(config, inversion, tuple(predictions), tuple(directions))


def descend(
    layer: LayerFn,
    variables: Variables,
    images: Images,
    starts: Images,
    config: InversionConfig,
    largest: float,
) -> tuple[InversionConfig, Inversion]:
    """Runs descents, with rates in units of `1 / (2cσ₁²)`; returns the absolute ones too.

    Args:
        layer, variables, images, starts, config: as in `descend_and_predict`.
        largest: σ₁.
    """
    (weight,) = weights_of(config.objective, config.objective_scale)
    curvature = 2 * weight * largest**2
    config = config.replace(
        learning_rate=config.learning_rate / curvature,
        final_learning_rate=config.final_learning_rate / curvature,
    )
    embedding = embed(layer, variables, images)
    return config, invert(layer, variables, embedding, starts, config, compare_to=images)
