"""Bring RESULTS.md and the generated parts of README.md and the guides up to date from runs.

    python experiments/document.py --run=runs/resnet50_128 --benchmark=runs/benchmark
    python experiments/document.py --gallery=runs/demo --findings=runs/classify
    python experiments/document.py --keep=runs/reproduce_quick,runs/compare_resnet18_small
    python experiments/document.py

What lies between `<!-- begin NAME -->` and `<!-- end NAME -->` is written by this script alone, in
whichever document has it. --keep copies runs, as far as they are, into results/ in a form that is
small and names no folders (`depthjax.folders.kept`); from what lies there RESULTS.md and the page
of each run are written every time, whatever else is asked for.
"""

import json
import re
from pathlib import Path
from typing import Any

from absl import flags
from benchmarks import readme, summary
from benchmarks.networks import networks_together
from publishing import questions
from publishing.bits import bits_table
from publishing.page import page
from publishing.run_page import run_page
from publishing.runs import results_in

import depthjax
from depthjax import cli, data, weights
from depthjax.claims.blocks import findings_block
from depthjax.claims.tables import error_table
from depthjax.data import tables as data_tables
from depthjax.figures.smaller import as_webp
from depthjax.files import write_atomically
from depthjax.folders import kept
from depthjax.folders.tables import inversion_table, provenance
from depthjax.folders.unfinished import briefly
from depthjax.images.tables import photograph_table
from depthjax.weights import tables as weights_tables

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_string("run", None, "run folder that the table and figure come from")
flags.DEFINE_list(
    "benchmark",
    [],
    "folders of experiments/benchmark.py, for speeds: each part of the last that has it",
)
flags.DEFINE_list("networks", [], "folders of experiments/benchmark.py, a network each")
flags.DEFINE_list("presets", [], "folders of its part d, for seconds by preset")
flags.DEFINE_list("nearest", [], "folders of its part d, for how near descents come at all")
flags.DEFINE_list("methods", [], "folders of its part m, for methods of the field")
flags.DEFINE_list("convolutions", [], "folders of its part n, for convolutions one by one")
flags.DEFINE_string("gallery", None, "folder of experiments/gallery.py that the figure comes from")
flags.DEFINE_list("findings", [], "folders with a findings.json; each fills the block of its name")
flags.DEFINE_list("keep", [], "folders of runs, finished or not, that are kept in --results")
flags.DEFINE_string("results", "results", "folder of what was kept, which RESULTS.md is made from")
flags.DEFINE_string("page", "RESULTS.md", "the document of what was kept")
GUIDES = sorted(path.stem for path in (Path(__file__).parents[1] / "docs").glob("*.md"))
DOCUMENTS = ["README.md", *(f"docs/{name}.md" for name in GUIDES)]
flags.DEFINE_list("documents", DOCUMENTS, "what to bring up to date")
flags.DEFINE_string("figures", "docs", "folder for the document's figures")
WIDTH, HEIGHT = 1000, 2400
"""Of a figure in the documents, in pixels, at most."""
PILOTS = Path(__file__).parent / "pilots.json"
SHOWN = {
    "gallery_priors_128": ("gallery_1", "priors"),
    "gallery_settings_128": ("gallery_1", "settings"),
    "compare_resnet18_small": ("networks_converging_astronaut", "networks"),
    "jacobian_quick": ("spectra", "spectra"),
    "measures": ("changes", "measures"),
    "manifold_resnet18_small": ("manifold", "manifold"),
    "sweep_scaling": ("workers", "workers"),
    "readouts_lite0_128": ("readouts_untrained", "readouts"),
    "uniqueness_lite0_128": ("apart_photos_chelsea", "apart"),
    "uniqueness_irevnet_128": ("uniqueness_untrained_chelsea", "uniqueness"),
    "witnesses_lite0_224": ("witnesses_photos", "witnesses_224"),
    "witnesses_quick": ("witnesses_untrained", "witnesses"),
}
"""A figure of a run with findings that a document shows, and its name there."""
DATASETS = ("photo_crops/32", "photo_crops/all/32", "digits", "noise/224", "photos_or_noise/32")


def main() -> None:
    """Run folders -> figures and tables -> documents; what is not given stays as it is."""
    for folder in FLAGS.keep:
        missing = kept.keep(Path(folder), Path(FLAGS.results), questions.figures())
        print(f"{folder}: kept" + (f", but for {briefly(missing)}" if missing else ""))
    write_results()
    blocks = {}
    if FLAGS.run is not None:
        run = depthjax.load_run(FLAGS.run)
        blocks["resnet50_128"] = f"{inversion_table(run)}\n\n{provenance(run)}"
        save_figure(run.folder / "figures" / "gallery.png", "resnet50_gallery")
    if FLAGS.gallery is not None:
        folder = Path(FLAGS.gallery)
        save_figure(folder / "figures" / "gallery.png", folder.name)
    if FLAGS.benchmark:
        measured = [load_benchmark(folder) for folder in FLAGS.benchmark]
        for results in measured:
            blocks |= summary.blocks_of(results)
        if raced := [
            readme.lowest_and_highest(results) for results in measured if results.get("races")
        ]:
            blocks["speed"] = raced[-1]
    for name, given in (("presets", FLAGS.presets), ("nearest", FLAGS.nearest)):
        if given:
            blocks[name] = summary.presets_together([load_benchmark(folder) for folder in given])
    for name, given in (("methods", FLAGS.methods), ("convolutions", FLAGS.convolutions)):
        if given:
            blocks[name] = "\n\n".join(map(summary.summarise, map(load_benchmark, given)))
    if FLAGS.networks:
        blocks["networks"] = networks_together([load_benchmark(one) for one in FLAGS.networks])
    for folder in FLAGS.findings:
        name = Path(folder).name
        blocks[name] = findings_block(Path(folder))
        if name in SHOWN:
            figure, shown = SHOWN[name]
            save_figure(Path(folder) / "figures" / f"{figure}.png", shown)
    texts = {Path(path): Path(path).read_text(encoding="utf-8") for path in FLAGS.documents}
    together = "".join(texts.values())
    for name, made in GENERATED.items():
        if f"<!-- begin {name} -->" in together:
            blocks[name] = made()
    for name, content in blocks.items():
        fill(texts, name, content)
    for path, text in texts.items():
        write_atomically(path, text.encode())


def write_results() -> None:
    """RESULTS.md, and beside each run that was kept its page."""
    folder = Path(FLAGS.results)
    for run in results_in(folder).runs:
        write_atomically(run.folder / "README.md", run_page(run).encode())
    write_atomically(Path(FLAGS.page), page(folder).encode())


def read_json(path: Path, what: str, advice: str) -> dict[str, Any]:
    """What another script has written into its folder."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"no {what} in {str(path.parent)!r} ({error}); {advice}") from error


def save_figure(path: Path, name: str) -> None:
    """A smaller copy of a run's figure for the documents."""
    Path(FLAGS.figures).mkdir(exist_ok=True)
    smaller = as_webp(path, WIDTH, HEIGHT, quality=80)
    write_atomically(Path(FLAGS.figures) / f"{name}.webp", smaller)


def load_benchmark(folder: str) -> dict[str, Any]:
    """The measurements in a folder of `experiments/benchmark.py`."""
    advice = "make one with experiments/benchmark.py"
    return read_json(Path(folder, "benchmark.json"), "benchmark", advice)


def dataset_table() -> str:
    """Counts, classes and licence of the data sets that need no network."""
    return data_tables.dataset_table([data.card(spec) for spec in DATASETS])


def fill(texts: dict[Path, str], name: str, content: str) -> None:
    """Replaces the block of that name, in whichever document has it."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    holding = [path for path, text in texts.items() if pattern.search(text)]
    if not holding:
        raise ValueError(f"no document has a block {begin!r} … {end!r}; add it where it belongs")
    for path in holding:
        texts[path] = pattern.sub(lambda _: f"{begin}\n{content}\n{end}", texts[path])


def zoo_table() -> str:
    """The networks that come with the package."""
    return weights_tables.zoo_table(list(weights.zoo_card().values()))


def packaged_table() -> str:
    """The networks that come in packages of pip."""
    return weights_tables.packaged_table(weights.PACKAGED)


def power_table() -> str:
    """Errors and power of each part of a claim, by the spread that runs have shown."""
    pilots = read_json(PILOTS, "pilots", "make them with experiments/power.py --findings=FOLDER,…")
    return error_table(pilots, ((3, 3), (3, 5), (5, 5), (10, 10)))


def bits_of_layers() -> str:
    """Two networks' layers in bits."""
    return bits_table(Path(FLAGS.results))


GENERATED = {
    "bits": bits_of_layers,
    "power": power_table,
    "photographs": photograph_table,
    "datasets": dataset_table,
    "zoo": zoo_table,
    "packaged": packaged_table,
}
"""Blocks that need no run."""


if __name__ == "__main__":
    cli.run(main)
