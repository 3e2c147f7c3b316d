"""What a layer has to give: one array of real floats whose first axis is the batch."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from depthjax.devices.precision import matmul_precision
from depthjax.errors import name_of_layer
from depthjax.typing import Embedding, Inputs, LayerFn, Variables


def embed(layer: LayerFn, variables: Variables, images: Inputs) -> Embedding:
    """The embedding of images, with products in full precision on every device.

    It is compiled as a whole: a function of one's own would run operation by operation. Whoever
    embeds as many images of the same size again finds the program there.

    Raises:
        ValueError: if the layer gives no embedding.
    """
    with matmul_precision():
        return checked_embedding(layer, _compiled(layer, variables, images), len(images))


def embedding_program(layer: LayerFn, variables: Variables, images: Inputs) -> ClosedJaxpr:
    """What `embed` compiles, before XLA sees it; `embed` does not trace it again."""
    with matmul_precision():
        return _compiled.trace(layer, variables, images).jaxpr


@partial(jax.jit, static_argnums=0)
def _compiled(layer: LayerFn, variables: Variables, images: Inputs) -> Any:  # as yet unchecked
    return layer(variables, images)


def embedding_problem(output: Any, count: int) -> str:
    """Why what a layer returned is no embedding, and what to do; "" if it is one.

    Args:
        output: what it returned, or the shape and dtype of that.
        count: the number of images that it was given.
    """
    if not hasattr(output, "shape") or not hasattr(output, "dtype"):
        return (
            f"it returns a {type(output).__name__}; return one array, the embedding alone, or name"
            " one activation of many: depthjax.NamedLayer(function, name)"
        )
    if not output.shape or output.shape[0] != count:
        return (
            f"{count} images give an output of shape {output.shape}; its first axis must be the"
            " batch (jax.vmap makes it one, for a network of single images)"
        )
    if jnp.issubdtype(output.dtype, jnp.complexfloating):
        return (
            f"the output is {output.dtype}; an embedding is real floats, such as"
            " jnp.stack([output.real, output.imag], -1)"
        )
    if not jnp.issubdtype(output.dtype, jnp.floating):
        return f"the output is {output.dtype}; an embedding is floats, before argmax or rounding"
    if 0 in output.shape:
        return f"nothing is left in an output of shape {output.shape}; use larger images"
    return ""


def checked_embedding(layer: LayerFn, output: Any, count: int) -> Any:
    """What a layer returned for so many images, or the shape and dtype of that.

    Raises:
        ValueError: in one line, if it is no embedding.
    """
    if problem := embedding_problem(output, count):
        raise ValueError(f"{name_of_layer(layer)} is no layer: {problem}")
    return output


def check_variables(variables: Variables) -> None:
    """Refuses variables that are no arrays: a program cannot take them.

    Raises:
        ValueError: in one line, naming the first of them.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        if not isinstance(leaf, int | float | complex | np.generic) and not hasattr(leaf, "shape"):
            raise ValueError(
                f"variables{jax.tree_util.keystr(path)} is a {type(leaf).__name__}; variables are"
                " arrays, and what is none belongs into the function of the layer"
            )


def embedding_shape(layer: LayerFn, variables: Variables, images: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of the embedding of images, without computing it.

    `embed` of images of that size does not trace the layer again.

    Args:
        layer: the function.
        variables, images: what it takes, or their shapes and dtypes.

    Raises:
        ValueError: in one line, if the layer gives no embedding, or its variables are no arrays.
    """
    check_variables(variables)
    with matmul_precision():
        return checked_embedding(layer, _compiled.eval_shape(layer, variables, images), len(images))
