"""Metamers of tiny networks, from photographs to verdicts, and the null that invert.py takes."""

import numpy as np
import pytest
from script_loading import loaded
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.folders.nulls import load_null

# A square layer, which keeps all, and a narrow one; images by name make the null.
NATURAL = ["moon", "brick", "grass", "gravel", "rocket", "china", "flower", "cell"]
SMALL = {
    "model": "mlp",
    "model_field": ["widths=192,20"],
    "layers": "fc1,fc2",
    "seeds": ["0", "1"],
    "images": ["chelsea", "coffee", "astronaut"],
    "size": 8,
    "steps": 150,
    "preset": "fast",
    "fourier_decay": 0.0,
    "null_images": NATURAL,
    "null_pairs": 28,
}
script = script_fixture("metamers")
run = runner(SMALL)


@pytest.fixture(scope="module")
def folder(script, tmp_path_factory):
    output = tmp_path_factory.mktemp("metamers") / "mlp"
    run(script, output)
    return output


def test_a_row_says_all_of_the_verdict(folder):
    rows = rows_of(folder)
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        exceeded = [
            float(row[name]) > float(row[f"null_{name}"]) for name in ("spearman", "pearson", "snr")
        ]
        whole = all(exceeded) and row["same_label"] == "True"
        assert row["metamer"] == ("passed" if whole else "failed")
        assert row["same_label"] == str(row["label"] == row["target_label"])
        assert row["recognised_by_untrained"] in ("True", "False")
        assert row["snr_at_" + row["layer"]] == row["snr"] != row["snr_at_fc1"] or (
            row["layer"] == "fc1"
        )
    passed = [row["metamer"] == "passed" for row in rows]
    assert sum(passed) > 0


def test_the_tables_count_what_the_rows_say(folder):
    rows, summary = rows_of(folder), (folder / "summary.md").read_text()
    count = sum(row["metamer"] == "passed" for row in rows if row["layer"] == "fc1")
    assert f"| fc1   | untrained |   {count} of 6 |" in summary
    assert "28 pairs of 8 images of 8 photographs (8 files), 8×8×3" in summary
    assert (folder / "figures" / "metamers.png").stat().st_size > 5000
    assert "metamer" in (folder / "report.html").read_text()


def test_a_null_is_kept_and_belongs_to_one_network(folder, tmp_path):
    files = sorted((folder / "nulls").iterdir())
    assert [file.name for file in files] == ["untrained_0.npz", "untrained_1.npz"]
    null = load_null(files[0])
    assert null.pairs == 28 and set(null.layers) == {"fc1", "fc2"}
    assert null.images["photographs"] == 8 and len(null.network["weights"]) == 64
    with pytest.raises(ValueError, match="no null distribution at"):
        load_null(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="holds no null distribution but targets, starts"):
        load_null(folder / "inputs.npz")
    asked = {name: SMALL[name] for name in ("model", "model_field", "images", "size", "preset")}
    invert = runner({**asked, "layers": "fc1", "steps": 150, "fourier_decay": 0.0, "frames": 0})
    with loaded("invert") as of_invert:
        there = {"metamer_null": str(files[0])}
        invert(of_invert, tmp_path / "run", **there)
        with refused("null distribution is of another network", tmp_path / "other") as folder:
            invert(of_invert, folder, weights_seed=1, **there)
    rows = rows_of(tmp_path / "run")
    found = depthjax.load_run(tmp_path / "run").layers["fc1"]
    assert [row["metamer"] for row in rows] == [
        "passed" if one else "failed" for one in found["metamer"][0]
    ]
    assert float(rows[0]["snr"]) == pytest.approx(float(found["snr"][0, 0]))
    np.testing.assert_array_less(null.quantile("fc1", 1.0).snr, found["snr"][found["metamer"]])


def test_what_was_cut_off_goes_on_with_the_nulls_that_are_there(script, folder):
    rows, kept = rows_of(folder), folder / "nulls" / "untrained_0.npz"
    made = kept.stat().st_mtime_ns
    (folder / "results.csv").unlink()
    (folder / "nulls" / "untrained_1.npz").unlink()
    run(script, folder, resume=True)
    assert rows_of(folder) == rows and kept.stat().st_mtime_ns == made
    with pytest.raises(ValueError, match="null_seed"):
        run(script, folder, resume=True, null_seed=1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"judges": ["resnet18"]}, "'resnet18' is no judge of the form MODEL=WEIGHTS"),
        ({"judges": ["untrained=untrained"]}, "two networks that judge are called 'untrained'"),
        ({"null_pairs": 29}, "8 photographs, which make 28 pairs, and 29 were asked for"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_is_written(
    script, tmp_path, change, words
):
    with refused(words, tmp_path / "one") as folder:
        run(script, folder, **change)
