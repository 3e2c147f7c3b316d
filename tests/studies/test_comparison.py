"""The descents of a comparison, the settings that make them what they are called, its judges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax.inversion.config import InversionConfig
from depthjax.models.labels import IMAGENET_CLASSES
from depthjax.models.normalization import as_normalization
from depthjax.studies.classifier import Classifier, head_of
from depthjax.studies.comparison import judges as comparison_judges
from depthjax.studies.comparison.judges import (
    Judges,
    as_many_classes,
    class_evidence,
    class_judges,
    log_odds,
)
from depthjax.studies.comparison.numbers import Comparison
from depthjax.studies.comparison.setting import BLURRED, CONDITIONS, PLAIN, conditions
from depthjax.studies.descents import CONVERGING, descents_of
from depthjax.weights import Weights

PAPER = InversionConfig.paper(steps=4)


def test_conditions_differ_in_what_they_are_called_by():
    found = conditions(InversionConfig(steps=9, record_every=3), PAPER)
    assert tuple(found) == CONDITIONS
    assert found[CONVERGING] == InversionConfig(steps=9, record_every=1)
    assert found[BLURRED] == PAPER and found[PLAIN] == PAPER.replace(blur=False) != PAPER


def test_all_conditions_have_the_same_starts():
    found = conditions(InversionConfig(restarts=3, start=("flat", "uniform")), PAPER)
    assert {(one.restarts, one.start) for one in found.values()} == {(3, ("flat", "uniform"))}
    with pytest.raises(ValueError, match="with blur=False"):
        conditions(InversionConfig(blur=True), PAPER)


def test_every_network_and_seed_descends_under_every_condition(tmp_path):
    networks = {
        label: [Weights(f"{label}{seed}", None, True, {"source": label}) for seed in (5, 7)]
        for label in ("untrained", "photos")
    }
    made = conditions(InversionConfig(), PAPER)
    found = descents_of(
        *(tmp_path, networks, [5, 7], lambda weights: {}, made), rates=(0.1, 1.0), frames=6
    )
    assert len({one.folder for one in found}) == len(found) == 2 * 2 * 3
    for one in found:
        assert one.variables == f"{one.network}{one.seed}" and one.config == made[one.condition]
        assert one.rates == ((1.0,) if one.condition == CONVERGING else (0.1, 1.0))
        assert one.frames == (6 if one.seed == 5 or one.condition == CONVERGING else 0)


def test_one_trained_network_descends_once_and_is_compared_with_every_seed(tmp_path):
    """Its numbers are `[1, B]`; of its difference from a control the control's seeds are rows."""
    networks = {
        "trained": [Weights("one", None, True, {"source": "file"})],
        "untrained": [Weights(s, None, False, {"source": "untrained", "seed": s}) for s in (5, 7)],
    }
    made = {CONVERGING: InversionConfig()}
    layers = lambda w: {"fc1": lambda *_: w.variables}  # noqa: E731
    found = descents_of(tmp_path, networks, [5, 7], layers, made)
    places = [(one.network, one.seed) for one in found]
    assert places == [("trained", 5), ("untrained", 5), ("untrained", 7)]
    assert [one.layers["fc1"](0, 0) for one in found] == ["one", 5, 7]
    values = np.arange(2 * 2 * 1 * 3.0).reshape(2, 2, 1, 3)
    values[0, 1] = np.nan  # was not run
    values[1, 0, 0, 2] = np.nan  # was not reached
    tables = {(CONVERGING, "steps"): values, (PLAIN, "ssim"): np.full_like(values, np.nan)}
    compared = Comparison(("trained", "untrained"), (5, 7), ("fc1",), ("a", "b", "c"), tables)
    assert compared.seeds_of == {"trained": 1, "untrained": 2}
    pair = [compared.of(CONVERGING, "steps", label, "fc1") for label in compared.networks]
    assert pair[0].shape == (1, 3)
    np.testing.assert_array_equal(pair[1] - pair[0], [[6, 6, np.nan], [9, 9, 9]])
    assert compared.of(PLAIN, "ssim", "trained", "fc1").shape == (1, 3)
    rows = compared.rows()
    assert {(row["network"], row["seed"]) for row in rows} == set(places)
    steps = [row["steps"] for row in rows if row["condition"] == CONVERGING]
    np.testing.assert_array_equal(steps, [*values[0, 0, 0], *values[1].ravel()])


def test_classes_are_read_by_the_network_of_the_next_seed():
    model = depthjax.build_model("mlp", widths=(4, 2))
    photos = [Weights(number, None, True, {}) for number in range(3)]
    judges = class_judges(model, {"photos": photos}, "", 8)
    assert [judge.variables for judge in judges] == [1, 2, 0]
    assert judges[0].head == depthjax.Layer(model, "fc2")
    assert class_judges(model, {"photos": photos[:1]}, "", 8) == []
    assert class_judges(model, {"untrained": photos}, "", 8) == []


def test_a_third_network_sees_pixels_as_it_was_trained(tmp_path):
    """However those that are compared see them."""
    model = depthjax.build_model("mlp", widths=(4, 2))
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    file = tmp_path / "judge.safetensors"
    depthjax.save_weights(file, variables, model=model, normalization="half")
    untrained = [Weights(variables, None, False, {"source": "untrained"})]
    (judge,) = class_judges(model, {"untrained": untrained}, str(file), 8)
    assert judge.head.normalization == as_normalization("half")


def test_how_sure_a_classifier_is():
    logits = np.array([[0.0, 0.0], [np.log(3), 0.0], [1000.0, 0.0], [0.0, 800.0]])
    probability, odds = class_evidence(logits)
    np.testing.assert_allclose(probability, [0.5, 0.75, 1, 1])
    np.testing.assert_allclose(odds, [0, np.log(3), 1000, 800], atol=1e-12)
    probability, odds = class_evidence(np.log([[0.2, 0.5, 0.3]]) + 7)
    np.testing.assert_allclose([probability[0], odds[0]], [0.5, 0.0], atol=1e-12)


def test_the_odds_of_one_class():
    logits = np.log([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]]) - 4
    np.testing.assert_allclose(log_odds(logits, np.array([0, 1])), np.log([0.25, 1.0]), atol=1e-12)


def brightness(variables, images):
    """A classifier of ImageNet's classes: 0 for bright images, 1 for dark ones."""
    bright = images.mean((1, 2, 3))
    rest = jnp.full((len(images), IMAGENET_CLASSES - 2), -20.0)
    return jnp.concatenate([jnp.stack([4 * bright, 2 - 0 * bright], 1), rest], 1)


def test_the_class_of_the_target_is_looked_for_in_what_was_recovered(monkeypatch):
    targets = np.stack([np.full((4, 4, 3), value, np.float32) for value in (1.0, 0.0)])
    starts, back = np.full_like(targets, 0.5), np.stack([targets, 1 - targets, 2 * targets])
    judges = Judges([Classifier(brightness, {})])
    looks, embed_flat = [], comparison_judges.embed_flat
    monkeypatch.setattr(
        comparison_judges, "embed_flat", lambda *what: looks.append(1) or embed_flat(*what)
    )
    of_targets = judges.of_targets(targets, starts)
    found = judges.read(0, ["chelsea", "moon"], of_targets, back)
    again = judges.read(0, ["chelsea", "moon"], of_targets, back[:1])
    assert len(looks) == 2 + 2, "at targets and starts once"
    np.testing.assert_array_equal(again["target_log_odds"], found["target_log_odds"][:1])
    near = {"rtol": 0.02}
    np.testing.assert_allclose(found["target_log_odds"], [[2, 2], [-2, -2], [2, 2]], **near)
    np.testing.assert_allclose(found["target_log_odds_target"], [[2, 2]] * 3, **near)
    np.testing.assert_allclose(found["target_log_odds_start"], [[0, 0]] * 3, atol=0.1)
    np.testing.assert_allclose(found["class_log_odds"], [[2, 2]] * 3, **near)
    assert found["in_imagenet"].tolist() == [[1, 0]] * 3


def test_a_judge_of_other_classes_is_told_from_one_of_the_same():
    model = depthjax.build_model("mlp", widths=(4, 2))
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    shape = (2, 8, 8, 3)
    network, other = Classifier(depthjax.Layer(model, "fc2"), variables), Classifier(brightness, {})
    assert as_many_classes(network, network, shape)
    assert not as_many_classes(network, other, shape)
    own, held = depthjax.as_network(
        lambda weights, images: {"head": images.mean((1, 2)) * weights[None]},
        jnp.ones(3),
        jnp.ones(shape),
    )
    assert not as_many_classes(Classifier(head_of(own), held), other, shape)
