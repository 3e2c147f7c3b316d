"""What a descent minimises, and which images it may reach: the loop's view of a config.

The compiled loop asks four questions and no other: what does the network see of these images
(`view`), what is the embedding of that (`observe`), how far are they from the target (`assess`),
and which images does a change lead to (`place`). A transformation answers the first, an objective
or penalty the third, a constraint the last; none needs a change of the loop. Where a
parametrisation moves something else than pixels, `decode` says which images that makes, and `move`
stands for `place`.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Int

from depthjax.devices.precision import matmul_precision
from depthjax.inversion import transformations
from depthjax.inversion.config import InversionConfig, Structure
from depthjax.inversion.coordinates import coordinates_of, in_coordinates
from depthjax.inversion.objectives import distance_to, norms, weights_of
from depthjax.inversion.optimizers import make_optimizer
from depthjax.inversion.parametrisations import fixed_parameter, parametrisation_of
from depthjax.inversion.parts import parts_of
from depthjax.inversion.penalties import ask_the_layer, penalty_of
from depthjax.inversion.priors import blur3
from depthjax.inversion.schedules import scheduled_rate
from depthjax.inversion.transformations import transformed
from depthjax.ops.examples import per_example
from depthjax.ops.soft_gates import at_temperature
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Variables


class Data(NamedTuple):
    """The arrays that define a batch of descents; another value compiles nothing again.

    Fields:
        target: the embeddings to reach, `[B, …]`.
        reference: images that the iterates are compared to, `[B, H, W, C]`, or None.
        scale: what the rate of each example is multiplied by, `[B]`.
        numbers: of the config, from `numbers_of`.
    """

    target: Embedding
    reference: Images | None
    scale: PerExample
    numbers: dict[str, Array]


Observation: TypeAlias = tuple[Embedding, PerExample | None]


class Problem(NamedTuple):
    """The functions that the loop calls at every step.

    Fields:
        view: images and the number of the step -> what the network sees of them, of one shape.
        observe: images `[B, H, W, C]`, the number of the step, and how soft gates are beside what
            the step prescribes, `[B]` -> embedding `[B, …]`, and what the layer tells beside it for
            a penalty, `[B]`; None if no penalty asks.
        assess: images and what was observed of them -> the objective of each example, `[B]`.
        place: images, a change of them, and the number of the step -> the next images.
        decode: what the loop moves instead of images -> images `[B, H, W, C]`; None: it moves them.
        move: that, a change of it, and the number of the step -> the next of it.
    """

    view: Callable[[Images, Int[Array, ""]], Images]
    observe: Callable[[Images, Int[Array, ""], PerExample], Observation]
    assess: Callable[[Images, Observation], PerExample]
    place: Callable[[Images, Images, Int[Array, ""]], Images]
    decode: Callable[[Any], Images] | None
    move: Callable[[Any, Any, Int[Array, ""]], Any]


def problem_of(
    layer: LayerFn,
    structure: Structure,
    variables: Variables,
    data: Data,
    shape: tuple[int, ...],
) -> Problem:
    """The problem of a config, for use within a trace.

    Args:
        layer, variables: as in `invert`.
        structure: the part of the config that is compiled in.
        data: of the batch; `data.target` in the dtype of the images.
        shape: of an image, `(H, W, C)`.
    """
    target, _, scale, numbers = data
    distance = distance_to(target, structure.objective, numbers["objective"], parts_of(layer))

    def view(images: Images, step: Int[Array, ""]) -> Images:
        if not structure.transforms:
            return images
        key = jax.random.fold_in(jax.random.key(numbers["transform_seed"]), step)
        change = partial(
            transformed, key, pieces=structure.transforms, numbers=numbers["transforms"]
        )
        # The last pass only evaluates: the image as it is.
        return jax.lax.cond(step < numbers["steps"], change, lambda images: images, images)

    def observe(images: Images, step: Int[Array, ""], softness: PerExample) -> Observation:
        weights = variables
        if structure.soft:
            left = 1 - step / numbers["steps"]
            weights = at_temperature(variables, numbers["soft_gates"] * left**2 * softness)
        # Weights in float64 make a float64 embedding; the descent stays in the start's dtype.
        with matmul_precision(structure.precision):
            if not ask_the_layer(structure.penalties):
                return layer(weights, images).astype(images.dtype), None
            embedding, told = layer.observe(weights, images)  # type: ignore[attr-defined]
            return embedding.astype(images.dtype), told.astype(images.dtype)

    def assess(images: Images, observation: Observation) -> PerExample:
        embedding, told = observation
        objective = distance(embedding)
        if structure.penalties:
            objective += penalty_of(images, told, structure.penalties, numbers["penalties"])
        return objective

    def rate(change: Images | None, step: Int[Array, ""]) -> PerExample:
        first, last = numbers["learning_rate"], numbers["final_learning_rate"]
        rate = scale * scheduled_rate(
            structure.schedule, step, numbers["steps"], first, last, numbers["stairs"]
        )  # [B]
        if change is not None and structure.trust:
            size = norms(change) * rate / math.sqrt(change[0].size)
            rate *= numbers["trust_radius"] / jnp.maximum(size, numbers["trust_radius"])
        return rate

    def place(images: Images, change: Images, step: Int[Array, ""]) -> Images:
        images = images + rate(change, step)[:, None, None, None] * change
        if structure.blur:
            first, last = numbers["blur_sigma"], numbers["final_blur_sigma"]
            fraction = step.astype(first.dtype) / numbers["steps"].astype(first.dtype)
            images = blur3(images, first + (last - first) * fraction)
        if structure.pixels == "clip":  # an update that overflowed stays to be seen
            images = jnp.where(jnp.isfinite(images), jnp.clip(images, 0, 1), images)
        return images

    parametrisation = parametrisation_of(structure.moved, shape)
    decode: Any = parametrisation.decode if parametrisation else None

    def move(parameters: Any, change: Any, step: Int[Array, ""]) -> Any:
        # A radius is one of images: of their change in the first order.
        seen = jax.jvp(decode, (parameters,), (change,))[1] if structure.trust else None
        each = rate(seen, step)
        return jax.tree.map(lambda old, new: old + per_example(each, new) * new, parameters, change)

    return Problem(view, observe, assess, place, decode, move)


def optimizer_of(structure: Structure, decay: Array | float) -> Any:
    """The optax optimiser of a config, for one example; `decay` is that of Fourier coefficients."""
    optimizer = make_optimizer(structure.optimizer, structure.optimizer_options)
    if fixed := fixed_parameter(structure.moved):
        # Its gradient is 0, but a decay of weights would still change it.
        return optax.masked(optimizer, lambda moved: {name: name != fixed for name in moved})
    if not structure.coordinates:
        return optimizer
    return in_coordinates(optimizer, partial(coordinates_of, structure.coordinates, decay))


def numbers_of(config: InversionConfig, dtype: Any) -> dict[str, Array]:
    """The numbers of a config as arrays: arguments of the compiled loop.

    Args:
        config: any.
        dtype: of the images; counts are int32.
    """
    names = (
        "learning_rate", "final_learning_rate", "blur_sigma", "final_blur_sigma", "plateau",
        "trust_radius", "soft_gates",
    )  # fmt: skip
    values = {name: getattr(config, name) for name in names}
    values["fourier_decay"] = config.decay
    values["stairs"] = config.stairs or (1.0,)
    values["objective"] = weights_of(config.objective, config.objective_scale)
    values["penalties"] = [one.weight for one in config.penalties]
    values["transforms"] = transformations.numbers_of(config.transform)
    numbers = {name: np.asarray(value, dtype) for name, value in values.items()}
    # A patience that cannot run out switches the plateau off without another program.
    most = np.iinfo(np.int32).max
    patience = config.patience if config.plateau > 0 else most
    counts = {"steps": config.steps, "record_every": config.record_every, "patience": patience}
    numbers["transform_seed"] = np.asarray(config.transform_seed % 2**32, np.uint32)
    numbers |= {name: np.asarray(min(value, most), np.int32) for name, value in counts.items()}
    return jax.device_put(numbers)
