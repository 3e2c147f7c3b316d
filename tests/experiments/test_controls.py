"""Networks of which it is known what they keep, and both readings of claim C6, in small."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from script_running import every_flag_file, refused, rows_of, runner, script_fixture, with_flags_of

from depthjax import Layer
from depthjax.claims.stored import load_findings
from depthjax.images import save_png
from depthjax.jacobian import dense_singular_values
from depthjax.studies.controls.measured import reference_distance
from depthjax.studies.controls.networks import WORDS, case_of, semi_orthogonal, variables_of
from depthjax.studies.preimages import trained

SETTINGS = {
    "images": ["astronaut", "chelsea"],
    "size": 4,
    "seeds": ["0", "1"],
    "steps": 60,
    "preimage_size": 4,
    "inits": 3,
    "draws": 20,
    "descent_steps": 5,
}

script = script_fixture("controls")
run = runner(SETTINGS)


@pytest.fixture(scope="module")
def done(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "controls"
    run(script, folder, controls=["orthogonal", "default", "narrow"])
    return folder, rows_of(folder)


def of(rows, control, quantity, layer=None):
    chosen = [r for r in rows if r["control"] == control and layer in (None, r["layer"])]
    return np.array([float(row[quantity]) for row in chosen])


def test_an_orthogonal_network_is_recovered_at_every_depth(done):
    _, rows = done
    assert len(of(rows, "orthogonal", "D")) == 4 * 2 * 2
    assert of(rows, "orthogonal", "D").max() < 1e-4
    np.testing.assert_allclose(of(rows, "orthogonal", "condition_number"), 1, rtol=1e-5)


def test_an_ill_conditioned_one_stays_as_far_away_as_predicted(done):
    _, rows = done
    measured = of(rows, "default", "input_distance")
    np.testing.assert_allclose(measured, of(rows, "default", "predicted"), rtol=1e-3)
    assert of(rows, "default", "D", "fc4").min() > 1
    assert (of(rows, "default", "rank") == 48).all() and of(rows, "default", "lost").max() < 1e-9


def test_what_a_narrow_layer_loses_never_comes_back(done):
    _, rows = done
    assert of(rows, "narrow", "D", "fc1").max() < 1e-4
    for layer in ("fc2", "fc3", "fc4"):
        assert (of(rows, "narrow", "rank", layer) == 24).all()
        lost = of(rows, "narrow", "lost", layer)
        np.testing.assert_allclose(of(rows, "narrow", "input_distance", layer), lost, rtol=1e-4)
        assert (lost > 0.1).all()


def test_findings_say_what_each_control_must_show(done):
    folder, _ = done
    findings = load_findings(folder)
    controls = {f.where: f for f in findings if f.claim == "controls"}
    assert len(controls) == 3 * 4 and all(f.verdict == "supported" for f in controls.values())
    assert controls["narrow, fc1"].statistic == "D"
    assert "P_N" in controls["narrow, fc2"].statistic
    assert "predicted" in controls["default, fc1"].statistic
    claims = [f for f in findings if f.claim == "C6"]
    assert [f.where for f in claims] == ["pre-images, text"] * 3 + ["pre-images, code"] * 3
    assert all((f.interval.seeds, f.interval.images) == (3, 1) for f in claims)


def test_preimages_and_descent_are_of_the_same_networks(done):
    """One network, many sources: κ, and what the paper's recipe makes of it."""
    _, rows = done
    text, code = (f"pre-images, {reading}" for reading in ("text", "code"))
    ratio = of(rows, text, "median_distance") / of(rows, text, "expected_distance")
    np.testing.assert_allclose(of(rows, text, "distance_ratio"), ratio)
    assert set(of(rows, text, "depth")) == {4} and set(of(rows, code, "depth")) == {3}
    assert (of(rows, text, "median_distance") > 1e2 * of(rows, code, "median_distance")).all()
    expected = np.sqrt(48) / 18  # a', which has no network
    np.testing.assert_allclose(of(rows, text, "reference_input_distance"), expected, rtol=0.15)
    assert of(rows, text, "embedding_distance").max() < 5


def test_trained_networks_are_inverted_after_they_have_learned(script, tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "SPLIT", "train[:1000]")
    settings = {"controls": [], "readings": ["text"], "preimage_size": 6, "inits": 2}
    folder = tmp_path / "trained"
    run(script, folder, **settings, trained_on=["untrained", "photographs", "noise"])
    rows = rows_of(folder)
    plain, photographs, noise = (
        of(rows, f"pre-images, text{after}", "training_accuracy")
        for after in ("", ", trained on photographs", ", trained on noise")
    )
    assert np.isnan(plain).all() and photographs.min() > 0.15  # of 12 photographs
    assert noise.min() > 0.01 and noise.max() < 0.2  # of 100 labels that mean nothing
    found = load_findings(folder)
    assert [f.claim for f in found] == ["C6"] * 3 + ["C21"] * 4
    assert sum(f.verdict == "supported" for f in found if f.claim == "C21") >= 2
    unknown = {"trained_on": ["photos"]}
    with pytest.raises(ValueError, match="unknown training set 'photos'"):
        run(script, tmp_path / "other", **settings | unknown)


def test_the_photograph_of_the_preimages_is_the_first_of_a_folder(script, tmp_path):
    (tmp_path / "photographs").mkdir()
    for name in ("b", "a"):
        save_png(tmp_path / "photographs" / f"{name}.png", np.full((4, 4, 3), 0.5))
    settings = {"controls": [], "readings": ["text"], "inits": 2, "draws": 3}
    run(script, tmp_path / "done", images=[str(tmp_path / "photographs")], **settings)
    assert {row["image"] for row in rows_of(tmp_path / "done")} == {"a"}


def test_the_record_is_complete(done):
    folder, rows = done
    config = json.loads((folder / "config.json").read_text())
    assert config["inits"] == 3 and config["readings"] == ["text", "code"]
    assert len(rows) == 3 * 4 * 2 * 2 + 2 * 3
    assert (folder / "figures" / "controls.png").stat().st_size > 5000


def test_an_irevnet_without_couplings_is_orthogonal_and_with_small_ones_nearly():
    """Small couplings change no image's distances by more than a few percent."""
    kappas = []
    for coupling in (0.0, 0.1):
        case = case_of("irevnet", 48)
        variables = variables_of("irevnet", case.model, 0, 4, coupling)
        image = np.random.default_rng(0).random((1, 4, 4, 3))
        layer = Layer(case.model, case.layers[1])
        (values,) = dense_singular_values(layer, variables, image)
        kappas.append(values[0] / values[-1])
    assert kappas[0] == pytest.approx(1) and 1.001 < kappas[1] < 2


@pytest.mark.parametrize("shape", [(5, 5), (6, 3), (3, 6)])
def test_semi_orthogonal_kernels_keep_what_the_smaller_side_allows(shape):
    kernel = semi_orthogonal(np.random.default_rng(0).normal(size=shape))
    assert kernel.shape == shape
    np.testing.assert_allclose(np.linalg.svd(kernel)[1], 1)


def test_the_start_and_the_noisy_copy_are_those_of_every_control():
    assert reference_distance((1, 32, 32, 3)) == pytest.approx(np.sqrt(3072) / 18, rel=0.02)
    a = reference_distance((3, 4, 4, 3))
    assert a == reference_distance((1, 4, 4, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"controls": ["orthogonl"]}, "did you mean 'orthogonal'"),
        ({"readings": ["words"]}, "unknown reading 'words'"),
        ({"images": ["astronaut", "nothing.png"]}, "nothing.png"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(settings, message, script, tmp_path):
    with refused(message, tmp_path / "run") as folder:
        run(script, folder, **settings)


@every_flag_file("controls_[qc]*")
def test_flag_files_ask_for_every_control(file, script):
    """Those that are not of one claim alone."""
    with with_flags_of(script, file) as flags:
        assert flags.inits >= 10 and set(flags.controls) == set(WORDS) and flags.size % 4 == 0


def test_jax_stays_in_single_precision(done):
    assert jnp.zeros(1).dtype == jnp.float32 and not jax.config.jax_enable_x64
