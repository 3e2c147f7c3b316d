"""The script writes numbers that are those of the library, and goes on where it was cut off."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.inversion.reference import ReferenceNoise, reference_distances
from depthjax.jacobian import dense_singular_values, information_of_values

SETTINGS = {
    "model": "resnet18",
    "model_field": ["width=4", "stage_sizes=1,1", "num_classes=3"],
    "networks": ["untrained"],
    "seeds": ["0", "1"],
    "images": ["astronaut", "chelsea"],
    "size": 8,
    "layers": "conv1,layer1:layer2",
    "probes": 2,
    "moment_probes": 2,
}

script = script_fixture("jacobian")
run = runner(SETTINGS)


def test_numbers_findings_and_figures(script, tmp_path, capsys):
    output = tmp_path / "run"
    run(script, output)
    rows = rows_of(output)
    assert len(rows) == 3 * 2 * 2
    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1, 1), num_classes=3)
    _, photographs = depthjax.images.load_images(("astronaut", "chelsea"), 8)
    variables = depthjax.init_variables(model, jax.random.key(1), 8)
    layer = depthjax.Layer(model, "layer2")
    exact = dense_singular_values(layer, variables, np.asarray(photographs, np.float32)[1:])
    last = rows[-1]
    assert (last["seed"], last["layer"], last["image"], last["method"]) == (
        *("1", "layer2", "chelsea"),
        "dense",
    )
    np.testing.assert_allclose(float(last["sigma_1"]), exact[0, 0], rtol=1e-5)
    noise = float(last["noise_std"])
    reference = reference_distances(
        layer, variables, jnp.asarray(photographs[1:]), ReferenceNoise(jax.random.key(0))
    )
    np.testing.assert_allclose(
        noise, reference.embedding_distance[0] / int(last["outputs"]) ** 0.5, rtol=1e-4
    )
    found = information_of_values(exact, prior_std=0.25, noise_std=noise)
    np.testing.assert_allclose(float(last["bits_low"]), found.bits.low, rtol=1e-5)
    assert last["bits_low"] == last["bits_high"] and float(last["bits_error"]) == 0
    assert int(last["rank_bound"]) >= (exact > 1e-10 * exact[0, 0]).sum()
    claims = {finding["claim"] for finding in json.loads((output / "findings.json").read_text())}
    assert claims == {"C9", "C16", "C16, contrast"}
    figures = {path.name for path in (output / "figures").iterdir()}
    assert {"depth.png", "spectra.png", "ball.pdf"} <= figures
    printed = capsys.readouterr().out
    for column in ("can pass", "particip.", "> 1e-3", "κ", "bits", "eff. dim."):
        assert printed.count(column) >= 2  # in the table and in the legend

    # As if it had been cut off before the last layer.
    before = (output / "results.csv").read_text(), (output / "findings.json").read_text()
    (output / "pieces" / "untrained_1_layer2.json").unlink()
    kept = (output / "pieces" / "untrained_0_conv1.json").stat().st_mtime_ns
    run(script, output, resume=True)
    assert (output / "pieces" / "untrained_0_conv1.json").stat().st_mtime_ns == kept
    again = rows_of(output)
    assert [row | {"seconds": ""} for row in again] == [row | {"seconds": ""} for row in rows]
    assert (output / "findings.json").read_text() == before[1]
    with pytest.raises(ValueError, match="already holds a run"):
        run(script, output)
    with np.load(output / "images.npz") as begun:
        np.savez(output / "images.npz", targets=1 - begun["targets"])
    with pytest.raises(ValueError, match="is another one than it was begun with"):
        run(script, output, resume=True)
    (output / "images.npz").unlink()
    with pytest.raises(ValueError, match="is damaged"):
        run(script, output, resume=True)


def test_products_alone(script, tmp_path):
    output = tmp_path / "run"
    run(script, output, spectra="products", seeds=["0"], images=["astronaut"], layers="layer1")
    (row,) = rows_of(output)
    assert row["method"] == "products"
    for quantity in ("above_1e-2", "bits", "effective_dimension"):
        assert 0 < float(row[f"{quantity}_low"]) <= float(row[f"{quantity}_high"])
    assert float(row["effective_dimension_high"]) <= int(row["rank_bound"])


def test_products_prove_that_the_first_convolution_loses_nothing(script, tmp_path):
    output = tmp_path / "run"
    run(script, output, spectra="products", seeds=["0"], layers="conv1,layer1", model_field=[])
    rows = rows_of(output)
    for row in rows[:2]:  # products find a larger value than the smallest, and prove a smaller one
        assert 0 < float(row["least_of_all"]) < float(row["least_nonzero"])
    assert [row["least_of_all"] for row in rows[2:]] == [""] * 2
    parts = {
        finding["part"]: finding["verdict"]
        for finding in json.loads((output / "findings.json").read_text())
    }
    assert parts["conv1_injective"] == "supported"


def test_bad_input_writes_nothing(script, tmp_path):
    with refused("unknown layer", tmp_path / "run") as folder:
        run(script, folder, layers="layer9")
