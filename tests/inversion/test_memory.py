"""What fits into memory, and that splitting changes nothing else."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax import InversionConfig, fitting_batch, invert
from depthjax.devices import memory as device_memory
from depthjax.inversion import memory
from depthjax.inversion.preparing import prepared_shapes
from depthjax.inversion.state import NON_FINITE
from depthjax.models.embeddings import embedding_shape

CONFIG = InversionConfig(steps=12, record_every=5, blur=True)


@pytest.fixture(scope="module")
def network() -> tuple[Any, Any]:
    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1, 1), num_classes=3)
    return depthjax.Layer(model, "layer2"), depthjax.init_variables(model, jax.random.key(0), 16)


def images_of(count: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(count, 16, 16, 3)))


def exactly(
    network: tuple, count: int, config: InversionConfig = CONFIG, shape: tuple = (16, 16, 3)
) -> int:
    """What the compiler says of a batch."""
    embed = partial(embedding_shape, *network)
    prepared = prepared_shapes(*network, config)
    return memory.program_memory(memory._traced(prepared, embed, shape, config, None, count))


def test_the_bound_holds_and_asks_no_compiler(
    network: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [exactly(network, count) for count in (1, 6)]
    monkeypatch.setattr(memory, "program_memory", None)
    for count, size in zip((1, 6), sizes, strict=True):
        bound = fitting_batch(*network, (16, 16, 3), count, CONFIG, free=10**9).needed
        assert size <= bound < 100 * size


def test_everything_at_once_where_it_fits(network: tuple) -> None:
    fit = fitting_batch(*network, (16, 16, 3), 6, CONFIG, free=10**9)
    assert (fit.batch, fit.batches) == (6, 1)
    assert 0 < fit.needed <= fit.free


@pytest.mark.parametrize("count", [7, 12])
def test_split_where_it_does_not(network: tuple, count: int) -> None:
    one, whole = (exactly(network, n) for n in (1, count))
    free = (one + whole) // 2
    fit = fitting_batch(*network, (16, 16, 3), count, CONFIG, free=free)
    assert 1 <= fit.batch < count
    assert fit.batch * (fit.batches - 1) < count <= fit.batch * fit.batches
    assert fit.needed <= free
    # What it says is what the compiler says of that batch.
    real = exactly(network, fit.batch)
    assert abs(real - fit.needed) < 0.15 * real
    assert "at once in" in str(fit)


def test_not_even_one_image(network: tuple) -> None:
    with pytest.raises(ValueError, match=r"one image of 16×16 at layer 'layer2.*GiB are free"):
        fitting_batch(*network, (16, 16, 3), 2, CONFIG, free=1000)


def test_an_unknown_amount_is_not_split(network: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_memory, "free_memory", lambda: None)
    fit = fitting_batch(*network, (16, 16, 3), 3, CONFIG)
    assert (fit.batch, fit.batches, fit.free) == (3, 1, None)


def test_a_function_without_prepare() -> None:
    def layer(variables: jax.Array, images: jax.Array) -> jax.Array:
        return images.reshape(len(images), -1) @ variables

    assert fitting_batch(layer, jnp.ones((48, 5)), (4, 4, 3), 2, CONFIG, free=10**9).batches == 1


def test_the_largest_batch_is_asked_for_as_a_descent_is(network: tuple) -> None:
    most, fit = memory.largest_batch(*network, (3, 16, 16, 3))
    assert (most, fit.batches) == (3, 1)
    asked = memory.largest_batch(*network, (3, 16, 16, 3), InversionConfig(), spread_weights=False)
    assert asked[0] == most and asked[1].needed == fit.needed


def test_memory_is_that_of_the_default_device(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        platform = "other"

        def memory_stats(self) -> dict[str, int]:
            return {"bytes_limit": 100, "bytes_in_use": 30}

    monkeypatch.setattr(device_memory, "default_device", Other)
    assert device_memory.free_memory() == 70


def test_what_the_system_says(tmp_path: Path) -> None:
    assert device_memory.free_memory() is None or device_memory.free_memory() > 0
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  8000 kB\nMemAvailable:    1024 kB\nHugetlb: 0 kB\n")
    assert device_memory._system_memory(meminfo) == 2**20
    assert device_memory._system_memory(tmp_path / "none") is None
    assert device_memory._group_memory(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 400\n")
    assert device_memory._group_memory(tmp_path) == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert device_memory._group_memory(tmp_path) is None


@pytest.mark.parametrize(("restarts", "most"), [(1, 2), (2, 3), (1, 5)])
def test_batches_are_the_whole(x64: Any, network: tuple, restarts: int, most: int) -> None:
    layer, variables = network[0], jax.tree.map(lambda leaf: leaf.astype(float), network[1])
    targets = images_of(3)
    starts = images_of(3 * restarts, 1)
    starts = starts.reshape(restarts, 3, 16, 16, 3) if restarts > 1 else starts
    embedding = layer(variables, targets)
    arguments = (layer, variables, embedding, starts, CONFIG)
    seen = []
    whole = invert(*arguments, compare_to=targets)
    split = invert(*arguments, compare_to=targets, max_batch=most, on_progress=seen.append)
    for got, expected in zip(jax.tree.leaves(split), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9)
    assert seen[-1].step == seen[-1].steps == CONFIG.steps * -(-3 * restarts // most)
    assert np.isfinite(seen[-1].embedding_distance).all()


def test_a_batch_that_stops_early_keeps_its_last_record(network: tuple) -> None:
    layer, variables = network
    targets = images_of(2).astype(jnp.float32)
    starts = targets.at[0].set(0.5)  # the second is there already
    config = CONFIG.replace(steps=40, plateau=0.5, patience=3, learning_rate=1e-6, blur=False)
    config = config.replace(record_every=1)
    embedding = layer(variables, targets).at[0].add(100.0)
    found = invert(layer, variables, embedding, starts, config, max_batch=1)
    assert (found.status == 1).all()
    assert found.trajectory.objective.shape[1] == 2
    assert np.isfinite(found.trajectory.objective).all()


def test_no_batch_at_all(network: tuple) -> None:
    targets = images_of(1)
    with pytest.raises(ValueError, match="max_batch must be at least 1, got 0"):
        invert(*network, network[0](network[1], targets), targets, CONFIG, max_batch=0)


def test_rematerialization_saves_memory_and_changes_nothing(x64: Any) -> None:
    model = depthjax.build_model("resnet18", width=8, stage_sizes=(6,), stem="small", num_classes=3)
    layer = depthjax.Layer(model, "layer1")
    variables = depthjax.init_variables(model, jax.random.key(0), 16)
    exact = jax.tree.map(lambda leaf: leaf.astype(float), variables)
    images = images_of(1)

    def gradient(rematerialize: bool) -> Any:
        fast, weights = layer.prepare(exact, rematerialize=rematerialize)
        return jax.jit(jax.grad(lambda x: jnp.square(fast(weights, x)).sum()))(images)

    np.testing.assert_allclose(gradient(True), gradient(False), rtol=1e-10)
    kept, again = (
        exactly((layer, variables), 4, CONFIG.replace(rematerialize=flag), (32, 32, 3))
        for flag in (False, True)
    )
    assert again < 0.8 * kept


@pytest.mark.parametrize(
    "settings", [{"step_scale": "layer"}, {"optimizer": "gauss_newton", "objective_scale": 1.0}]
)
def test_rematerialised_descents_that_push_vectors_forward(
    x64: Any, network: tuple, settings: dict[str, Any]
) -> None:
    layer, variables = network
    exact = jax.tree.map(lambda leaf: leaf.astype(float), variables)
    images = images_of(2).astype(float)
    target, config = layer(exact, images), CONFIG.replace(blur=False, **settings)
    kept, again = (
        invert(layer, exact, target, images[::-1], config.replace(rematerialize=flag))
        for flag in (False, True)
    )
    assert np.abs(kept.images - images[::-1]).max() > 1e-3
    np.testing.assert_allclose(again.images, kept.images, rtol=1e-7)


def test_a_rematerialised_example_of_nan_leaves_the_others_alone(network: tuple) -> None:
    layer, variables = network
    images = images_of(3).astype(np.float32)
    target = layer(variables, images)
    config = CONFIG.replace(rematerialize=True, pixels="none")
    alone = invert(layer, variables, target[1:], images[::-1][1:], config)
    together = invert(layer, variables, target.at[0].set(np.nan), images[::-1], config)
    assert together.status[0] == NON_FINITE
    np.testing.assert_allclose(together.images[1:], alone.images, rtol=1e-3, atol=1e-3)
