"""Sums of pieces: the same in Python as in text, and what is no sum."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import depthjax
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.terms import Sum, Term, as_sum, term

weights = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: value != 0)
layers = st.sampled_from(["", "layer1", "layer3.0.conv2", "features.14", "/block/Conv_3"])


def own(embedding, target):
    return ((embedding - target) ** 4).sum(tuple(range(1, embedding.ndim)))


parts = st.sampled_from(["", "...,0:16", "2:-1,:3", "-1"])
terms = st.builds(Term, st.sampled_from(sorted(OBJECTIVES)), weights, layers, parts)


@given(st.lists(terms, min_size=1))
def test_text_is_read_as_it_is_written(terms):
    assert as_sum(str(Sum(terms))) == Sum(terms)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("l1", term("l1")),
        (" 0.5*l2@layer1+cosine@layer3", 0.5 * term("l2", at="layer1") + "cosine@layer3"),
        ("tv:1e-3 + range:1", 1e-3 * term("tv") + "range"),
        ("2e+1*l1 + 1e-2*l2", 20 * term("l1") + 0.01 * term("l2")),
        ("2 * l1:3", 6 * term("l1")),
        ("l1[..., 0:4]:2@layer1", 2 * term("l1", at="layer1", where="...,0:4")),
        ("tv[2:,-3:]:1e-3 + my.own:f[0]", 1e-3 * term("tv", where="2:,-3:") + "my.own:f[0]"),
        ("-1*l2 + my.own:f:.5", "-1*l2" + 0.5 * term("my.own:f")),
    ],
)  # fmt: skip
def test_what_can_be_written(text, value):
    assert as_sum(text) == value


@pytest.mark.parametrize("text", ["", "l1 +", "0.5", "l1 l2", "l1*0.5", "0.5*", "@layer1", "l1@"])
def test_what_is_no_sum(text):
    with pytest.raises(ValueError, match="is no term; write name"):
        as_sum(text)


def test_sums_are_values():
    one, other = 0.5 * term(own) + "l1", 0.5 * term(own) + term("l1")
    assert one == other and hash(one) == hash(other) and one != 0.4 * term(own) + "l1"
    assert str(one) == f"0.5*{own.__module__}:own + l1"
    with pytest.raises(ValueError, match=r"the weight of nan\*l1 must be finite, got nan"):
        float("nan") * term("l1")


@pytest.mark.parametrize(
    ("field", "given", "message"),
    [
        ("objective", "cosin@layer3", "unknown objective 'cosin'; did you mean 'cosine'"),
        ("penalty", "tv + rnge", "unknown penalty 'rnge'; did you mean 'range'"),
        ("penalty", "tv@layer1", "a penalty is of the image, and 'tv@layer1' is of 'layer1'"),
        ("objective", "inf*l1", "is no term"),
    ],
)
def test_a_config_refuses_what_is_not_there(field, given, message):
    with pytest.raises(ValueError, match=message):
        InversionConfig(**{field: given})


def test_a_config_keeps_names_as_text_and_compiles_no_weight():
    config = InversionConfig(objective=0.5 * term("l1") + "cosine", penalty=1e-3 * term("tv"))
    assert (config.objective, config.penalty) == ("0.5*l1 + cosine", "0.001*tv")
    assert config == InversionConfig(objective="l1:0.5+cosine", penalty="tv:0.001")
    other = config.replace(objective="0.7*l1 + 2*cosine", penalty="tv:3")
    assert other.structure == config.structure
    assert config.replace(objective="cosine + 0.5*l1").structure != config.structure


def test_a_function_of_a_module_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text("def far(e, t):\n    return abs(e - t).max(-1)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        config = InversionConfig(objective="2*my_losses:far")
        assert config.objective == "2*my_losses:far"
        with pytest.raises(ValueError, match="unknown function 'fa'; did you mean 'far'"):
            InversionConfig(objective="my_losses:fa")
        with pytest.raises(ValueError, match="no module 'my_loses' for the objective"):
            InversionConfig(objective="my_loses:far")
    finally:
        sys.modules.pop("my_losses", None)


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("...,1:3", np.s_[:, ..., 1:3]),
        ("2:4,:2", np.s_[:, 2:4, :2]),
        ("-1", np.s_[:, -1:]),
        ("...,0", np.s_[:, ..., :1]),
    ],
)
def test_a_part_is_numpys(where, index):
    array = jnp.arange(2 * 5 * 4 * 3.0).reshape(2, 5, 4, 3)
    np.testing.assert_array_equal(Term("l1", where=where).part_of(array), array[index])


@pytest.mark.parametrize("where", ["7:", "0,0,0,0", "...,...", "3:2", "...,9"])
def test_a_part_that_is_not_there(where):
    with pytest.raises(ValueError, match=r"is of no part of what has the shape \(5, 4, 3\)"):
        Term("l1", where=where).part_of(jnp.zeros((2, 5, 4, 3)))


@pytest.mark.parametrize("where", ["a", "1:2:3", "0:1;2"])
def test_what_is_no_part(where):
    with pytest.raises(ValueError, match="a part must be an index such as"):
        term("l1", where=where)


def test_a_descent_of_a_part_knows_nothing_else():
    """Channel 1 of an embedding is channel 1 of the image: the others stay where they begin."""

    def layer(variables, images):
        return images * variables["scale"]

    variables, start = {"scale": jnp.ones(())}, jnp.full((1, 3, 3, 3), 0.5)
    target = jnp.zeros((1, 3, 3, 3))
    config = InversionConfig(objective="l2[...,1]", penalty="range[0:1]", steps=30)
    found = depthjax.invert(layer, variables, target, start, config).images
    np.testing.assert_array_equal(found[..., [0, 2]], 0.5)
    assert (found[..., 1] < 0.2).all()
    with pytest.raises(ValueError, match=r"l2\[9:\] is of no part"):
        depthjax.invert(layer, variables, target, start, config.replace(objective="l2[9:]"))
