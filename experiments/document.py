"""Bring the generated parts of README.md, RESULTS.md and the guides up to date from finished runs.

    python experiments/document.py --run=runs/resnet50_128 --benchmark=runs/benchmark
    python experiments/document.py --findings=runs/compare_resnet18_small,runs/manifold
    python experiments/document.py --claims=runs/reproduce_quick

What lies between `<!-- begin NAME -->` and `<!-- end NAME -->` is written by this script alone, in
whichever document has it.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from benchmarks import contenders, summary
from PIL import Image

import depthjax
from depthjax import cli, data, images, weights
from depthjax.claims.findings import load_findings
from depthjax.claims.tables import claims_table, finding_table, steps_table
from depthjax.data import tables as data_tables
from depthjax.files import write_atomically
from depthjax.folders import begin as run_folder
from depthjax.folders import inversions
from depthjax.folders.environment import command_line
from depthjax.folders.tables import inversion_table
from depthjax.tables import markdown_table
from depthjax.weights import tables as weights_tables

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_string("run", None, "run folder that the table and figure come from")
flags.DEFINE_list("benchmark", [], "folders of experiments/benchmark.py, for speeds")
flags.DEFINE_list("presets", [], "folders of its part d, for seconds by preset")
flags.DEFINE_list("findings", [], "folders with a findings.json; each fills the block of its name")
flags.DEFINE_list(
    "claims", [], "folders of experiments/reproduce.py; each fills the block claims_SCALE"
)
GUIDES = ("claims", "data", "inverting", "jacobians", "report", "speed", "sweeps", "weights")
DOCUMENTS = ["README.md", "RESULTS.md", *(f"docs/{name}.md" for name in GUIDES)]
flags.DEFINE_list("documents", DOCUMENTS, "what to bring up to date")
flags.DEFINE_string("figures", "docs", "folder for the document's figures")
WIDTH = 1000
OURS = "loop"
"""The contender that is a descent of depthjax."""
SHOWN = {
    "compare_resnet18_small": ("networks_converging_astronaut", "networks"),
    "jacobian_quick": ("spectra", "spectra"),
    "manifold_resnet18_small": ("manifold", "manifold"),
    "sweep_scaling": ("workers", "workers"),
    "witnesses_quick": ("witnesses_untrained", "witnesses"),
}
"""A figure of a run with findings that a document shows, and its name there."""
DATASETS = ("photo_crops/32", "photo_crops/all/32", "digits", "noise/224", "photos_or_noise/32")


def main() -> None:
    """Run folders -> figures and tables -> documents; what is not given stays as it is."""
    blocks = {}
    if FLAGS.run is not None:
        run = depthjax.load_run(FLAGS.run)
        blocks["resnet50_128"] = f"{inversion_table(run)}\n\n{provenance(run)}"
        save_figure(run.folder / "figures" / "gallery.png", "resnet50_gallery")
    if FLAGS.benchmark:
        measured = [load_benchmark(folder) for folder in FLAGS.benchmark]
        blocks["benchmark"] = "\n\n".join(map(summary.summarise, measured))
        if raced := [headlines(results) for results in measured if results.get("races")]:
            blocks["speed"] = "\n\n".join(raced)
    if FLAGS.presets:
        descents = [load_benchmark(folder) for folder in FLAGS.presets]
        blocks["presets"] = summary.presets_together(descents)
    for folder in FLAGS.findings:
        name = Path(folder).name
        blocks[name] = findings(Path(folder))
        if name in SHOWN:
            figure, shown = SHOWN[name]
            save_figure(Path(folder) / "figures" / f"{figure}.png", shown)
    for folder in FLAGS.claims:
        verdicts = load_claims(folder)
        blocks[f"claims_{verdicts['scale']}"] = claims(verdicts)
    texts = {Path(path): Path(path).read_text(encoding="utf-8") for path in FLAGS.documents}
    together = "".join(texts.values())
    for name, made in GENERATED.items():
        if f"<!-- begin {name} -->" in together:
            blocks[name] = made()
    for name, content in blocks.items():
        fill(texts, name, content)
    for path, text in texts.items():
        write_atomically(path, text.encode())


def findings(folder: Path) -> str:
    """What a run says of the claims: how often which verdict, everything folded away, the command.

    A network called `control` differs from its counterpart by chance alone.
    """
    found = load_findings(folder)
    verdicts = ["supported", "contradicted", "open", "not reached"]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for one in found:
        network = one.network or one.note  # of findings without fields, the whole place
        counts.setdefault((one.title, network), Counter())[one.verdict] += 1
    rows = [[*key, *(str(count[verdict]) for verdict in verdicts)] for key, count in counts.items()]
    summary, parts = folder / "summary.md", []
    if summary.is_file():
        parts.append(summary.read_text(encoding="utf-8").rstrip())
    if found:
        parts += [
            markdown_table(["claim", "network", *verdicts], rows),
            folded(f"All {len(found)} findings", finding_table(found)),
        ]
    table = "\n\n".join(parts)
    environment = run_folder.read_config(folder)["environment"]
    command = command_line(environment["command"])
    return f"{table}\n\nMade by `{command}`{where(environment, revision=True)}."


def where(environment: dict[str, Any], *, revision: bool = False) -> str:
    """On what something ran, as the end of a sentence."""
    versions = ", ".join(f"{name} {environment['versions'][name]}" for name in ("jax", "flax"))
    tree = f"; revision {environment['git_revision']}" if revision else ""
    return f" on a {environment['device']} ({environment['cores']} cores, {versions}{tree})"


def read_json(path: Path, what: str, advice: str) -> dict[str, Any]:
    """What another script has written into its folder."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"no {what} in {str(path.parent)!r} ({error}); {advice}") from error


def load_claims(folder: str) -> dict[str, Any]:
    """The verdicts in a folder of `experiments/reproduce.py`."""
    advice = "make them with experiments/reproduce.py"
    return read_json(Path(folder, "claims.json"), "verdicts", advice)


def claims(verdicts: dict[str, Any]) -> str:
    """A verdict for each claim, why, which commands, and where that ran."""
    counts = Counter(record["verdict"] for record in verdicts["claims"])
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    why = "\n".join(
        f"- {record['claim']}: {record['verdict']} ({record['reason']})."
        for record in verdicts["claims"]
    )
    minutes = sum(step["seconds"] or 0 for step in verdicts["steps"]) / 60
    environment = verdicts["environment"]
    there = "" if environment is None else where(environment, revision=True)
    return (
        f"Of {len(verdicts['claims'])} claims: {told}.\n\n{claims_table(verdicts)}\n\n"
        f"{folded('Why, part by part', why)}\n\n"
        f"{folded('Commands', steps_table(verdicts))}\n\n"
        f"Made by `python experiments/reproduce.py --scale={verdicts['scale']}` in"
        f" {minutes:.0f} minutes{there}."
    )


def folded(title: str, content: str) -> str:
    """What is shown on a click."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def save_figure(path: Path, name: str) -> None:
    """A smaller copy of a run's figure for the documents."""
    Path(FLAGS.figures).mkdir(exist_ok=True)
    with Image.open(path) as figure:
        size = WIDTH, round(figure.height * WIDTH / figure.width)
        smaller = figure.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        smaller.save(Path(FLAGS.figures) / f"{name}.webp", quality=90, method=6)


def load_benchmark(folder: str) -> dict[str, Any]:
    """The measurements in a folder of `experiments/benchmark.py`."""
    advice = "make one with experiments/benchmark.py"
    return read_json(Path(folder, "benchmark.json"), "benchmark", advice)


def headlines(results: dict[str, Any]) -> str:
    """Beside whom a step was timed, and the lowest and highest median over layers and batches."""
    races, settings, machine = results["races"], results["settings"], results["machine"]
    rows = []
    for name, (title, peer) in contenders.CONTENDERS.items():
        # Images · steps/s in multiples of a peer's; seconds in multiples of the bare gradient's.
        pair = (name, OURS) if peer else (OURS, name)
        ratios = [summary.ratios(race, *pair) for race in races]
        medians = sorted(float(np.median(ratio)) for ratio in ratios if ratio.size)
        if name == OURS or not medians:
            continue
        what = f"{'images · steps/s' if peer else 'seconds'} over {title}"
        rows.append([what, *(f"{end:.2f}×" for end in (medians[0], medians[-1]))])
    layers = ", ".join(dict.fromkeys(race["layer"] for race in races))
    batches = " and ".join(dict.fromkeys(str(race["batch"]) for race in races))
    return (
        f"{markdown_table(['a step', 'lowest median', 'highest median'], rows)}\n\n"
        f"{settings['model']} at {settings['size']}×{settings['size']}; {layers}; batches of"
        f" {batches}.\nMade by `{summary.command(machine['command'])}` on a {machine['device']}"
        f" ({machine['processor']}, {machine['cores']} cores)."
    )


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


def provenance(run: inversions.Run) -> str:
    """One paragraph: the command and where it ran."""
    minutes = sum(float(arrays["seconds"]) for arrays in run.layers.values()) / 60
    config = run.config["inversion"]
    return (
        f"Medians (smallest–largest) over {len(run.image_names)} photographs"
        f" ({', '.join(run.image_names)}) at {run.config['size']}×{run.config['size']};"
        f" {config['steps']} steps of {config['optimizer']}, one weight seed.\n"
        "Made by `python experiments/invert.py"
        f" --flagfile=experiments/flags/{run.folder.name}.flags` in {minutes:.0f} minutes"
        f"{where(run.config['environment'])}."
    )


def photograph_table() -> str:
    """Name, description and licence of every embedded photograph."""
    rows = [
        [f"`{name}`", photo.description, photo.licence, photo.package]
        for name, photo in images.EMBEDDED.items()
    ]
    return markdown_table(["name", "what", "licence", "comes in"], rows)


def zoo_table() -> str:
    """The networks that come with the package."""
    return weights_tables.zoo_table(list(weights.zoo_card().values()))


GENERATED = {"photographs": photograph_table, "datasets": dataset_table, "zoo": zoo_table}
"""Blocks that need no run."""


if __name__ == "__main__":
    cli.run(main)
