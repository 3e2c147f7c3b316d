"""Solutions of tiny networks, compared, from photographs to findings."""

from dataclasses import replace

import numpy as np
import pytest
from reading_figures import assert_readable, everything_said, pictures
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.analysis.uniqueness import far_starts, uniqueness
from depthjax.claims.stored import load_findings
from depthjax.studies.uniqueness.drawn import draw
from depthjax.studies.uniqueness.measured import Solutions

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


def test_restarts_that_are_not_matched_are_drawn_last_and_pale(folder):
    """Of the narrow layer, at a ρ that parts its restarts."""
    descents = depthjax.load_run(folder / "descents" / "untrained_0" / "converging")
    arrays = descents.layers["fc2"]
    rho = arrays["embedding_ratio"][:, 0]
    order = np.argsort(rho)
    level = float(np.sqrt(rho[order[0]] * rho[order[1]]))
    compared = {
        "fc2": uniqueness(
            arrays["images"],
            descents.targets,
            arrays["embedding_ratio"],
            arrays["reference_input_distance"][0],
            level=level,
        )
    }
    only = replace(descents, layers={"fc2": arrays})
    solutions = Solutions("untrained", 0, only, compared, {}, {})
    _, figure = next(iter(draw([solutions], level)))
    assert_readable(figure)
    assert everything_said(figure).count(f"not matched (ρ > {level:g})".split(" (")[0]) == 2
    _, first, *others, _ = (np.asarray(one.get_array(), float) for one in pictures(figure))
    assert np.allclose(first, np.clip(arrays["images"][order[0], 0], 0, 1), atol=0.01)
    rest = [restart for restart in range(3) if restart != order[0]]
    for drawn, restart in zip(others, rest, strict=True):
        pale = 0.25 * np.clip(arrays["images"][restart, 0], 0, 1) + 0.75 * 0.8
        assert np.allclose(drawn, pale, atol=0.01)
