r"""Why a layer cannot be inverted: what is lost exactly, and how ill-conditioned the rest is.

    python experiments/jacobian.py --flagfile=experiments/flags/jacobian_quick.flags
    python experiments/jacobian.py --model=resnet50 --size=224 --layers=all-stages \\
        --images=astronaut --output=runs/jacobian_resnet50

For every network, layer and photograph: the largest singular values of the layer's Jacobian, its
stable rank and participation ratio, how many singular values lie above 10⁻¹ to 10⁻⁶ of the largest,
its conditioning, and the number of directions that can pass at all (counted exactly, operation by
operation). Claims C9 and C16 are judged. Small inputs are decomposed whole in float64, larger ones
by products alone. A run that was cut off goes on with --resume.
"""

import time
from pathlib import Path

import jax
import numpy as np
from absl import flags

import depthjax
from depthjax import cli, images
from depthjax.claims.tables import finding_table
from depthjax.folders import begin as run_folder
from depthjax.folders import results
from depthjax.studies.jacobian import judged, measured
from depthjax.studies.jacobian.drawn import draw
from depthjax.studies.networks import places, weight_records

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_script_flags()
flags.DEFINE_string("layers", "all-stages", "names or aliases; first:last; all-stages; all")
flags.DEFINE_list(
    "images",
    ["astronaut", "chelsea", "coffee"],
    "paths, folders, or embedded photographs by name",
)
flags.DEFINE_integer("size", 32, "height and width of the images in pixels", lower_bound=1)
flags.DEFINE_enum("fit", "crop", ["crop", "pad", "stretch"], "how a photograph becomes square")
flags.DEFINE_enum(
    "spectra",
    "auto",
    measured.METHODS,
    "all singular values; the largest and probes for the rest; what fits; accounting alone",
)
flags.DEFINE_integer("values", 10, "how many of the largest singular values", lower_bound=1)
flags.DEFINE_integer("products", 160, "pairs of J v and Jᵀ u for these", lower_bound=8)
flags.DEFINE_integer("probes", 8, "random vectors for the counts", lower_bound=2)
flags.DEFINE_integer("steps", 24, "pairs of products for each of them", lower_bound=2)
flags.DEFINE_integer("moment_probes", 16, "random vectors for the ranks", lower_bound=2)
flags.DEFINE_integer("probe_seed", 0, "seed of all random vectors")
flags.DEFINE_string("output", None, "folder of the run (default: runs/jacobian-MODEL-DATE)")
flags.DEFINE_boolean("overwrite", False, "replace a run that is already there")
flags.DEFINE_boolean("resume", False, "go on with a run that was cut off")


def main() -> None:
    """Flags -> spectra and accounts of every network and layer -> findings and figures."""
    model = cli.model_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    networks = cli.networks_from_flags(model, FLAGS.size)
    seeds = cli.seed_numbers(FLAGS.seeds)
    image_names, photographs = images.load_images(
        images.find_images(FLAGS.images), FLAGS.size, fit=FLAGS.fit
    )
    photographs = np.asarray(photographs, np.float32)
    everywhere = places(model, names, networks, seeds)
    accounts = measured.accounts_of(everywhere, photographs)
    for one in accounts.values():  # ends here, before anything is written
        jax.eval_shape(one.deepest, one.variables, photographs[:1])
    definition = {
        **cli.flag_values(*_DEFINING),
        "networks": weight_records(networks),
        "layers": list(names),
        "images": list(image_names),
    }
    output = Path(FLAGS.output or f"runs/jacobian-{FLAGS.model}-{time.strftime('%Y%m%d-%H%M%S')}")
    run_folder.begin(output, definition, **cli.flag_values("overwrite", "resume"))

    settings = cli.settings_from_flags(measured.SpectrumSettings)
    pieces = {
        (place.network, place.seed, place.name): measured.piece_at(
            output / "layers",
            place,
            image_names,
            accounts[place.network, place.seed],
            settings,
            ball=place.seed == seeds[0],
        )
        for place in cli.each_place(everywhere)
    }
    rows = judged.finished_rows(list(pieces.values()))
    labels = list(networks)
    found = judged.findings(rows, names, labels)
    summary = judged.summary_table(rows, names, labels)
    shown = draw(pieces, rows, names, labels, seeds, len(FLAGS.images))
    results.write_results(output, definition, rows, found, summary, figures=shown)
    print(summary)
    if found:
        print(f"\n{finding_table(found)}")
    print()
    cli.say_where("Numbers, findings and figures", output)


_DEFINING = (
    "model", "model_field", "seeds", "normalization", "size", "fit", "spectra", "values",
    "products", "probes", "steps", "moment_probes", "probe_seed",
)  # fmt: skip


if __name__ == "__main__":
    cli.run(main)
