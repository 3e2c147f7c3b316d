"""Read-outs beside descents, on tiny networks whose layers keep all, or little."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image
from script_running import rows_of, runner, script_fixture

import depthjax
from depthjax.images.sources import locate

SMALL = {
    "model": "mlp",
    "model_field": ["widths=192,20"],
    "layers": "fc1,fc2",
    "seeds": ["0"],
    "images": ["chelsea", "coffee"],
    "size": 8,
    "steps": 100,
    "examples": 60,
    "decoder_steps": 100,
}
script = script_fixture("readouts")
run = runner(SMALL)


@pytest.fixture(scope="module")
def folder(script, tmp_path_factory):
    output = tmp_path_factory.mktemp("readouts") / "mlp"
    run(script, output)
    return output


def test_every_layer_is_read_in_every_way(folder):
    rows = rows_of(folder)
    places = {(row["layer"], row["way"], row["image"]) for row in rows}
    assert len(places) == len(rows) == 2 * 5 * 2
    recovered = depthjax.load_run(folder / "descents" / "untrained_0" / "converging")
    distance = {(row["layer"], row["way"], row["image"]): float(row["input_ratio"]) for row in rows}
    for layer, arrays in recovered.layers.items():
        for index, image in enumerate(recovered.image_names):
            ours = distance[layer, "descent", image]
            np.testing.assert_allclose(ours, arrays["input_ratio"][0, index], rtol=1e-4)
    # What looks at the embedding is nearer than what does not, and a wide layer holds more.
    for image in recovered.image_names:
        assert distance["fc1", "ridge", image] < distance["fc1", "mean", image]
        assert distance["fc1", "mmse", image] < distance["fc1", "mean", image]
        assert distance["fc1", "decoder", image] < distance["fc1", "mean", image]
        assert distance["fc1", "mean", image] == distance["fc2", "mean", image]
    assert (folder / "figures" / "readouts_untrained.png").is_file()
    assert (folder / "figures" / "pictures_untrained.png").is_file()
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert "D, ridge" in summary and "60 crops of" in summary


def test_photographs_of_ones_own_are_learned_from(script, tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 255, (5, 9, 9, 3), np.uint8)
    for index, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    run(script, tmp_path / "own", layers="fc1", example_images=[str(tmp_path)])
    summary = (tmp_path / "own" / "summary.md").read_text(encoding="utf-8")
    assert "learned from 5 photographs" in summary
    embedded = Path(locate("coffee"))
    Image.open(embedded).save(tmp_path / "copy.png")
    (tmp_path / "link.png").symlink_to(embedded)
    with flagsaver.flagsaver(
        images=["chelsea", "coffee"],
        size=8,
        example_images=[str(tmp_path), "chelsea"],
        model="mlp",
    ):
        asked = SimpleNamespace(targets=script.cli.images_from_flags()[1])
        examples = script.examples_from_flags(asked)
        assert len(examples.images) == 5 and "5 photographs" in examples.name
        assert "copy.png" in (said := capsys.readouterr().err)
        assert "link.png" in said and "chelsea" in said
        script.FLAGS.example_images = ["chelsea", f"{tmp_path}/0.png"]
        with pytest.raises(ValueError, match="has 1 of photographs that are none of --images"):
            script.examples_from_flags(asked)
    for name in ("copy.png", "link.png"):
        (tmp_path / name).unlink()
    Image.fromarray(255 - noise[0]).save(tmp_path / "0.png")
    with pytest.raises(ValueError, match=r"cannot resume .*example_images\.sha256"):
        run(script, tmp_path / "own", layers="fc1", example_images=[str(tmp_path)], resume=True)
