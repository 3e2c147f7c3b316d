"""The fast form of any layer: its own, or that of a plain function, whose program is rewritten."""

import warnings
from typing import Any

import jax
from numpy.typing import ArrayLike

from depthjax.models.embeddings import embedding_program
from depthjax.models.verification import verify_prepared
from depthjax.ops.programs import equations_of
from depthjax.ops.rewriting import RewrittenLayer, rewrite
from depthjax.typing import Images, LayerFn, Variables


def fast_form(
    layer: LayerFn, variables: Variables, images: Any = None, **settings: Any
) -> tuple[LayerFn, Variables]:
    """A function that gives the same embeddings faster, and the weights it takes; not verified.

    Args:
        layer: it may have a method `prepare(variables) -> (layer, weights)`. Of any other, the
            convolutions and max poolings are replaced by ours on CPUs, where XLA's are slow within
            a loop; it warns of convolutions that it must leave.
        variables: its weights, or their shapes.
        images: where it will be evaluated, or their shape and dtype; without any, a layer that has
            no `prepare` stays as it is.
        settings: of `prepare`.
    """
    if hasattr(layer, "prepare"):
        return layer.prepare(variables, **settings)
    if images is None or jax.default_backend() != "cpu":
        return layer, variables
    made = rewrite(layer, variables, images)
    left = [f"{n} {why}" for why, n in made.left.items() if why.startswith("convolution")]
    if left:
        warnings.warn(
            f"{_name(layer)} has convolutions that run as they are, which in a loop on a CPU may"
            f" take ten times as long: {'; '.join(left)}",
            stacklevel=2,
        )
    return (made.layer, made.weights) if made.replaced else (layer, variables)


def verified(
    layer: LayerFn, variables: Variables, fast: LayerFn, weights: Variables, images: ArrayLike
) -> tuple[LayerFn, Variables]:
    """A fast form that gives what the layer gives at the first image.

    A plain function that does not is run as it is, with a warning.

    Args:
        layer, variables: the layer, as it is.
        fast, weights: of `fast_form`.
        images: where they will be evaluated.

    Raises:
        ValueError: if the layer's own `prepare` gives another function than the layer is.
    """
    if hasattr(layer, "prepare"):
        verify_prepared(layer, variables, fast, weights, images)
    elif isinstance(fast, RewrittenLayer):
        try:
            verify_prepared(layer, variables, fast, weights, images)
        except Exception as error:  # it may also be a function that takes no single image
            warnings.warn(
                f"{_name(layer)} runs as it is, which on a CPU may be slow: {error}", stacklevel=2
            )
            return layer, variables
    return fast, weights


def prepare_layer(
    layer: LayerFn, variables: Variables, images: ArrayLike
) -> tuple[LayerFn, Variables]:
    """The layer's fast form and its weights, verified; or the layer as it is, if it has none.

    Args:
        layer, variables: as `fast_form` takes them.
        images: where it will be evaluated.

    Raises:
        ValueError: as `verified`.
    """
    return verified(layer, variables, *fast_form(layer, variables, images), images)


def quick_to_embed(
    layer: LayerFn, variables: Variables, images: Images
) -> tuple[LayerFn, Variables]:
    """What embeds images soon, once: the layer as it is, and its weights.

    A fast form takes longer to compile than it spares, unless the layer has grouped convolutions:
    XLA takes ten times as long as ours for those on a CPU.

    Args:
        layer, variables, images: as for `prepare_layer`.

    Raises:
        ValueError: as `verified`.
    """
    if jax.default_backend() == "cpu" and any(
        equation.params.get("feature_group_count", 1) > 1
        for equation in equations_of(embedding_program(layer, variables, images))
    ):
        return prepare_layer(layer, variables, images)
    return layer, variables


def _name(layer: LayerFn) -> str:
    return f"the layer {getattr(layer, '__name__', type(layer).__name__)}"
