"""Classification training of any model here, as pure steps under `jit` over all devices.

state = init_state(model, variables, config)
for progress in fit(model, state, dataset, config):
    ...                                   # progress.state is all there is: save it, measure it
evaluate(model, progress.state.weights, test_set)
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, UInt8

from depthjax.data import Augmentation, Dataset, Position, augment, batches
from depthjax.devices.precision import PRECISIONS, matmul_precision
from depthjax.devices.sharding import check_divides, data_mesh, replicate, split_batch
from depthjax.errors import one_of
from depthjax.models import Network
from depthjax.models.normalization import Normalization
from depthjax.typing import Variables

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "constant")

Pixels = UInt8[Array, "b h w c"] | Float[Array, "b h w c"]
Labels = Int[Array, " b"]


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained. Frozen, hashable, compared by value.

    Fields:
        epochs: passes over the training set.
        batch_size: examples in a step, over all devices.
        optimizer: "sgd" (with momentum), "adam" or "adamw" (decay apart from the gradient).
        learning_rate: the highest.
        warmup_epochs: the rate climbs to it linearly for so long.
        schedule: "cosine" falls to 0 at the end of the last epoch, "constant" stays.
        momentum: of "sgd".
        weight_decay: of kernels; biases and BatchNorm have none.
        label_smoothing: share of the label's probability that all classes are given.
        gradient_clip: the largest norm of the whole gradient; 0 for any.
        ema_decay: of an average of the weights and statistics along the way, which is then what is
            evaluated and saved; shorter in the first steps; 0 for none.
        precision: "float32", "tf32", or "bfloat16": activations and gradients, not the weights.
        shuffle: whether each epoch has an order of its own.
        drop_remainder: whether the examples that do not fill a last batch are left out.
        augment: whether the changes that go with the data set are made.
        seed: of the order of examples, augmentations and dropout.

    Raises:
        ValueError: for unknown names and for numbers out of range.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    warmup_epochs: float = 0.0
    schedule: str = "cosine"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    gradient_clip: float = 0.0
    ema_decay: float = 0.0
    precision: str = "float32"
    shuffle: bool = True
    drop_remainder: bool = True
    augment: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("precision", self.precision, PRECISIONS)
        for name in ("epochs", "batch_size"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        rate = self.learning_rate
        _require(math.isfinite(rate) and rate > 0, "learning_rate", rate, "positive")
        for name in ("warmup_epochs", "weight_decay", "gradient_clip"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value >= 0, name, value, "at least 0")
        for name in ("momentum", "label_smoothing", "ema_decay"):
            value = getattr(self, name)
            _require(0 <= value < 1, name, value, "from 0 to below 1")
        _require(
            self.warmup_epochs <= self.epochs, "warmup_epochs", self.warmup_epochs, "at most epochs"
        )

    def steps_per_epoch(self, examples: int) -> int:
        """Steps that a pass over so many examples takes."""
        if self.drop_remainder:
            return examples // self.batch_size
        return -(-examples // self.batch_size)


def _require(condition: bool, name: str, value: Any, wanted: str) -> None:
    if not condition:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")


class Structure(NamedTuple):
    """What of a training changes the compiled program; everything else is an argument."""

    optimizer: str
    schedule: str
    clip: bool
    average: bool
    precision: str
    augmentation: Augmentation
    normalization: Normalization | None


class Numbers(NamedTuple):
    """What of a training does not."""

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
    """Everything that a training is between two steps, but for its position in the data.

    Fields:
        step: steps taken, int32.
        variables: `{"params": …, "batch_stats": …}`, float32.
        optimizer: optax's state.
        average: of the variables, or None without `ema_decay`.
        random: the seed of augmentation and dropout, uint32: data of a `jax.random.key`.
        totals: sums over the epoch so far: of the loss, of what was right, and of examples.
        failed: the step whose loss or gradient was not finite; -1 while there is none. From then
            on nothing moves: the state is the last good one.
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
        """What is evaluated and saved: the average where there is one."""
        return self.variables if self.average is None else self.average


class StepMetrics(NamedTuple):
    """Of one step, before it: mean loss and share of right answers, norm of the gradient, rate."""

    loss: Array
    accuracy: Array
    gradient_norm: Array
    learning_rate: Array


class Progress(NamedTuple):
    """A step later.

    Fields:
        state: after it. The next step reuses its memory: what is kept of it must be a copy.
        position: in the data; `position.batch` is 0 when an epoch has ended.
        metrics: of the step, on the device.
    """

    state: TrainState
    position: Position
    metrics: StepMetrics


class Evaluation(NamedTuple):
    """Means over a set: cross-entropy in nats, and shares of right answers among 1 and 5."""

    loss: float
    top1: float
    top5: float
    examples: int


class TrainingDiverged(ValueError):
    """The loss or its gradient is not finite any more; `progress` holds the last good state."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        super().__init__(
            f"training diverged at step {int(progress.state.failed)}: the loss or its gradient is"
            " not finite; the state before is kept: take a lower learning_rate, a warm-up, or"
            " gradient_clip"
        )


def init_state(model: Network, variables: Variables, config: TrainingConfig) -> TrainState:
    """The state before the first step.

    Args:
        model: a model of `depthjax.models`.
        variables: where training begins, of that model: untrained ones, or others'.
        config: see `TrainingConfig`.
    """
    variables = jax.tree.map(lambda leaf: jnp.array(leaf, jnp.float32), variables)
    structure = _structure(config, Augmentation(), None)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        variables=variables,
        optimizer=_optimizer(structure, _numbers(config, 1)).init(variables["params"]),
        average=jax.tree.map(jnp.copy, variables) if structure.average else None,
        random=jax.random.key_data(jax.random.key(config.seed)),
        totals=jnp.zeros(3),
        failed=jnp.full((), -1, jnp.int32),
    )


def fit(
    model: Network,
    state: TrainState,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    normalization: Normalization | None = None,
    position: Position | None = None,
    mesh: Mesh | None = None,
    check_every: int = 50,
) -> Iterator[Progress]:
    """Trains, a step at a time, until `config.epochs` are over.

    The same state and position give the same steps, bit for bit on one machine, wherever training
    was cut off. Examples are shared out over all devices; BatchNorm sees the whole batch.

    Args:
        model: a model of `depthjax.models`, with a class for each label at least.
        state: from `init_state`, or from a checkpoint.
        dataset: what to learn.
        config: see `TrainingConfig`.
        normalization: of the pixels, inside the network.
        position: where in the data to go on, from the checkpoint of the state.
        mesh: of the devices; by default all.
        check_every: steps after which a failure is noticed at the latest.

    Yields:
        A `Progress` after every step.

    Raises:
        TrainingDiverged: with the last good state.
        ValueError: for a batch that the set or the devices cannot have, and labels that the model
            has no class for.
    """
    mesh = mesh or data_mesh()
    check_classes(model, dataset)
    check_divides(mesh, config.batch_size)
    per_epoch = config.steps_per_epoch(len(dataset))
    if remainder := len(dataset) % config.batch_size * (not config.drop_remainder):
        check_divides(mesh, remainder, "a last batch")
    augmentation = dataset.augmentation if config.augment else Augmentation()
    structure = _structure(config, augmentation, normalization)
    numbers = _numbers(config, per_epoch)
    state = replicate(state, mesh)
    stream = batches(
        dataset,
        config.batch_size,
        seed=config.seed,
        position=position,
        epochs=config.epochs,
        shuffle=config.shuffle,
        drop_remainder=config.drop_remainder,
        sharding=split_batch(mesh),
    )
    for count, (images, labels, position) in enumerate(stream, 1):
        state, metrics = train_step(model, structure, numbers, state, images, labels)
        progress = Progress(state, position, metrics)
        if (position.batch == 0 or count % check_every == 0) and int(state.failed) >= 0:
            raise TrainingDiverged(progress)
        yield progress


def check_classes(model: Network, dataset: Dataset) -> None:
    """Refuses a data set with more classes than the model has.

    Raises:
        ValueError: naming both numbers.
    """
    classes = _classes(model, dataset.image_shape)
    if classes < len(dataset.classes):
        raise ValueError(
            f"{dataset.name!r} has {len(dataset.classes)} classes and the model {classes}; build it"
            f" with num_classes={len(dataset.classes)}"
        )


@cache  # every evaluation asks, and tracing a deep network takes a second
def _classes(model: Network, image_shape: tuple[int, int, int]) -> int:
    images = jnp.zeros((1, *image_shape))
    (logits, _), _ = jax.eval_shape(model.init_with_output, jax.random.key(0), images)
    return logits.shape[-1]


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
        model, structure: static.
        numbers: rates and the like: changing them compiles nothing again.
        state: before; its memory is reused.
        images: uint8 0..255, or floats.
        labels: class numbers; a negative one counts for nothing.

    Returns:
        The state after it, and the step's metrics.
    """
    key = jax.random.fold_in(jax.random.wrap_key_data(state.random), state.step)
    augmentation_key, dropout_key = jax.random.split(key)
    pixels = augment(augmentation_key, images, structure.augmentation)

    def loss(params: Any) -> tuple[Array, tuple[Any, Array]]:
        variables = {**state.variables, "params": params}
        logits, moved = _logits(model, structure, variables, pixels, {"dropout": dropout_key})
        losses = _cross_entropy(logits, labels, numbers.label_smoothing)
        known = (labels >= 0).astype(jnp.float32)
        right = jnp.where(labels >= 0, logits.argmax(-1) == labels, False).sum()
        mean = losses.sum() / jnp.maximum(known.sum(), 1)
        return mean, (moved, jnp.stack([losses.sum(), right.astype(jnp.float32), known.sum()]))

    with matmul_precision(structure.precision):
        (mean, (moved, sums)), gradient = jax.value_and_grad(loss, has_aux=True)(
            state.variables["params"]
        )
    norm = optax.tree.norm(gradient)
    rate = learning_rate(structure.schedule, numbers, state.step)
    direction, optimizer = _optimizer(structure, numbers).update(
        gradient, state.optimizer, state.variables["params"]
    )
    params = jax.tree.map(lambda p, d: p - rate * d, state.variables["params"], direction)
    variables = {**state.variables, "params": params, **moved}
    average = state.average
    if structure.average:
        taken = state.step.astype(jnp.float32)
        decay = jnp.minimum(numbers.ema_decay, (1 + taken) / (10 + taken))
        average = jax.tree.map(lambda a, v: decay * a + (1 - decay) * v, average, variables)
    good = jnp.isfinite(mean) & jnp.isfinite(norm) & (state.failed < 0)
    begins = state.step % numbers.epoch_steps == 0
    after = state._replace(
        step=state.step + 1,
        variables=variables,
        optimizer=optimizer,
        average=average,
        totals=jnp.where(begins, 0.0, state.totals) + sums,
    )
    kept = state._replace(failed=jnp.where(state.failed < 0, state.step, state.failed))
    chosen = jax.tree.map(lambda new, old: jnp.where(good, new, old), after, kept)
    return chosen, StepMetrics(mean, sums[1] / jnp.maximum(sums[2], 1), norm, rate)


def learning_rate(schedule: str, numbers: Numbers, step: Array) -> Array:
    """The rate of a step: linear warm-up to the highest, then the schedule."""
    warmup, steps = numbers.warmup_steps, numbers.steps
    climbing = jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup, 1))
    done = jnp.clip((step - warmup) / jnp.maximum(steps - warmup, 1), 0, 1)
    falling = (1 + jnp.cos(jnp.pi * done)) / 2 if schedule == "cosine" else 1.0
    return numbers.learning_rate * climbing * falling


def evaluate(
    model: Network,
    variables: Variables,
    dataset: Dataset,
    *,
    batch_size: int = 256,
    normalization: Normalization | None = None,
    augmented: bool = True,
    key: Array | None = None,
    precision: str = "float32",
    mesh: Mesh | None = None,
) -> Evaluation:
    """Loss and accuracy over a whole data set, BatchNorm and dropout in evaluation mode.

    Args:
        model, variables: the network.
        dataset: labelled images; labels below 0 count for nothing.
        batch_size: examples at once, over all devices; rounded up to a multiple of them.
        normalization: of the pixels, inside the network.
        augmented: whether what the set's augmentation does without chance is done (crop, grey).
        key: a `jax.random.key`, for what it does by chance, too (jitter, flips).
        precision: of the products.
        mesh: of the devices; by default all.
    """
    mesh = mesh or data_mesh()
    check_classes(model, dataset)
    batch_size = -(-min(batch_size, len(dataset)) // mesh.size) * mesh.size
    augmentation = dataset.augmentation if augmented else Augmentation()
    structure = Structure("", "", False, False, precision, augmentation, normalization)
    variables = replicate(variables, mesh)
    share = batch_size // jax.process_count()
    sums = np.zeros(4)
    for start in range(0, len(dataset), batch_size):
        # Every batch is full, so that one program does: what is beyond the end has no label.
        numbers = np.arange(start, start + batch_size)
        own = numbers[jax.process_index() * share :][:share]
        images, labels = dataset.read(np.minimum(own, len(dataset) - 1))
        labels = np.where(own < len(dataset), labels, -1).astype(np.int32)
        images, labels = (
            jax.make_array_from_process_local_data(split_batch(mesh), array)
            for array in (images, labels)
        )
        batch_key = None if key is None else jax.random.fold_in(key, start)
        found = eval_step(model, structure, variables, images, labels, batch_key)
        sums += np.asarray(found, np.float64)
    loss, top1, top5, count = sums
    share_of = max(count, 1)
    return Evaluation(loss / share_of, top1 / share_of, top5 / share_of, int(count))


@partial(jax.jit, static_argnums=(0, 1))
def eval_step(
    model: Network,
    structure: Structure,
    variables: Variables,
    images: Pixels,
    labels: Labels,
    key: Array | None = None,
) -> Float[Array, "4"]:
    """Sums over a batch: cross-entropy, right among 1 and among 5, and examples with a label."""
    pixels = augment(key, images, structure.augmentation)
    with matmul_precision(structure.precision):
        logits, _ = _logits(model, structure, variables, pixels, None)
    best = jax.lax.top_k(logits, min(5, logits.shape[-1]))[1]
    hits = best == labels[:, None]  # never where the label is negative
    losses = _cross_entropy(logits, labels, 0.0)
    known = labels >= 0
    return jnp.stack([losses.sum(), hits[:, 0].sum(), hits.sum(), known.sum()]).astype(jnp.float32)


def _logits(
    model: Network, structure: Structure, variables: Variables, pixels: Array, rngs: Any
) -> tuple[Float[Array, "b classes"], Any]:
    """The output, float32, and with `rngs`, in training mode, the statistics that moved."""
    if structure.normalization:
        pixels = structure.normalization(pixels)
    if structure.precision == "bfloat16":
        half = partial(jax.tree.map, lambda leaf: leaf.astype(jnp.bfloat16))
        pixels, variables = half(pixels), {**variables, "params": half(variables["params"])}
    if rngs is None:
        return model.apply(variables, pixels)[0].astype(jnp.float32), {}
    (logits, _), moved = model.apply(
        variables, pixels, train=True, mutable=["batch_stats"], rngs=rngs
    )
    return logits.astype(jnp.float32), moved


def _cross_entropy(
    logits: Float[Array, "b classes"], labels: Labels, smoothing: Any
) -> Float[Array, " b"]:
    """In nats; 0 for an example without a label."""
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
    return jnp.where(labels >= 0, optax.softmax_cross_entropy(logits, targets), 0.0)


def _optimizer(structure: Structure, numbers: Numbers) -> optax.GradientTransformation:
    """The direction to go against, before it is multiplied by the rate."""
    clip = [optax.clip_by_global_norm(numbers.gradient_clip)] if structure.clip else []
    decay = optax.add_decayed_weights(numbers.weight_decay, mask=_kernels)
    return optax.chain(
        *clip,
        *{
            "sgd": (decay, optax.trace(numbers.momentum)),
            "adam": (decay, optax.scale_by_adam()),
            "adamw": (optax.scale_by_adam(), decay),
        }[structure.optimizer],
    )


def _kernels(params: Any) -> Any:
    """True for kernels, False for biases and BatchNorm's scales."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _structure(
    config: TrainingConfig, augmentation: Augmentation, normalization: Normalization | None
) -> Structure:
    return Structure(
        config.optimizer,
        config.schedule,
        config.gradient_clip > 0,
        config.ema_decay > 0,
        config.precision,
        augmentation,
        normalization,
    )


def _numbers(config: TrainingConfig, steps_per_epoch: int) -> Numbers:
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
