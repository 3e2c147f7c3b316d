"""What linear theory says of a descent: what it never recovers, and what it has not yet.

Where a layer is `O(x) = O(a) + J (x − a)`, gradient descent on `c·‖O(x) − O(a)‖²` moves along each
right singular vector of J by itself: a step of rate λ multiplies what is missing along one of
singular value σ by `1 − 2cλσ²`. What lies in the null space of J stays as it was. So the whole
curve m_i(t) follows from J, the target and the start: exactly for linear networks, and as far as J
does not change on the way for others.

    jacobian = depthjax.jacobian.exact_jacobian(layer, variables, images)
    told = predict_input_distance(singular_directions(jacobian[0]), images[0], start[0], config)
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.errors import one_of
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import Inversion, invert
from depthjax.jacobian import dense_jacobian, exact_jacobian, linearize
from depthjax.statistics import Interval, bootstrap
from depthjax.typing import Images, LayerFn, Variables


class SingularDirections(NamedTuple):
    """What a Jacobian stretches, and by how much; all else is its null space.

    Fields:
        values: σ > 0 in falling order, `[r]`; r is the rank.
        vectors: right singular vectors, orthonormal rows, `[r, n]`.
    """

    values: Float[np.ndarray, " rank"]
    vectors: Float[np.ndarray, "rank n"]

    @property
    def condition_number(self) -> float:
        """κ = σ₁ / σ_r, within the range: the null space does not count."""
        return float(self.values[0] / self.values[-1]) if len(self.values) else float("nan")

    def outside(self, difference: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """`P_N d`: the component in the null space."""
        for _ in range(2):  # once leaves rounding of the size of d's other component
            difference = difference - (self.vectors @ difference) @ self.vectors
        return difference


def singular_directions(
    jacobian: Float[np.ndarray, "m n"], *, tolerance: float | None = None
) -> SingularDirections:
    """The singular values of a matrix that are not zero, with their right singular vectors.

    Args:
        jacobian: J, dense, in float64 if directions that are hardly stretched matter.
        tolerance: what counts as zero, relative to the largest; by default `max(m, n)` times the
            dtype's epsilon, as in numpy's `matrix_rank`.
    """
    m, n = jacobian.shape
    square = np.linalg.qr(jacobian, mode="r") if m > n else jacobian  # the same values and vectors
    _, values, vectors = np.linalg.svd(square, full_matrices=False)
    if tolerance is None:
        tolerance = max(m, n) * float(np.finfo(jacobian.dtype).eps)
    rank = int((values > tolerance * values[0]).sum())
    return SingularDirections(values[:rank].astype(float), vectors[:rank].astype(float))


@dataclass(frozen=True)
class Prediction:
    """A descent as linear theory has it, before each of its steps and after the last.

    Fields:
        input_distance: m_i, `[steps + 1]`; its square is `lost² + slow²`.
        lost: ‖P_N (a_0 − a)‖₂: in the null space, never recovered.
        slow: ‖·‖₂ of what is missing elsewhere, `[steps + 1]`: more steps recover it.
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
    """How near a descent comes to its target, step by step, if the layer is linear.

    With e the component of `a_n − a` along a singular vector, g its gradient `2cσ²e`, μ the
    momentum and λ_n the rate of step n: `v ← g + μv`, `e ← e − λ_n v` (or `g + μv` once more in
    place of v: Nesterov's). Exact where O is affine and arithmetic is.

    Args:
        directions: of the Jacobian, from `singular_directions`.
        target: a, of n elements in the Jacobian's order.
        start: a_0, likewise.
        config: of gradient descent, with or without momentum, on a squared distance, with pixels
            left free: what else there is (L1, Adam, clipping, blur, …) is not linear.
        embedding_norm: ‖O(a)‖₂, which relative objectives divide by.
        step_scale: what the rate is multiplied by if the config asks for a scale for each layer;
            by default what `depthjax.inversion.invert.step_scale` would find in the linear layer.

    Raises:
        ValueError: for a config that is not linear, images of other than n elements, and a relative
            objective without `embedding_norm`.
    """
    _check(config, embedding_norm)
    error = (np.asarray(start, float) - np.asarray(target, float)).ravel()
    sigma, vectors = directions
    if error.size != vectors.shape[1]:
        raise ValueError(
            f"the Jacobian has {vectors.shape[1]} inputs, but target and start have {error.size};"
            " give one image of the size that it was taken at"
        )
    along = vectors @ error
    lost = float(np.linalg.norm(directions.outside(error)))
    weight = config.objective_scale
    if embedding_norm is not None and config.objective.startswith("relative"):
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
    return Prediction(
        input_distance=np.hypot(remaining, lost),
        lost=lost,
        slow=remaining,
        embedding_distance=np.array(distances, float),
    )


def learning_rates(config: InversionConfig) -> Float[np.ndarray, " steps"]:
    """λ of every step, before any scale of a layer."""
    fraction = np.arange(config.steps) / config.steps
    first, last = config.learning_rate, config.final_learning_rate
    shapes = {
        "constant": np.zeros(config.steps),
        "linear": fraction,
        "cosine": (1 - np.cos(np.pi * fraction)) / 2,
    }
    return first + (last - first) * shapes[config.schedule]


def _step_scale(curvature: np.ndarray, along: np.ndarray, sigma: np.ndarray) -> float:
    """`⟨r, J g⟩ / ‖J g‖²` with `r = J e` and `g = curvature · e`."""
    residual, change = sigma * along, sigma * curvature * along
    square = float(change @ change)
    return float(residual @ change) / square if square > 0 else 1.0


_LINEAR_OPTIONS = ("momentum", "nesterov")


def _check(config: InversionConfig, embedding_norm: float | None) -> None:
    """A descent whose every step is linear in the image."""
    wrong = {
        f"objective {config.objective!r}": "squared" not in config.objective,
        f"optimizer {config.optimizer!r}": config.optimizer != "sgd",
        f"pixels {config.pixels!r}": config.pixels != "none",
        "a blur": config.blur,
        "a trust radius": config.trust_radius > 0,
        "a Fourier decay": config.fourier_decay != 0,
        "a plateau": config.plateau > 0,
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
    if config.objective.startswith("relative") and not (embedding_norm and embedding_norm > 0):
        raise ValueError(
            f"objective {config.objective!r} needs embedding_norm, ‖O(a)‖₂ above 0, got"
            f" {embedding_norm}"
        )


def linear_descent(
    steps: int, rate: float, *, momentum: float = 0.0, record_every: int | None = None
) -> InversionConfig:
    """Plain gradient descent on the squared distance with free pixels: what theory predicts.

    Args:
        steps: updates of the image.
        rate: of all of them; `confront` takes it in units of the largest curvature.
        momentum: of the descent, if it has any.
        record_every: steps between two records; by default there is one, at the end.
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


def explained(
    predicted: Float[np.ndarray, "*shape"],
    measured: Float[np.ndarray, "*shape"],
    *,
    fitted: str = "mean",
) -> float:
    """R²: the share of the variance of what was measured that the prediction accounts for.

    `1 − Σ(m − p)² / Σ(m − m̄)²`: 1 for an exact prediction, 0 for one that is no better than the
    mean m̄, below 0 for a worse one.

    Args:
        predicted, measured: p and m, of the same things.
        fitted: what of the prediction is adapted first: "none"; "mean": an error that is the same
            for all does not count; "line": nor does a factor (the square of the correlation).

    Returns:
        NaN for fewer than two different measurements, and for a line through equal predictions.

    Raises:
        ValueError: for another kind of fit.
    """
    one_of("fit", fitted, _FITS)
    p, m = np.ravel(predicted), np.ravel(measured)
    known = np.isfinite(p) & np.isfinite(m)
    p, m = p[known], m[known]
    if m.size < 2 or np.ptp(m) == 0 or (fitted == "line" and np.ptp(p) == 0):
        return float("nan")
    around, along = m - m.mean(), p - p.mean()
    if fitted == "line":
        along = along * (along @ around) / (along @ along)
    missed = around - along if fitted != "none" else m - p
    return float(1 - missed @ missed / (around @ around))


_FITS = ("none", "mean", "line")


def explained_interval(
    predicted: Float[np.ndarray, "seeds images"],
    measured: Float[np.ndarray, "seeds images"],
    *,
    fitted: str = "mean",
    beyond: Float[np.ndarray, "seeds images"] | None = None,
) -> Interval:
    """`explained` with its bootstrap interval over weight seeds and images.

    Args:
        predicted, measured, fitted: as in `explained`, pair by pair.
        beyond: another prediction; if given, the statistic is the difference of both R².
    """

    def statistic(places: Float[np.ndarray, "seeds images"]) -> float:
        chosen = places.astype(int)  # pairs are resampled together
        m = measured.ravel()[chosen]
        found, other = (
            0.0 if told is None else explained(told.ravel()[chosen], m, fitted=fitted)
            for told in (predicted, beyond)
        )
        return found - other

    places = np.arange(measured.size, dtype=float).reshape(measured.shape)
    return bootstrap(places, statistic)


class Confrontation(NamedTuple):
    """Descents of one layer, and what linear theory says of each.

    Fields:
        config: with the learning rate that was taken.
        inversion: the descents.
        predictions: one for each image.
        directions: of the Jacobian at each image; one and the same if the layer is affine.
    """

    config: InversionConfig
    inversion: Inversion
    predictions: tuple[Prediction, ...]
    directions: tuple[SingularDirections, ...]


def confront(
    layer: LayerFn,
    variables: Variables,
    images: Images,
    starts: Images,
    config: InversionConfig,
    *,
    at: Images | None = None,
    affine: bool = False,
) -> Confrontation:
    """Descends from the starts, and predicts each descent from one Jacobian.

    The learning rate of the config is in units of `1 / (2cσ₁²)`, σ₁ the largest singular value at
    any of the starts (the target is not looked at): below 2 a linear layer's descent converges,
    whatever the layer.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`; of few inputs, for J is made dense.
        images, starts: a and a_0, `[B, H, W, C]`.
        config: as in `predict_input_distance`, with an objective that is not relative.
        at: where the Jacobians are taken, `[B, H, W, C]`; by default at the targets.
        affine: the Jacobian is the same everywhere and taken once, in float64. Others are taken
            in the images' dtype, which is several times as fast: what a layer stretches by less
            than rounding no descent recovers, and it counts as null space.

    Raises:
        ValueError: as `predict_input_distance` and `invert`.
    """
    _check(config, None)
    places = images if at is None else at
    if affine:
        jacobians = exact_jacobian(layer, variables, places[:1])
    else:  # together, for they share a compiled program
        together = linearize(layer, variables, np.concatenate([places, starts]))
        jacobians = dense_jacobian(together)
    largest = max(float(np.linalg.norm(one, 2)) for one in jacobians[-len(starts) :])
    curvature = 2 * config.objective_scale * largest**2
    config = config.replace(
        learning_rate=config.learning_rate / curvature,
        final_learning_rate=config.final_learning_rate / curvature,
    )
    with matmul_precision():
        embedding = layer(variables, images)
    inversion = invert(layer, variables, embedding, starts, config, compare_to=images)
    found = [
        singular_directions(one) for one in (jacobians if affine else jacobians[: len(images)])
    ]
    directions = found * len(images) if affine else found
    predictions = [
        predict_input_distance(one, image, start, config)
        for one, image, start in zip(directions, images, starts, strict=True)
    ]
    return Confrontation(config, inversion, tuple(predictions), tuple(directions))
