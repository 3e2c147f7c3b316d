"""Bring the generated parts of README.md up to date from finished runs.

    python experiments/document.py --run=runs/resnet50_128 --benchmark=runs/benchmark

What lies between `<!-- begin NAME -->` and `<!-- end NAME -->` is written by this script alone.
"""

import json
import re
from pathlib import Path
from typing import Any

from absl import flags
from benchmarks import summary
from PIL import Image

import depthjax
from depthjax import cli, data, images, runs, tables
from depthjax.files import write_atomically

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_string("run", None, "run folder that the table and figure come from")
flags.DEFINE_list("benchmark", [], "folders of experiments/benchmark.py that Speed comes from")
flags.DEFINE_list("presets", [], "folders of its part d that seconds by preset come from")
flags.DEFINE_string("readme", "README.md", "document to bring up to date")
flags.DEFINE_string("figures", "docs", "folder for the document's figures")
WIDTH = 1000
DATASETS = ("photo_crops/32", "photo_crops/all/32", "digits", "noise/224")


def main() -> None:
    """Run folders -> figures and tables -> document; what is not given stays as it is."""
    document = Path(FLAGS.readme)
    text = document.read_text(encoding="utf-8")
    if FLAGS.run is not None:
        run = depthjax.load_run(FLAGS.run)
        text = fill(text, "resnet50_128", f"{tables.inversion_table(run)}\n\n{provenance(run)}")
        save_gallery(run)
    if FLAGS.benchmark:
        found = [summary.summarise(load_benchmark(folder)) for folder in FLAGS.benchmark]
        text = fill(text, "benchmark", "\n\n".join(found))
    if FLAGS.presets:
        descents = [load_benchmark(folder) for folder in FLAGS.presets]
        text = fill(text, "presets", summary.presets_together(descents))
    for name, made in GENERATED.items():
        if f"<!-- begin {name} -->" in text:
            text = fill(text, name, made())
    write_atomically(document, text.encode())


def save_gallery(run: runs.Run) -> None:
    """A smaller copy of the run's gallery for the document."""
    Path(FLAGS.figures).mkdir(exist_ok=True)
    with Image.open(run.folder / "figures" / "gallery.png") as gallery:
        size = WIDTH, round(gallery.height * WIDTH / gallery.width)
        smaller = gallery.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        smaller.save(Path(FLAGS.figures) / "resnet50_gallery.webp", quality=90, method=6)


def load_benchmark(folder: str) -> dict[str, Any]:
    """The measurements in a folder of `experiments/benchmark.py`."""
    path = Path(folder) / "benchmark.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no benchmark in {folder!r} ({error}); make one with experiments/benchmark.py"
        ) from error


def dataset_table() -> str:
    """Counts, classes and licence of the data sets that need no network."""
    return tables.dataset_table([data.card(spec) for spec in DATASETS])


def fill(text: str, name: str, content: str) -> str:
    """`text` with the block of that name replaced."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the document has no block {begin!r} … {end!r}; add it where it belongs")
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def provenance(run: runs.Run) -> str:
    """One paragraph: the command and where it ran."""
    environment = run.config["environment"]
    versions = ", ".join(f"{name} {environment['versions'][name]}" for name in ("jax", "flax"))
    minutes = sum(float(arrays["seconds"]) for arrays in run.layers.values()) / 60
    config = run.config["inversion"]
    return (
        f"Medians (smallest–largest) over {len(run.image_names)} photographs"
        f" ({', '.join(run.image_names)}) at {run.config['size']}×{run.config['size']};"
        f" {config['steps']} steps of {config['optimizer']}, one weight seed.\n"
        "Made by `python experiments/invert.py"
        f" --flagfile=experiments/flags/{run.folder.name}.flags` in {minutes:.0f} minutes on a"
        f" {environment['device']} ({environment['cores']} cores, {versions})."
    )


def photograph_table() -> str:
    """Name, description and licence of every embedded photograph."""
    rows = [
        [f"`{name}`", photo.description, photo.licence, photo.package]
        for name, photo in images.EMBEDDED.items()
    ]
    return tables.markdown_table(["name", "what", "licence", "comes in"], rows)


GENERATED = {"photographs": photograph_table, "datasets": dataset_table}
"""Blocks that need no run."""


if __name__ == "__main__":
    cli.run(main)
