"""Progress bars: in terminals and notebooks, nowhere else."""

import sys

import jax
import jax.numpy as jnp

import depthjax
from depthjax.cli import bars


def test_a_bar_is_shown_in_notebooks_and_not_in_files(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with bars.DescentBar("conv1", 3) as bar:
        assert bar._steps.disable
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    with bars.DescentBar("conv1", 3) as bar:
        assert not bar._steps.disable


def test_a_call_shows_its_own_bar_and_changes_nothing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    weights = {"w": jnp.ones((12, 4))}
    config = depthjax.InversionConfig(steps=6)

    def layer(weights, images):
        return images.reshape(len(images), -1) @ weights["w"]

    images = jax.random.uniform(jax.random.key(0), (1, 2, 2, 3))
    heard = []
    told = [
        depthjax.autoencode(jax.random.key(1), layer, weights, images, config, **options)
        for options in ({}, {"progress": True, "on_progress": lambda *told: heard.append(told)})
    ]
    assert "6/6" in capsys.readouterr().err and heard[-1][0].step == 6
    assert (told[0].images == told[1].images).all()


def test_a_terminal_hears_what_begins_and_a_log_what_has_ended(monkeypatch, capsys):
    def heard():
        bars.say_begun("compiling conv1 (1/2)")
        bars.say_done("conv1 (1/2): done in 3 s")
        return capsys.readouterr().err

    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert heard() == "conv1 (1/2): done in 3 s\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert heard() == "compiling conv1 (1/2)…\n"
    monkeypatch.setattr(bars.processes, "is_first", lambda: False)
    assert heard() == ""
