"""One step of training, as a pure compiled function of a state and a batch."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt8

from depthjax.data import Augmentation, augment
from depthjax.devices.precision import matmul_precision
from depthjax.models import Network
from depthjax.models.normalization import Normalization
from depthjax.training.config import TrainingConfig
from depthjax.typing import Variables

Pixels = UInt8[Array, "b h w c"] | Float[Array, "b h w c"]
Labels = Int[Array, " b"]


class Structure(NamedTuple):
    """The settings that change the compiled program; all others are arguments of it."""

    optimizer: str
    schedule: str
    clip: bool
    average: bool
    precision: str
    augmentation: Augmentation
    normalization: Normalization | None


class Numbers(NamedTuple):
    """The settings that are arguments of the compiled program."""

    learning_rate: Any
    warmup_steps: Any
    steps: Any
    momentum: Any
    weight_decay: Any
    label_smoothing: Any
    gradient_clip: Any
    ema_decay: Any
    epoch_steps: Any


class TrainState(NamedTuple):
    """The state of a training between two steps, without its position in the data.

    Fields:
        step: number of steps taken, int32.
        variables: `{"params": …, "batch_stats": …}`, float32.
        optimizer: the state of the optax optimiser.
        average: moving average of the variables, or None without `ema_decay`.
        random: seed of augmentation and dropout, uint32: the data of a `jax.random.key`.
        totals: sums over the epoch so far: loss, correct answers, examples.
        failed: the step whose loss or gradient was not finite; -1 while there was none. After such
            a step nothing changes any more: the state is the last good one.
    """

    step: Array
    variables: Variables
    optimizer: Any
    average: Variables
    random: Array
    totals: Float[Array, "3"]
    failed: Array

    @property
    def weights(self) -> Variables:
        """The variables that are evaluated and saved: the average where there is one."""
        return self.variables if self.average is None else self.average


class StepMetrics(NamedTuple):
    """Measured in one step, before the update: mean loss, accuracy, gradient norm, rate."""

    loss: Array
    accuracy: Array
    gradient_norm: Array
    learning_rate: Array


def init_state(model: Network, variables: Variables, config: TrainingConfig) -> TrainState:
    """The state before the first step.

    Args:
        model: a model of `depthjax.models`.
        variables: the weights that training starts from, untrained or trained.
        config: the settings.
    """
    variables = jax.tree.map(lambda leaf: jnp.array(leaf, jnp.float32), variables)
    structure = structure_of(config, Augmentation(), None)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        variables=variables,
        optimizer=_optimizer(structure, numbers_of(config, 1)).init(variables["params"]),
        average=jax.tree.map(jnp.copy, variables) if structure.average else None,
        random=jax.random.key_data(jax.random.key(config.seed)),
        totals=jnp.zeros(3),
        failed=jnp.full((), -1, jnp.int32),
    )


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=3)
def train_step(
    model: Network,
    structure: Structure,
    numbers: Numbers,
    state: TrainState,
    images: Pixels,
    labels: Labels,
) -> tuple[TrainState, StepMetrics]:
    """One step of gradient descent on the mean cross-entropy of a batch.

    Args:
        model: the network; static.
        structure: from `structure_of`; static.
        numbers: from `numbers_of`; other numbers do not compile the step again.
        state: the state before the step; its memory is reused.
        images: uint8 0..255, or floats.
        labels: class numbers; an example with a negative label is ignored.

    Returns:
        The state after the step, and the metrics of the step.
    """
    key = jax.random.fold_in(jax.random.wrap_key_data(state.random), state.step)
    augmentation_key, dropout_key = jax.random.split(key)
    pixels = augment(augmentation_key, images, structure.augmentation)

    def loss(params: Any) -> tuple[Array, tuple[Any, Array]]:
        variables = {**state.variables, "params": params}
        outputs, statistics = logits(model, structure, variables, pixels, {"dropout": dropout_key})
        losses = cross_entropy(outputs, labels, numbers.label_smoothing)
        known = (labels >= 0).astype(jnp.float32)
        right = jnp.where(labels >= 0, outputs.argmax(-1) == labels, False).sum()
        sums = jnp.stack([losses.sum(), right.astype(jnp.float32), known.sum()])
        return losses.sum() / jnp.maximum(known.sum(), 1), (statistics, sums)

    with matmul_precision(structure.precision):
        (mean, (statistics, sums)), gradient = jax.value_and_grad(loss, has_aux=True)(
            state.variables["params"]
        )
    norm = optax.tree.norm(gradient)
    rate = learning_rate(structure.schedule, numbers, state.step)
    updated = _updated(structure, numbers, state, gradient, rate, statistics)
    first = state.step % numbers.epoch_steps == 0
    updated = updated._replace(totals=jnp.where(first, 0.0, state.totals) + sums)
    good = jnp.isfinite(mean) & jnp.isfinite(norm) & (state.failed < 0)
    kept = state._replace(failed=jnp.where(state.failed < 0, state.step, state.failed))
    chosen = jax.tree.map(lambda new, old: jnp.where(good, new, old), updated, kept)
    return chosen, StepMetrics(mean, sums[1] / jnp.maximum(sums[2], 1), norm, rate)


def _updated(
    structure: Structure,
    numbers: Numbers,
    state: TrainState,
    gradient: Any,
    rate: Array,
    statistics: Any,
) -> TrainState:
    """The state after an update along a gradient, with BatchNorm's new statistics."""
    params = state.variables["params"]
    direction, optimizer = _optimizer(structure, numbers).update(gradient, state.optimizer, params)
    params = jax.tree.map(lambda p, d: p - rate * d, params, direction)
    variables = {**state.variables, "params": params, **statistics}
    average = state.average
    if structure.average:
        taken = state.step.astype(jnp.float32)
        decay = jnp.minimum(numbers.ema_decay, (1 + taken) / (10 + taken))
        average = jax.tree.map(lambda a, v: decay * a + (1 - decay) * v, average, variables)
    return state._replace(
        step=state.step + 1, variables=variables, optimizer=optimizer, average=average
    )


def learning_rate(schedule: str, numbers: Numbers, step: Array) -> Array:
    """The learning rate of a step: linear warm-up to the highest, then the schedule."""
    warmup, steps = numbers.warmup_steps, numbers.steps
    climbing = jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup, 1))
    done = jnp.clip((step - warmup) / jnp.maximum(steps - warmup, 1), 0, 1)
    falling = (1 + jnp.cos(jnp.pi * done)) / 2 if schedule == "cosine" else 1.0
    return numbers.learning_rate * climbing * falling


def logits(
    model: Network, structure: Structure, variables: Variables, pixels: Array, rngs: Any
) -> tuple[Float[Array, "b classes"], Any]:
    """The outputs of a network in float32, and the statistics that training mode has changed.

    Args:
        model, structure, variables: the network and how it is run.
        pixels: augmented images in [0, 1].
        rngs: keys of dropout, for training mode; None for evaluation mode.
    """
    if structure.normalization:
        pixels = structure.normalization(pixels)
    if structure.precision == "bfloat16":
        half = partial(jax.tree.map, lambda leaf: leaf.astype(jnp.bfloat16))
        pixels, variables = half(pixels), {**variables, "params": half(variables["params"])}
    if rngs is None:
        return model.apply(variables, pixels)[0].astype(jnp.float32), {}
    (outputs, _), statistics = model.apply(
        variables, pixels, train=True, mutable=["batch_stats"], rngs=rngs
    )
    return outputs.astype(jnp.float32), statistics


def cross_entropy(
    outputs: Float[Array, "b classes"], labels: Labels, smoothing: Any
) -> Float[Array, " b"]:
    """The cross-entropy of each example in nats; 0 for an example without a label."""
    targets = optax.smooth_labels(jax.nn.one_hot(labels, outputs.shape[-1]), smoothing)
    return jnp.where(labels >= 0, optax.softmax_cross_entropy(outputs, targets), 0.0)


def structure_of(
    config: TrainingConfig, augmentation: Augmentation, normalization: Normalization | None
) -> Structure:
    """The part of the settings that is compiled in."""
    return Structure(
        config.optimizer,
        config.schedule,
        config.gradient_clip > 0,
        config.ema_decay > 0,
        config.precision,
        augmentation,
        normalization,
    )


def numbers_of(config: TrainingConfig, steps_per_epoch: int) -> Numbers:
    """The part of the settings that is passed to the compiled step."""
    fields = {
        name: np.float32(value)
        for name, value in dataclasses.asdict(config).items()
        if name in Numbers._fields
    }
    return Numbers(
        **fields,
        warmup_steps=np.float32(config.warmup_epochs * steps_per_epoch),
        steps=np.float32(config.epochs * steps_per_epoch),
        epoch_steps=np.int32(steps_per_epoch),
    )


def _optimizer(structure: Structure, numbers: Numbers) -> optax.GradientTransformation:
    """The direction of the update, before it is multiplied by the learning rate."""
    clip = [optax.clip_by_global_norm(numbers.gradient_clip)] if structure.clip else []
    decay = optax.add_decayed_weights(numbers.weight_decay, mask=_are_kernels)
    return optax.chain(
        *clip,
        *{
            "sgd": (decay, optax.trace(numbers.momentum)),
            "adam": (decay, optax.scale_by_adam()),
            "adamw": (optax.scale_by_adam(), decay),
        }[structure.optimizer],
    )


def _are_kernels(params: Any) -> Any:
    """True for kernels, False for biases and the scales of BatchNorm."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
