"""R²: how much of the variance of measured numbers a prediction explains."""

import numpy as np
from jaxtyping import Float

from depthjax.errors import one_of
from depthjax.statistics import as_means

_FITS = ("none", "mean", "line")


def r_squared(
    predicted: Float[np.ndarray, "*shape"],
    measured: Float[np.ndarray, "*shape"],
    *,
    fitted: str = "mean",
) -> float:
    """The coefficient of determination, `1 − Σ(m − p)² / Σ(m − m̄)²`.

    It is 1 for an exact prediction, 0 for one that is no better than the mean m̄ of the
    measurements, and negative for a worse one.

    Args:
        predicted, measured: p and m, of the same shape; pairs with a NaN or infinity are left out.
        fitted: what is fitted to the measurements before p is compared with them. "none": nothing.
            "mean": an offset, so that a constant error does not count. "line": an offset and a
            slope; R² is then the squared correlation.

    Returns:
        NaN if fewer than two measurements differ, and for "line" if all predictions are equal.

    Raises:
        ValueError: for an unknown kind of fit.
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


def r_squared_table(
    predicted: Float[np.ndarray, "seeds images"],
    measured: Float[np.ndarray, "seeds images"],
    *,
    fitted: str = "mean",
    beyond: Float[np.ndarray, "seeds images"] | None = None,
) -> Float[np.ndarray, "seeds images"]:
    """A table whose mean is `r_squared`, for its interval (`depthjax.statistics.as_means`).

    Args:
        predicted, measured, fitted: as in `r_squared`, `[seeds, images]`, of two or more of each.
        beyond: a second prediction of the same shape. If given, the statistic is the R² of
            `predicted` minus that of `beyond`.
    """

    def statistic(places: Float[np.ndarray, "seeds images"]) -> float:
        chosen = places.astype(int)
        m = measured.ravel()[chosen]
        own, other = (
            0.0 if values is None else r_squared(values.ravel()[chosen], m, fitted=fitted)
            for values in (predicted, beyond)
        )
        return own - other

    places = np.arange(measured.size, dtype=float).reshape(measured.shape)
    return as_means(places, statistic)
