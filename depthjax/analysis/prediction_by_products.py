"""What linear theory predicts of a descent through a layer of any size, by products alone.

`depthjax.analysis.prediction` needs every singular vector of J. What a descent does depends on
less: on how the error `a_0 − a` is spread over the singular values. k pairs of products with J,
beginning at that error, give the Gauss quadrature of this spread: the distances of the first k − 1
steps are those of the whole matrix, and the later ones come near to these as k grows. It is the
recurrence of `depthjax.jacobian.spectral_quadrature`, from the error in place of a random vector.
"""

import numpy as np
from jaxtyping import Float

from depthjax.analysis.prediction import PredictedDescents, Prediction, course, descend
from depthjax.inversion.config import InversionConfig
from depthjax.jacobian import LinearizedLayer, linearize, resolution, top_singular_values
from depthjax.jacobian.krylov import KrylovSpace, extend, one_blas_thread, require_bases
from depthjax.typing import Images, LayerFn, Variables


@one_blas_thread()
def predict_by_products(
    maps: LinearizedLayer,
    errors: Float[np.ndarray, "images n"],
    config: InversionConfig,
    *,
    products: int = 60,
) -> tuple[Prediction, ...]:
    """The distances of gradient descents at every step, if the layer is affine.

    Exact for fewer steps than products. What cannot be told from the null space counts as lost.

    Args:
        maps: J, from `linearize` at one place for each descent.
        errors: `a_0 − a`, not 0.
        config: of the descent, as in `predict_input_distance`; its objective is not relative.
        products: k, pairs of products for each image; at most the number of inputs is used.

    Returns:
        A prediction for each image.

    Raises:
        ValueError: as `course`; for errors of another size; if the bases do not fit into memory.
    """
    if errors.shape != (maps.images, maps.shape[1]):
        raise ValueError(
            f"there are Jacobians of {maps.images} images of {maps.shape[1]} numbers, but errors of"
            f" the shape {errors.shape}; give one row for each image"
        )
    require_bases(maps, 1, products + 1, "allow fewer products, or fewer images at once")
    random = np.random.default_rng(0)  # for spaces that end early
    epsilon = float(np.finfo(maps.dtype).eps)
    spaces = [KrylovSpace(error[None].astype(float), random, epsilon) for error in errors]
    for _ in range(min(products, maps.shape[1])):
        extend(maps, [spaces])
    predictions = []
    for space, error in zip(spaces, errors, strict=True):
        sigma, weights = space.quadrature()
        along = np.linalg.norm(error) * np.sqrt(weights)
        held = sigma > resolution(maps) * sigma[0]
        lost = float(np.linalg.norm(along[~held]))
        predictions.append(course(sigma[held], along[held], lost, config))
    return tuple(predictions)


def descend_and_predict_by_products(
    layer: LayerFn,
    variables: Variables,
    images: Images,
    starts: Images,
    config: InversionConfig,
    *,
    at: Images | None = None,
    products: int = 60,
) -> PredictedDescents:
    """Runs descents through a layer of any size, and predicts each of them.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`.
        images, starts, config, at: as in `depthjax.analysis.prediction.descend_and_predict`.
        products: as in `predict_by_products`.

    Raises:
        ValueError: as `predict_by_products`, `linearize` and `invert`.
    """
    largest = top_singular_values(linearize(layer, variables, starts), 1).values
    config, inversion = descend(layer, variables, images, starts, config, float(largest.max()))
    maps = linearize(layer, variables, images if at is None else at)
    errors = np.asarray(starts - images, float).reshape(len(images), -1)
    predictions = predict_by_products(maps, errors, config, products=products)
    return PredictedDescents(config, inversion, predictions, ())
