"""Descents of a study: one that was cut off within a layer goes on where it stood."""

from functools import partial
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from two_processes import CONFIG, IMAGES, STARTS, WEIGHTS, layer

import depthjax
from depthjax.folders import run_writer
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.inversion.state import NON_FINITE
from depthjax.studies import descents
from depthjax.studies.descents import Descents, check


def begun(folder):
    """A study of one network and layer, and what its descent takes."""
    weights, images, starts = (array.astype(np.float32) for array in (WEIGHTS, IMAGES, STARTS))
    one = Descents(folder, "net", 0, "only", CONFIG, {"first": layer}, weights, {})
    one.begin({"images": list("abcde")}, images, starts)
    references = check([one], images, jax.random.key(0))
    return one, ("first", images, starts, references["net", 0, "first"])


def test_a_layer_that_was_cut_off_goes_on_where_it_stood(tmp_path, monkeypatch):
    whole, arguments = begun(tmp_path / "whole")
    whole.recover(*arguments)
    # Every state is kept, and the power fails after the first.
    monkeypatch.setattr(run_writer, "DescentCheckpoints", partial(DescentCheckpoints, seconds=0.0))
    keep, resumed = DescentCheckpoints.keep, []

    def failing(self, *given, **settings):
        keep(self, *given, **settings)
        raise KeyboardInterrupt

    def watched(self, *given):
        kept = resume(self, *given)
        resumed.append(None if kept is None else int(kept.state.step.max()))
        return kept

    resume = DescentCheckpoints.resume
    monkeypatch.setattr(DescentCheckpoints, "resume", watched)
    cut, arguments = begun(tmp_path / "cut")
    with monkeypatch.context() as power:
        power.setattr(DescentCheckpoints, "keep", failing)
        with pytest.raises(KeyboardInterrupt):
            cut.recover(*arguments)
    assert not cut.done("first")
    cut.recover(*arguments)
    assert resumed[0] is None and 0 < resumed[1] < CONFIG.steps
    one, other = (depthjax.load_run(study.folder).layers["first"] for study in (whole, cut))
    np.testing.assert_array_equal(one["images"], other["images"])
    assert not (cut.folder / "unfinished").exists()


def test_no_rate_that_stays_finite_is_said_in_one_line_that_names_the_layer(
    monkeypatch,
):
    nowhere = SimpleNamespace(objective=np.full((1, 1), np.nan))
    lost = SimpleNamespace(trajectory=nowhere, status=np.array([NON_FINITE]))
    monkeypatch.setattr(descents, "invert", lambda *_: lost)
    model = depthjax.build_model("mlp", widths=(4, 3))
    variables = depthjax.init_variables(model, jax.random.key(0), 2)
    images = np.zeros((1, 2, 2, 3), np.float32)
    config = depthjax.InversionConfig(steps=1)
    with pytest.raises(ValueError, match="descents from fc1 stay finite") as error:
        layer = depthjax.Layer(model, "fc1")
        descents.best_rate(layer, variables, images, images, config, [1.0])
    assert "\n" not in str(error.value)
