"""The command for witnesses, from networks and photographs to picture files and findings."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax.claims.stored import load_findings
from depthjax.images import load_image

FIELDS = {"width": 2, "stage_sizes": (1,), "num_classes": 3, "stem": "small"}
SETTINGS = {
    "model": "resnet18",
    "model_field": ["width=2", "stage_sizes=1", "num_classes=3", "stem=small"],
    "seeds": ["0", "1"],
    "layers": "conv1,avgpool",
    "images": ["astronaut", "coffee"],
    "size": 8,
    "steps": 12,
    "iterations": 4,
}

script = script_fixture("witnesses")
run = runner(SETTINGS)


@pytest.fixture(scope="module")
def done(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "witnesses"
    run(script, folder)
    return folder


def test_a_row_and_a_file_for_every_picture(done):
    rows = rows_of(done)
    # Two witnesses and two signs of an eigendistortion.
    assert len(rows) == 2 * 2 * 2 * 4
    kinds = {"farthest", "towards the next", "eigendistortion"}
    assert {row["kind"] for row in rows} == kinds
    files = sorted(file.name for file in (done / "images" / "untrained_1" / "avgpool").iterdir())
    endings = ("", "_eigendistortion1+", "_eigendistortion1-", "_farthest", "_towards")
    assert files == sorted(f"{n}{end}.png" for n in ("astronaut", "coffee") for end in endings)
    config = json.loads((done / "config.json").read_text())
    record = {"source": "untrained", "seed": 1, "normalization": None}
    assert config["ratio"] == 0.1 and config["weights"]["untrained"][1] == record
    assert (done / "figures" / "witnesses_untrained.png").is_file()


def test_what_the_table_says_is_what_the_files_hold(done):
    """Read back and measured again, by another function."""
    model = depthjax.build_model("resnet18", **FIELDS)
    variables = depthjax.init_variables(model, jax.random.key(1), 8)
    layer = depthjax.Layer(model, "avgpool")
    folder = done / "images" / "untrained_1" / "avgpool"
    endings = {"farthest": "farthest", "towards the next": "towards"}
    for kind, ending in endings.items():
        pairs = [
            np.stack([load_image(folder / f"{name}{end}.png") for name in ("astronaut", "coffee")])
            for end in ("", f"_{ending}")
        ]
        again = depthjax.measure(layer, variables, *map(jnp.asarray, pairs), jax.random.key(2))
        rows = [
            row
            for row in rows_of(done)
            if (row["seed"], row["layer"], row["kind"]) == ("1", "avgpool", kind)
        ]
        assert len(rows) == 2
        for index, row in enumerate(rows):
            rho, d = float(row["embedding_ratio"]), float(row["input_ratio"])
            assert rho == pytest.approx(float(again.embedding_ratio[index]), rel=1e-3)
            assert d == pytest.approx(float(again.input_ratio[index]), rel=1e-3)
            assert rho <= 0.1 and d > 0.3


def test_findings_say_how_far_witnesses_lie(script, done):
    found = {(one.where, one.rule): one for one in load_findings(done)}
    assert len(found) == 4
    distances = script_table(rows_of(done), "avgpool", "farthest")
    finding = found["untrained, avgpool", ">= 3"]
    assert finding.interval.estimate == pytest.approx(distances.mean())
    assert (finding.interval.seeds, finding.interval.images) == (2, 2)
    assert found["untrained, conv1", ">= 3"].interval.estimate < finding.interval.estimate
    assert found["untrained, conv1", "> 1"].interval.estimate > 0


def script_table(rows, layer, kind):
    return np.array(
        [float(r["input_ratio"]) for r in rows if r["layer"] == layer and r["kind"] == kind]
    )


def test_one_photograph_has_no_next_one(script, tmp_path):
    others = {"images": ["coffee"], "layers": "avgpool", "seeds": ["0"], "directions": 2}
    run(script, tmp_path / "run", **others)
    rows = rows_of(tmp_path / "run")
    assert [row["kind"] for row in rows] == ["farthest"] + 4 * ["eigendistortion"]
    assert [(row["direction"], row["sign"]) for row in rows[1:]] == [
        *(("1", "1"), ("2", "1"), ("1", "-1"), ("2", "-1")),
    ]


BAD = {
    "layer": ({"layers": "layer9"}, "unknown layer 'layer9'"),
    "image": ({"images": ["astronot"]}, "did you mean 'astronaut'"),
    "ratio": ({"ratio": 0.0}, "must be positive"),
    "levels": ({"grey_levels": 0.0}, "grey_levels must be positive"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_writes_nothing(kind, script, tmp_path):
    others, message = BAD[kind]
    with refused(message, tmp_path / "run") as folder:
        run(script, folder, **others)


def test_results_that_are_there_stay(script, done):
    before = (done / "results.csv").read_bytes()
    with pytest.raises(ValueError, match="--overwrite"):
        run(script, done)
    assert (done / "results.csv").read_bytes() == before
