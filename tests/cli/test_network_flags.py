"""Several networks on one command line: labels, seeds, and weights that do not fit them."""

import jax
import numpy as np
import pytest
from absl.testing import flagsaver
from script_loading import own_flags

import depthjax
from depthjax import cli

MODEL = depthjax.build_model("resnet18", width=2, stage_sizes=(1, 1), num_classes=3)


@pytest.fixture(autouse=True, scope="module")
def _flags():
    with own_flags(cli.define_network_flags):
        yield


def networks(**settings):
    with flagsaver.flagsaver(**settings):
        return cli.networks_from_flags(MODEL, 16)


def kernel(weights):
    return np.asarray(weights.variables["params"]["conv1"]["kernel"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Files of two seeds, and what they hold."""
    folder = tmp_path_factory.mktemp("weights")
    saved = []
    for seed in (3, 5):
        variables = depthjax.init_variables(MODEL, jax.random.key(100 + seed), 16)
        depthjax.save_weights(folder / f"photos_{seed}.safetensors", variables)
        saved.append(np.asarray(variables["params"]["conv1"]["kernel"]))
    return str(folder / "photos_{seed}.safetensors"), saved


def test_every_network_has_the_weights_of_every_seed(trained):
    source, saved = trained
    found = networks(networks=["untrained", f"photos={source}"], seeds=["3", "5"])
    assert list(found) == ["untrained", "photos"]
    for seed, weights in zip((3, 5), found["untrained"], strict=True):
        expected = depthjax.init_variables(MODEL, jax.random.key(seed), 16)["params"]["conv1"]
        np.testing.assert_array_equal(kernel(weights), expected["kernel"])
        assert weights.record == {"source": "untrained"}
        assert not weights.has_trained_head
    for expected, weights, seed in zip(saved, found["photos"], (3, 5), strict=True):
        np.testing.assert_array_equal(kernel(weights), expected)
        assert weights.record["source"] == source.format(seed=seed)
        assert weights.normalization is None and weights.has_trained_head


def test_one_seed_needs_no_place_for_it(trained):
    source = trained[0].format(seed=3)
    found = networks(networks=[f"photos={source}", "other=untrained"], seeds=["7"])
    assert [len(weights) for weights in found.values()] == [1, 1]
    assert found["other"][0].record["source"] == "untrained"


def test_a_control_has_other_seeds():
    found = networks(networks=["untrained", "control=untrained:10{seed}"], seeds=["0", "1"])
    again = networks(networks=["untrained"], seeds=["100", "101"])
    for control, expected in zip(found["control"], again["untrained"], strict=True):
        np.testing.assert_array_equal(kernel(control), kernel(expected))
    assert not np.array_equal(kernel(found["control"][0]), kernel(found["untrained"][0]))
    assert found["control"][1].record == {"source": "untrained:101"}


def test_a_normalization_that_is_asked_for_is_for_all(trained):
    found = networks(
        networks=["untrained", f"photos={trained[0]}"], seeds=["3", "5"], normalization="half"
    )
    assert {weights.normalization.mean for row in found.values() for weights in row} == {(0.5,) * 3}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"networks": []}, "--networks is empty"),
        ({"networks": ["photos"]}, "not of the form label=weights"),
        ({"networks": ["=untrained"]}, "not of the form label=weights"),
        ({"networks": ["photos="]}, "not of the form label=weights"),
        ({"networks": ["untrained", "untrained"]}, "'untrained' twice"),
        ({"networks": ["control=untrained:x{seed}"]}, "'untrained:x0' has no whole number"),
        ({"networks": ["control=untrained:7"]}, "the same weights for each of 3 seeds"),
        ({"networks": ["photos=a.safetensors"]}, r"the same weights for each of 3 seeds.*{seed}"),
        ({"networks": ["photos=no/such_{seed}.safetensors"]}, "unknown weights 'no/such_0"),
        ({"seeds": []}, "--seeds="),
        ({"seeds": ["0", "x"]}, "whole numbers"),
        ({"seeds": ["0", "0"]}, "different"),
        ({"seeds": ["-1"]}, "from 0"),
    ],
)
def test_what_names_no_networks_is_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        networks(**settings)
    assert len(str(error.value).splitlines()) == 1
