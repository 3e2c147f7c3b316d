"""Several networks on one command line: labels, seeds, and weights that do not fit them."""

import jax
import numpy as np
import pytest
from absl.testing import flagsaver
from script_loading import own_flags

import depthjax
from depthjax import cli
from depthjax.models.normalization import as_normalization
from depthjax.studies.networks import places, single_networks, weight_records
from depthjax.weights import calibrated, crops_for

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
        assert weights.record == {"source": "untrained", "seed": seed}
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
    assert found["control"][1].record == {"source": "untrained:101", "seed": 101}


def test_one_trained_network_beside_several_seeds_is_loaded_once(trained):
    """Of its controls there is one for each seed, but for those in which nothing is drawn."""
    file = trained[0].format(seed=3)
    sources = {
        "untrained": "untrained",
        "trained": file,
        "again": f"calibrated:{file}",
        "calibrated": "calibrated:untrained",
        "shuffled": f"calibrated:shuffled:{file}",
    }
    found = networks(networks=[f"{k}={v}" for k, v in sources.items()], seeds=["0", "1", "2"])
    assert list(found) == list(sources)
    assert {label: len(of_seeds) for label, of_seeds in found.items()} == {
        "untrained": 3, "trained": 1, "again": 1, "calibrated": 3, "shuffled": 3,
    }  # fmt: skip
    assert single_networks(found) == ("trained", "again")
    for label in ("untrained", "calibrated", "shuffled"):
        assert [weights.record["seed"] for weights in found[label]] == [0, 1, 2]
        assert not np.array_equal(*map(kernel, found[label][:2]))
    assert len(places(MODEL, ["conv1", "layer1"], found, [0, 1, 2])) == (3 + 1 + 1 + 3 + 3) * 2


def test_untrained_networks_and_their_statistics_see_pixels_as_trained_ones_do(tmp_path):
    """In whatever order they are named; one of them may be told to see them as they are."""
    file = tmp_path / "half.safetensors"
    variables = depthjax.init_variables(MODEL, jax.random.key(1), 16)
    depthjax.save_weights(file, variables, normalization="half")
    names = ["untrained", "calibrated=calibrated:untrained", f"raw=unnormalized:{file}"]
    found = networks(networks=[*names, f"trained={file}"], seeds=["0"])
    half = as_normalization("half")
    assert [weights[0].normalization for weights in found.values()] == [half, half, None, half]
    images, _ = crops_for(MODEL, 16)
    expected = calibrated(MODEL, found["untrained"][0].variables, images, half)
    jax.tree.map(np.testing.assert_array_equal, found["calibrated"][0].variables, expected)
    assert weight_records(found)["calibrated"][0]["normalization"] == half._asdict()
    plain = networks(networks=names[:2], seeds=["0"])
    assert plain["calibrated"][0].normalization is None
    other = tmp_path / "imagenet.safetensors"
    depthjax.save_weights(other, variables, normalization="imagenet")
    with pytest.raises(ValueError, match=r"do not normalise pixels alike.*unnormalized:"):
        networks(networks=[f"a={file}", f"b={other}"], seeds=["0"])


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
        ({"networks": ["control=untrained:7"]}, "the same initialisation for each of 3 seeds"),
        ({"networks": ["a=calibrated:untrained:7"]}, r"the same initialisation.*write {seed}"),
        ({"networks": ["photos=no/such.safetensors"]}, "unknown weights 'no/such.saf"),
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
