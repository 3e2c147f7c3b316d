"""A descent that is cut off ends as one that never was, bit for bit."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import Inversion, InversionConfig, invert
from depthjax.inversion.checkpoints import DescentCheckpoints

WEIGHTS = jnp.asarray(np.random.default_rng(0).normal(size=(12, 8)), jnp.float32)
IMAGES = jnp.asarray(np.random.default_rng(1).random((3, 2, 2, 3)), jnp.float32)
STARTS = jnp.asarray(np.random.default_rng(2).random((2, 3, 2, 2, 3)), jnp.float32)
CONFIG = InversionConfig(steps=60, record_every=7)


def layer(weights, images):
    return jnp.tanh(images.reshape(len(images), -1) @ weights)


class Cut(Exception):
    """The power fails."""


def inversion(config=CONFIG, starts=STARTS, **settings) -> Inversion:
    return invert(
        layer, WEIGHTS, layer(WEIGHTS, IMAGES), starts, config, compare_to=IMAGES, **settings
    )


def cut_off(folder, at, **settings) -> None:
    """An inversion that keeps every state, and that ends once `at` steps are made."""

    def watch(progress):
        if progress.step >= at:
            raise Cut

    kept = DescentCheckpoints(folder, seconds=0.0)
    with pytest.raises(Cut):
        inversion(checkpoints=kept, on_progress=watch, **settings)


def same(one: Inversion, other: Inversion) -> None:
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        InversionConfig.fast(steps=40, record_every=7),
        InversionConfig.paper(steps=40, record_every=7, step_scale="layer"),
        CONFIG.replace(optimizer="gauss_newton", steps=12, record_every=2),
        # States that NPZ files do not know: a key, and halves.
        CONFIG.replace(optimizer="noisy_sgd", optimizer_options={"key": 3}),
        CONFIG.replace(optimizer="adam", optimizer_options={"mu_dtype": "bfloat16"}),
    ],
    ids=lambda config: f"{config.optimizer}{dict(config.optimizer_options)}",
)
def test_a_descent_that_was_cut_off_ends_the_same(config, tmp_path):
    cut_off(tmp_path / "kept", config.steps // 2, config=config)
    steps = []
    found = inversion(
        config,
        checkpoints=DescentCheckpoints(tmp_path / "kept"),
        on_progress=lambda progress: steps.append(progress.step),
    )
    assert steps[-1] == config.steps
    same(found, inversion(config))


def test_the_first_steps_are_not_made_again(tmp_path, monkeypatch):
    cut_off(tmp_path / "kept", CONFIG.steps // 2)
    begun, resume = [], DescentCheckpoints.resume

    def watched(*arguments):
        found = resume(*arguments)
        begun.append(int(found.state.step.max()))
        return found

    monkeypatch.setattr(DescentCheckpoints, "resume", watched)
    inversion(checkpoints=DescentCheckpoints(tmp_path / "kept"))
    assert begun[0] >= 8


def test_batches_that_were_finished_are_not_run_again(tmp_path):
    cut_off(tmp_path / "kept", 3 * CONFIG.steps // 2, max_batch=2)
    # Whatever would fit now: the examples are shared out as they were.
    kept = DescentCheckpoints(tmp_path / "kept")
    found = inversion(checkpoints=kept, max_batch=5)
    assert found.split == (1, 2, 3)
    same(found, inversion(max_batch=2))
    kept.discard()
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("max_batch", [None, 2])
def test_frames_taken_before_the_cut_are_kept(max_batch, tmp_path, monkeypatch):
    settings = {"frames": 6, "max_batch": max_batch}
    batches = 1 if max_batch is None else 3
    cut_off(tmp_path / "kept", (batches - 0.5) * CONFIG.steps, **settings)
    taken, resume = [], DescentCheckpoints.resume

    def watched(*arguments):
        found = resume(*arguments)
        taken.append(len(found.frames))
        return found

    monkeypatch.setattr(DescentCheckpoints, "resume", watched)
    found = inversion(checkpoints=DescentCheckpoints(tmp_path / "kept"), **settings)
    whole = inversion(**settings)
    same(found, whole)
    due = len(whole.frames.step) - 1
    assert taken[:-1] == [due] * (batches - 1)
    assert 1 < taken[-1] < due


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-100]])
def test_without_a_readable_state_it_begins_anew_and_says_so(damage, tmp_path):
    cut_off(tmp_path / "kept", CONFIG.steps // 2)
    (file,) = (tmp_path / "kept").glob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match="the descent begins anew: .* is damaged"):
        found = inversion(checkpoints=DescentCheckpoints(tmp_path / "kept"))
    same(found, inversion())


def test_where_that_is_asked_for_they_are_let_go(tmp_path):
    """A sweep's worker of another kind takes a cell over that one before it could not finish."""
    cut_off(tmp_path / "kept", CONFIG.steps // 2)
    file = tmp_path / "kept" / "descent.json"
    text = file.read_text()
    for change in ({"sha256": "of another device"}, {"split": [4, 2, 1]}):
        file.write_text(json.dumps({**json.loads(text), **change}))
        with pytest.warns(UserWarning, match="descents begin anew: .* (other descents|4 devices)"):
            found = inversion(checkpoints=DescentCheckpoints(tmp_path / "kept", anew=True))
        same(found, inversion())
        assert json.loads(file.read_text()) == json.loads(text)


def test_other_descents_are_refused(tmp_path):
    cut_off(tmp_path / "kept", CONFIG.steps // 2)
    for other in ({"config": CONFIG.replace(steps=61)}, {"starts": STARTS + 1e-3}, {"frames": 3}):
        with pytest.raises(ValueError, match="holds the state of other descents"):
            inversion(checkpoints=DescentCheckpoints(tmp_path / "kept"), **other)
    file = tmp_path / "kept" / "descent.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "split": [4, 2, 1]}))
    with pytest.raises(ValueError, match="was begun on 4 devices and here are 1"):
        inversion(checkpoints=DescentCheckpoints(tmp_path / "kept"))


def test_a_short_inversion_writes_no_state(tmp_path):
    found = inversion(checkpoints=DescentCheckpoints(tmp_path / "kept"))
    same(found, inversion())
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["descent.json"]
    assert "split" in {field.name for field in dataclasses.fields(found)}
