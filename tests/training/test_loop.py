"""Training: the arithmetic of a step, the schedule, failures, and the same bits after a pause."""

import io
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import depthjax
from depthjax.cli import TrainingBar
from depthjax.data import Augmentation, Dataset, held_on_device
from depthjax.data.dataset import in_memory
from depthjax.models import MLP
from depthjax.models.vit import ViT
from depthjax.training import TrainingConfig, TrainingDiverged, evaluate, fit, init_state, loop
from depthjax.training.evaluation import check_classes
from depthjax.training.step import StepMetrics, TrainState, learning_rate, numbers_of, train_step

MODEL = depthjax.build_model("resnet18", stage_sizes=(1, 1), width=4, stem="small", num_classes=3)
LINEAR = MLP(widths=(3,))


def dataset(count=24, size=8, classes=3, augmentation=None, seed=0):
    """Each class has a brightness of its own."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.int32)
    images = random.integers(0, 60, (count, size, size, 3)) + 80 * labels[:, None, None, None]
    return Dataset(
        "bright", "train", tuple("abc"[:classes]), (size, size, 3), count,
        in_memory(images.astype(np.uint8), labels), augmentation or Augmentation(),
    )  # fmt: skip


def variables_of(model=MODEL, size=8):
    return depthjax.init_variables(model, jax.random.key(0), size)


def trained(config, model=MODEL, data=None, **kwargs):
    """The last progress, and a copy of every metric."""
    state = kwargs.pop("state", None) or init_state(model, variables_of(model), config)
    metrics, progress = [], None
    for progress in fit(model, state, data or dataset(), config, **kwargs):
        metrics.append([float(value) for value in progress.metrics])
    return progress, np.array(metrics)


def same(left, right):
    return all(
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    )


def copy(state):
    return jax.tree.map(lambda leaf: np.array(leaf, copy=True), state)


def test_it_learns():
    config = TrainingConfig(epochs=12, batch_size=8, learning_rate=0.1)
    progress, metrics = trained(config)
    assert metrics[-3:, 0].mean() < 0.3 * metrics[:3, 0].mean()
    found = evaluate(MODEL, progress.state.weights, dataset(seed=1), batch_size=10)
    assert {type(value) for value in found} == {float, int}  # checkpoints keep them as text
    assert found.top1 > 0.9
    assert found.top5 == 1  # of three classes
    assert found.examples == 24


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_steps_are_those_of_pytorch(optimizer):
    """The update rules of torch.optim, written out with numpy, on a linear model."""
    config = TrainingConfig(
        epochs=2, batch_size=24, optimizer=optimizer, learning_rate=0.01, schedule="constant",
        weight_decay=0.1, shuffle=False,
    )  # fmt: skip
    data = dataset()
    start = variables_of(LINEAR)["params"]["fc1"]
    weights = {name: np.asarray(leaf, np.float64) for name, leaf in start.items()}
    memory = {name: [np.zeros_like(w), np.zeros_like(w)] for name, w in weights.items()}
    images, labels = data.read(np.arange(24))
    x = images.transpose(0, 3, 1, 2).reshape(24, -1) / 255  # PyTorch's order
    for step in (1, 2):
        logits = x @ weights["kernel"] + weights["bias"]
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        residual = (shares - np.eye(3)[labels]) / 24
        gradients = {"kernel": x.T @ residual, "bias": residual.sum(0)}
        for name, w in weights.items():
            decay = 0.1 if name == "kernel" else 0.0
            g, (m, v) = gradients[name], memory[name]
            if optimizer != "adamw":
                g = g + decay * w
            if optimizer == "sgd":
                m[...] = 0.9 * m + g
                change = m
            else:
                m[...], v[...] = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
                change = m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
                change = change + (decay * w if optimizer == "adamw" else 0)
            w -= 0.01 * change
    progress, _ = trained(config, LINEAR, data)
    for name, w in weights.items():
        found = np.asarray(progress.state.variables["params"]["fc1"][name])
        # Adam divides small gradients by themselves, which magnifies rounding.
        np.testing.assert_allclose(found, w, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_clipped_to_its_largest_norm():
    plain = TrainingConfig(
        epochs=1, batch_size=24, momentum=0.0, weight_decay=0.0, schedule="constant"
    )
    start = variables_of(LINEAR)["params"]
    _, metrics = trained(plain, LINEAR)
    clipped, _ = trained(
        TrainingConfig(**{**vars(plain), "gradient_clip": float(metrics[0, 2]) / 4}), LINEAR
    )
    free, _ = trained(plain, LINEAR)
    moved = [
        optax.tree.norm(jax.tree.map(jnp.subtract, p.state.variables["params"], start))
        for p in (clipped, free)
    ]
    assert float(moved[0] / moved[1]) == pytest.approx(0.25, rel=1e-4)


def test_warm_up_and_cosine():
    config = TrainingConfig(epochs=10, warmup_epochs=2.0, learning_rate=0.5)
    numbers = numbers_of(config, 10)
    rates = np.array([learning_rate("cosine", numbers, jnp.asarray(i)) for i in range(100)])
    np.testing.assert_allclose(rates[:20], 0.5 * np.arange(1, 21) / 20, rtol=1e-5)
    np.testing.assert_allclose(
        rates[20:], 0.25 * (1 + np.cos(np.pi * np.arange(80) / 80)), rtol=1e-4, atol=1e-7
    )
    constant = [learning_rate("constant", numbers, jnp.asarray(i)) for i in (30, 99)]
    np.testing.assert_allclose(constant, 0.5, rtol=1e-6)


def test_label_smoothing_raises_the_least_loss():
    _, plain = trained(TrainingConfig(epochs=12, batch_size=8))
    _, smooth = trained(TrainingConfig(epochs=12, batch_size=8, label_smoothing=0.2))
    least = -(0.2 / 3 * 2) * np.log(0.2 / 3) - (1 - 0.4 / 3) * np.log(1 - 0.4 / 3)
    assert plain[-1, 0] < least < smooth[-1, 0] + 1e-3


def test_the_average_follows_the_weights():
    config = TrainingConfig(epochs=3, batch_size=8, ema_decay=0.9)
    state = init_state(MODEL, variables_of(), config)
    average = copy(state.variables)
    for seen, progress in enumerate(fit(MODEL, state, dataset(), config)):
        decay = min(0.9, (1 + seen) / (10 + seen))
        average = jax.tree.map(
            lambda a, v, decay=decay: decay * a + (1 - decay) * np.asarray(v),
            average,
            progress.state.variables,
        )
    for found, wanted in zip(
        jax.tree.leaves(progress.state.weights), jax.tree.leaves(average), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_half_precision_learns_and_keeps_full_weights():
    config = TrainingConfig(epochs=12, batch_size=8, precision="bfloat16")
    progress, metrics = trained(config)
    assert {leaf.dtype for leaf in jax.tree.leaves(progress.state.variables)} == {
        jnp.dtype("float32")
    }
    assert metrics[-3:, 0].mean() < 0.5 * metrics[:3, 0].mean()


def test_a_failure_keeps_the_last_good_state():
    config = TrainingConfig(epochs=4, batch_size=8, seed=3)
    state, states = init_state(MODEL, variables_of(), config), []
    data = dataset()

    def read(indices):
        images, labels = data.read(indices)
        reads.append(indices)
        images = images.astype(np.float32) / 255
        return (images * np.nan if len(reads) == 5 else images), labels

    reads = []
    broken = Dataset("broken", "train", data.classes, data.image_shape, 24, read)
    with pytest.raises(
        TrainingDiverged, match=r"diverged at step 4.*lower learning_rate"
    ) as caught:
        for progress in fit(MODEL, state, broken, config):
            states.append(copy(progress.state))
    kept = caught.value.progress.state
    assert int(kept.failed) == 4
    assert int(kept.step) == 4
    assert same(kept.variables, states[3].variables)
    assert same(kept.optimizer, states[3].optimizer)
    assert "\n" not in str(caught.value)
    with pytest.raises(TrainingDiverged, match="diverged at step 4"):
        next(fit(MODEL, kept, data, config, position=caught.value.progress.position))


def test_a_network_of_one_size_learns_from_crops_of_it():
    model = ViT(image_size=6, patch=3, width=4, depth=1, heads=1, num_classes=3)
    config = TrainingConfig(epochs=1, batch_size=8)
    state = init_state(model, variables_of(model, 6), config)
    crops = dataset(augmentation=Augmentation(crop=6))
    progress, _ = trained(config, model, crops, state=state)
    assert evaluate(model, progress.state.weights, crops).examples == len(crops)


def test_a_pause_changes_nothing():
    """Cut off in the middle of an epoch, with augmentation and momentum: the same bits."""
    data = dataset(augmentation=Augmentation(flip=True, jitter=0.3, pad=1))
    config = TrainingConfig(epochs=3, batch_size=8, optimizer="adamw", ema_decay=0.9, seed=5)
    whole, _ = trained(config, data=data)
    state = init_state(MODEL, variables_of(), config)
    for count, progress in enumerate(fit(MODEL, state, data, config), 1):
        if count == 5:
            paused, position = copy(progress.state), progress.position
            break
    again, _ = trained(config, data=data, state=paused, position=position)
    assert same(whole.state, again.state)


def test_numbers_compile_nothing_again():
    before = train_step._cache_size()
    for rate in (0.1, 0.05):
        trained(TrainingConfig(epochs=1, batch_size=6, learning_rate=rate, weight_decay=rate))
    assert train_step._cache_size() == before + 1


def test_examples_without_a_label_count_for_nothing():
    data = dataset()

    def read(indices):
        images, labels = data.read(indices)
        return images, np.where(np.asarray(indices) < 12, labels, -1).astype(np.int32)

    half = Dataset("half", "test", data.classes, data.image_shape, 24, read)
    first = Dataset("first", "test", data.classes, data.image_shape, 12, data.read)
    weights = variables_of()
    assert evaluate(MODEL, weights, half, batch_size=7).examples == 12
    np.testing.assert_allclose(
        evaluate(MODEL, weights, half, batch_size=7), evaluate(MODEL, weights, first), rtol=1e-5
    )


def test_last_batches_may_be_smaller():
    config = TrainingConfig(epochs=1, batch_size=10, drop_remainder=False, shuffle=False)
    progress, metrics = trained(config)
    assert len(metrics) == 3 == config.steps_per_epoch(24)
    assert float(progress.state.totals[2]) == 24


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1"),
        ({"label_smoothing": -0.1}, "label_smoothing must be from 0"),
        ({"optimizer": "adamm"}, "did you mean 'adam'"),
        ({"precision": "float16"}, "unknown precision"),
        ({"warmup_epochs": 11.0}, "warmup_epochs must be at most epochs"),
    ],
)
def test_settings_out_of_range(fields, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**fields)


def test_more_classes_than_the_model_has():
    model = depthjax.build_model("mlp", widths=(2,))
    with pytest.raises(ValueError, match="'bright' has 3 classes and the model 2; build it with"):
        check_classes(model, dataset(), Augmentation())


EIGHT_DEVICES = """
import jax, numpy as np
from test_loop import *
config = TrainingConfig(epochs=2, batch_size=8, learning_rate=0.01, seed=1)
from depthjax.devices.sharding import data_mesh
assert jax.device_count() == 8
one = jax.make_mesh((1,), ("data",), devices=jax.devices()[:1])
many, _ = trained(config)
kept = copy(many.state)
single, _ = trained(config, mesh=one)
for a, b in zip(jax.tree.leaves(kept.variables), jax.tree.leaves(single.state.variables)):
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)
kernel = many.state.variables["params"]["conv1"]["kernel"]
assert len(kernel.sharding.device_set) == 8 and kernel.is_fully_replicated
a, b = (evaluate(MODEL, kept.variables, dataset(), mesh=mesh) for mesh in (None, one))
np.testing.assert_allclose(a, b, rtol=1e-4)
try:
    trained(TrainingConfig(batch_size=12))
except ValueError as error:
    print(error)
"""


def test_eight_devices_do_what_one_does():
    """BatchNorm sees the whole batch, wherever its parts lie."""
    done = subprocess.run(
        [sys.executable, "-c", EIGHT_DEVICES],
        cwd=Path(__file__).parent, capture_output=True, text=True, timeout=300,
        env={
            **os.environ, "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "a batch of 12 cannot be shared by 8 devices; take 8 or 16" in done.stdout


def test_evaluation_may_change_images_at_random():
    data, weights = dataset(augmentation=Augmentation(jitter=0.9, tint=0.9)), variables_of()
    still, again = (evaluate(MODEL, weights, data).loss for _ in range(2))
    moved, same_key, other = (
        evaluate(MODEL, weights, data, key=jax.random.key(seed)).loss for seed in (0, 0, 1)
    )
    assert still == again
    assert moved == same_key
    assert len({still, moved, other}) == 3


class OnTheDevice:
    """A value of the device; reading it would wait for the device."""

    def __init__(self):
        self.read = 0

    def _wait(self, *_):
        self.read += 1
        return -1

    __int__ = __float__ = __index__ = __bool__ = __array__ = _wait


def test_the_loop_and_a_bar_without_a_terminal_never_wait_for_the_device(monkeypatch):
    value = OnTheDevice()
    metrics = StepMetrics(*[value] * 4)
    state = init_state(LINEAR, variables_of(LINEAR), TrainingConfig())
    after = TrainState(*[value] * len(TrainState._fields))
    monkeypatch.setattr(loop, "train_step", lambda *_: (after, metrics))
    monkeypatch.setattr("sys.stderr", io.StringIO())  # no terminal
    counted = []
    with TrainingBar(steps=9) as bar:
        for progress in fit(LINEAR, state, dataset(), TrainingConfig(epochs=3, batch_size=8)):
            bar(progress)
            counted.append(progress.step)
            if progress.position.batch:
                assert not value.read
            value.read = 0  # at the end of an epoch the loop asks whether training has diverged
    assert counted == list(range(1, 10))


def test_it_learns_the_same_from_a_set_that_the_device_holds():
    config = TrainingConfig(epochs=2, batch_size=8)
    (host, _), (device, _) = trained(config), trained(config, data=held_on_device(dataset()))
    assert same(host.state, device.state)
