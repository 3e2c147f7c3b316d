"""The command for witnesses, from networks and photographs to picture files and findings."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.text import Text
from script_running import refused, rows_of, runner, script_fixture

import depthjax
from depthjax import figures
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


# ------------------------------------------------------------------------------------------- figure


def sheet(columns=3, layers=2, **others):
    pictures = np.random.default_rng(0).random((columns, layers, 6, 8, 3))
    headings = [f"a rather long heading {number}" for number in range(columns)]
    captions = [[f"D {layer}\nρ {column}" for layer in range(layers)] for column in range(columns)]
    names = [f"layer{number}" for number in range(layers)]
    return pictures, figures.witness_sheet(names, headings, pictures, captions, **others)


def test_every_picture_is_drawn_once_with_its_caption_on_the_page():
    pictures, figure = sheet(title="A title", note="A note. " * 30)
    drawn = [np.asarray(image.get_array()) for image in figure.findobj(AxesImage)]
    expected = pictures.reshape(-1, *pictures.shape[2:])
    np.testing.assert_allclose(np.stack(drawn), expected, atol=1 / 255)
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert {"D 0\nρ 0", "D 1\nρ 2", "layer1", "A title"} <= {text.get_text() for text in texts}
    figure.draw_without_rendering()
    for box in (text.get_window_extent() for text in texts):
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


def test_what_does_not_belong_together_is_not_drawn():
    with pytest.raises(ValueError, match="1 headings, 2 layers"):
        figures.witness_sheet(["a", "b"], ["x"], np.zeros((1, 3, 2, 2, 3)), [["", ""]])
    with pytest.raises(ValueError, match="captions"):
        figures.witness_sheet(["a"], ["x"], np.zeros((1, 1, 2, 2, 3)), [[]])
    with pytest.raises(ValueError, match="no layer labels"):
        figures.witness_sheet([], ["x"], np.zeros((1, 0, 2, 2, 3)), [[]])
