r"""How fast depthjax is on this machine, and beside PyTorch.

    python experiments/benchmark.py --quick                 # a small network, no peers needed
    python experiments/benchmark.py --parts=a,b --batch=1,8 --layers=conv1,layer1:layer4
    python experiments/benchmark.py --peers_python=../torch/.venv/bin/python

Parts: a, a step over the bare gradient; b, images · steps a second against the author's loop, a
tuned one, torch.compile and plenoptic; c, cost against depth, batch, size and restarts; d, seconds
until ρ ≤ 1 and ρ ≤ 0.1 by preset; e, operations a second and share of the peak; f, import, first
step and compilation cache; g, peak memory; h, the input pipeline against a training step; j, the
largest eigenvalues of JᵀJ and seconds a product against plenoptic; k, a step of the network as
imported from PyTorch over a step of ours (PyTorch in this environment); m, methods of the field by
those who know them and by us; n, each convolution and its transpose against PyTorch. Peers come
with `pip install -e '.[peers]'`, into this environment or another one; what is not there is
reported as absent. Leave the machine alone while it runs: the load before it is recorded. A
benchmark that was cut off goes on with --resume, on the same machine with the same versions: each
race is kept.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from benchmarks import figure, machine, parts, summary
from benchmarks.contenders import CONTENDERS
from benchmarks.inputs import Inputs

import depthjax
from depthjax import cli, figures
from depthjax.errors import one_of
from depthjax.files import write_atomically
from depthjax.folders.begin import RunFolder, begin

FLAGS = flags.FLAGS
cli.define_model_flags()
cli.define_layers_flag()
cli.define_size_flag(224)
cli.define_output_flags("runs/benchmark", "numbers, table and figure")
cli.define_script_flags()
flags.DEFINE_list("parts", list("abcdefghj"), "what to measure: letters, see above")
flags.DEFINE_list("batch", ["1", "8"], "images in a step")
flags.DEFINE_list(
    "contenders", [n for n in CONTENDERS if n != "loop"], "who takes part in races beside depthjax"
)
flags.DEFINE_integer("rounds", 7, "turns of each contender", lower_bound=1)
flags.DEFINE_integer(
    "steps", 0, "steps of a turn; 0: as many as the fastest makes in --turn_seconds", lower_bound=0
)
flags.DEFINE_float("turn_seconds", 1.0, "length of a turn, see --steps", lower_bound=0)
flags.DEFINE_string(
    "peers_python", None, "interpreter that has PyTorch and plenoptic (default: this one)"
)
flags.DEFINE_boolean("huge_pages", True, "ask for transparent huge pages, in every process")
flags.DEFINE_string(
    "curve_layer", "", "part c: the layer of the curves (default: the middle of --layers)"
)
flags.DEFINE_list("curve_batches", ["1", "2", "4", "8", "16"], "part c: batches")
flags.DEFINE_list("curve_sizes", ["64", "96", "128", "192", "224"], "part c: image sizes")
flags.DEFINE_list("curve_restarts", ["1", "2", "4", "8", "16"], "part c: restarts of one image")
flags.DEFINE_list(
    "presets",
    ["paper", "converging", "fast"],
    "part d: settings of the descents; converging:steps=800 changes one",
)
flags.DEFINE_string("preset_layers", "", "part d: layers (default: --layers)")
flags.DEFINE_integer("preset_images", 3, "part d: photographs", lower_bound=1)
flags.DEFINE_integer(
    "preset_size", 128, "part d: height and width of the photographs", lower_bound=1
)
flags.DEFINE_integer(
    "preset_steps", 0, "part d: at most so many steps; 0: the preset's", lower_bound=0
)
flags.DEFINE_integer("imports", 7, "part f: how often each import is timed", lower_bound=1)
flags.DEFINE_string("jacobian_layers", "", "part j: layers (default: --layers)")
flags.DEFINE_list("jacobian_sizes", ["64", "128"], "part j: image sizes")
flags.DEFINE_integer(
    "jacobian_pairs", 60, "part j: pairs of J v and Jᵀ u for each spectrum", lower_bound=30
)
flags.DEFINE_boolean("quick", False, "smaller defaults: a small network and small images")

QUICK: dict[str, Any] = {
    # The data set of part h would have to be prepared first, and part j is about its peers.
    "parts": list("abcdefg"),
    "model": "resnet18",
    "layers": "conv1,layer1,layer4",
    "size": 96,
    "rounds": 5,
    "turn_seconds": 0.4,
    "curve_batches": ["1", "2", "4"],
    "curve_sizes": ["48", "96"],
    "curve_restarts": ["1", "4"],
    "preset_size": 64,
    "preset_steps": 200,
    "imports": 3,
    "jacobian_sizes": ["64"],
}
"""What --quick puts in the place of defaults; flags that are given win."""


def main() -> None:
    """Flags -> measurements -> benchmark.json, benchmark.md, figures/benchmark.{png,pdf}."""
    if FLAGS.quick:
        for name, value in QUICK.items():
            FLAGS.set_default(name, value)
    asked = parts.checked_parts(FLAGS.parts)
    model = cli.model_from_flags()
    if FLAGS.weights != "untrained" and asked != ("d",):
        raise ValueError(f"--weights={FLAGS.weights}: trained weights are for --parts=d alone")
    settings = settings_from_flags(model)
    fields = cli.fields_from_flags()
    definition = {
        "model": FLAGS.model, "model_fields": fields, "parts": asked, **vars(settings),
        **cli.flag_values("weights", "weights_seed", "weights_prefix", "drop_head"),
    }  # fmt: skip
    # Numbers of two machines, or of two versions, do not belong into one table.
    here = machine.describe()
    same = {name: here[name] for name in machine.IDENTITY}
    with (
        begin(
            FLAGS.output,
            definition | {"machine": same},
            overwrite=FLAGS.overwrite,
            resume=FLAGS.resume,
        ) as folder,
        tempfile.TemporaryDirectory() as arrays,
    ):
        inputs = Inputs(
            *(Path(arrays), FLAGS.model, fields, model, FLAGS.weights_seed, FLAGS.weights),
            prefix=FLAGS.weights_prefix,
            drop_head=FLAGS.drop_head,
        )
        results = {
            "machine": folder.piece("machine", lambda: here),
            "settings": json.loads(json.dumps(definition)),
        }
        for numbers in measure(folder, settings, inputs, asked):
            results |= numbers
            content = json.dumps(results, indent=1, allow_nan=False) + "\n"
            folder.write("benchmark.json", content.encode())
        report(results, folder.path)


def measure(
    folder: RunFolder, settings: parts.Settings, inputs: Inputs, asked: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The numbers of one part after the other; each race is kept in the folder.

    Args:
        folder: of the benchmark.
        settings: how much is measured.
        inputs: makes the jobs.
        asked: letters of the parts.

    Yields:
        The numbers of some parts under their name, and the `seconds` that all took so far.
    """
    began, spent = time.perf_counter(), 0.0

    def say(text: str) -> None:
        print(f"{time.perf_counter() - began:5.0f} s  {text}", flush=True)

    def keep(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        nonlocal spent

        def timed() -> dict[str, Any]:
            start = time.perf_counter()
            return {"numbers": make(), "seconds": time.perf_counter() - start}

        piece = folder.piece(re.sub(r"[^\w.=-]", "_", name), timed)
        spent += piece["seconds"]
        return piece["numbers"]

    bench = parts.Bench(settings, inputs, say, keep)
    measurements = {
        "races": (parts.RACED, lambda: bench.races(asked)),
        "curves": ("c", bench.curves),
        "presets": ("d", bench.presets),
        "startup": ("f", bench.startup),
        "feeding": ("h", bench.feeding),
        "spectra": ("j", bench.spectra),
        "imported": ("k", bench.imports),
        "methods": ("m", bench.methods),
        "convolutions": ("n", bench.convolutions),
    }
    for name, (letters, make) in measurements.items():
        if set(asked) & set(letters):
            yield {name: make(), "seconds": spent}


def settings_from_flags(model: depthjax.models.network.Network) -> parts.Settings:
    """The flags, checked before anything is measured."""
    for preset in FLAGS.presets:
        depthjax.InversionConfig.from_word(preset)
    layers = depthjax.select_layers(model, FLAGS.layers)
    curve_layer = FLAGS.curve_layer or layers[len(layers) // 2]
    depthjax.Layer(model, curve_layer)
    return parts.Settings(
        layers=layers,
        batches=cli.whole_numbers("batch"),
        size=FLAGS.size,
        rounds=FLAGS.rounds,
        steps=FLAGS.steps,
        turn_seconds=FLAGS.turn_seconds,
        peers_python=FLAGS.peers_python or sys.executable,
        huge_pages=FLAGS.huge_pages,
        curve_layer=curve_layer,
        curve_batches=cli.whole_numbers("curve_batches"),
        curve_sizes=cli.whole_numbers("curve_sizes"),
        curve_restarts=cli.whole_numbers("curve_restarts"),
        presets=FLAGS.presets,
        preset_layers=(
            depthjax.select_layers(model, FLAGS.preset_layers) if FLAGS.preset_layers else layers
        ),
        preset_images=FLAGS.preset_images,
        preset_size=FLAGS.preset_size,
        preset_steps=FLAGS.preset_steps,
        contenders=tuple(one_of("contender", name, CONTENDERS) for name in FLAGS.contenders),
        imports=FLAGS.imports,
        jacobian_layers=(
            depthjax.select_layers(model, FLAGS.jacobian_layers)
            if FLAGS.jacobian_layers
            else layers
        ),
        jacobian_sizes=cli.whole_numbers("jacobian_sizes"),
        jacobian_pairs=FLAGS.jacobian_pairs,
    )


def report(results: dict[str, Any], output: Path) -> None:
    """The table, and the figure if there is something to draw."""
    text = summary.summarise(results)
    write_atomically(output / "benchmark.md", f"# Speed\n\n{text}\n".encode())
    if figure.panels_of(results):
        (output / "figures").mkdir(exist_ok=True)
        figures.save_figure(output / "figures" / "benchmark", figure.draw(results))
    print(f"\n{text}\n")
    for line in summary.headline(results):
        print(f"- {line}")
    print(f"Numbers, table and figure: {output}")


if __name__ == "__main__":
    cli.run(main)
