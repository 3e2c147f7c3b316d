"""Solutions of tiny networks, compared, from photographs to findings."""

import numpy as np
import pytest
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.analysis.uniqueness import far_starts
from depthjax.claims.stored import load_findings

# A square layer, which keeps all, and a narrow one.
SMALL = {
    "model": "mlp",
    "model_field": ["widths=192,20"],
    "layers": "fc1,fc2",
    "seeds": ["0", "1", "2"],
    "images": ["chelsea", "coffee", "astronaut"],
    "size": 8,
    "steps": 150,
    "preset": "fast",
    "fourier_decay": 0.0,
    "restarts": 3,
    "matched_ratio": 0.3,
    "push_rounds": 2,
    "push_steps": 60,
}
script = script_fixture("uniqueness")
run = runner(SMALL)


@pytest.fixture(scope="module")
def folder(script, tmp_path_factory):
    output = tmp_path_factory.mktemp("uniqueness") / "mlp"
    run(script, output)
    return output


def test_rows_are_those_of_the_restarts(folder):
    rows = rows_of(folder)
    assert len(rows) == 2 * 3 * 3
    descents = depthjax.load_run(folder / "descents" / "untrained_1" / "converging")
    assert descents.starts.shape == (3, 3, 8, 8, 3)
    assert descents.config["inversion"]["start"] == list(far_starts(3))
    narrow = descents.layers["fc2"]
    (row,) = (r for r in rows if (r["layer"], r["seed"], r["image"]) == ("fc2", "1", "coffee"))
    assert int(row["matched"]) == (narrow["embedding_ratio"][:, 1] <= 0.3).sum() > 1
    images = narrow["images"][:, 1]
    pairs = [np.linalg.norm(images[i] - images[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    far = np.mean(pairs) / narrow["reference_input_distance"][0, 1]
    assert float(row["mean_between"]) == pytest.approx(far, rel=1e-4)


def test_a_narrow_layer_has_more_solutions_and_alone_a_vote(folder):
    rows = rows_of(folder)
    between = {
        layer: np.mean([float(row["mean_between"]) for row in rows if row["layer"] == layer])
        for layer in ("fc1", "fc2")
    }
    assert between["fc1"] < 1 < between["fc2"]
    found = load_findings(folder)
    assert {one.layer for one in found if one.part} == {"fc2"}
    assert [one.measured.table.shape for one in found] == [(3, 3)] * 2
    assert (folder / "figures" / "uniqueness_untrained_chelsea.png").stat().st_size > 5000
    assert "D between" in (folder / "report.html").read_text()


def test_one_restart_is_refused_before_anything_is_written(script, tmp_path):
    with refused("give several restarts", tmp_path / "one") as folder:
        run(script, folder, restarts=1)


def test_solutions_that_are_pushed_apart_differ_more(script, folder):
    rows = rows_of(folder)
    before, after = (
        np.array([float(row[name]) for row in rows]) for name in ("mean_between", "pushed_between")
    )
    assert (after >= before - 1e-6).all()
    narrow = np.array([row["layer"] == "fc2" for row in rows])
    assert (after[narrow] > 1.05 * before[narrow]).mean() > 0.5
    assert (folder / "figures" / "apart_untrained_chelsea.png").stat().st_size > 5000
    assert "pushed apart" in (folder / "summary.md").read_text()
    kept = folder / "arrays" / "untrained_0_fc2.npz"
    written = kept.stat().st_mtime_ns
    (folder / "results.csv").unlink()
    run(script, folder, resume=True)
    assert rows_of(folder) == rows and kept.stat().st_mtime_ns == written
