r"""Pairs of picture files that a layer cannot tell apart, and small changes that it sees best.

    python experiments/witnesses.py --flagfile=experiments/flags/witnesses_quick.flags
    python experiments/witnesses.py --model=resnet18 --size=64 --images=astronaut,my_photo.jpg \\
        --layers=all-stages --output=runs/witnesses

For each network, layer and photograph: the image farthest away that the layer takes for it, the one
nearest to the next photograph that it takes for it, and the eigendistortions. All are 8-bit PNG
files, and the numbers are those of the files. A finding says how far a layer's witnesses lie.
"""

import shutil

from absl import flags

import depthjax
from depthjax import cli, images
from depthjax.analysis import witnesses
from depthjax.claims.tables import finding_table
from depthjax.folders import results
from depthjax.studies.networks import places, weight_records
from depthjax.studies.witnesses import judged, measured
from depthjax.studies.witnesses.drawn import draw

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_script_flags()
flags.DEFINE_string("layers", "all-stages", "names or aliases; first:last; all-stages; all")
flags.DEFINE_list(
    "images",
    ["astronaut", "chelsea", "coffee"],
    "paths, folders, or embedded photographs by name; witnesses of each come near to the next",
)
flags.DEFINE_integer("size", 32, "height and width of the images in pixels", lower_bound=1)
flags.DEFINE_enum("fit", "crop", ["crop", "pad", "stretch"], "how a photograph becomes square")
flags.DEFINE_float("ratio", witnesses.WITNESS_RATIO, "ρ that a witness may have")
flags.DEFINE_integer("steps", 80, "strides of a walk", lower_bound=1)
flags.DEFINE_integer("corrections", 2, "Gauss–Newton corrections after each", lower_bound=1)
flags.DEFINE_integer("iterations", 8, "of conjugate gradients in each", lower_bound=1)
flags.DEFINE_integer("directions", 1, "eigendistortions of each image", lower_bound=1)
flags.DEFINE_float("grey_levels", 4.0, "their RMSE, of 255")
flags.DEFINE_integer("start_seed", 1, "seed of the first direction, shared by all layers")
flags.DEFINE_integer("reference_seed", 2, "seed of the reference noise, shared by all layers")
flags.DEFINE_string("output", "runs/witnesses", "folder for numbers, pictures and figures")
flags.DEFINE_boolean("overwrite", False, "replace the results that are already there")


def main() -> None:
    """Flags -> witnesses and eigendistortions of every layer -> findings -> files."""
    output = results.checked_folder(FLAGS.output, overwrite=FLAGS.overwrite)
    model = cli.model_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    labels, photographs = images.load_images(
        images.find_images(FLAGS.images), FLAGS.size, fit=FLAGS.fit
    )
    networks = cli.networks_from_flags(model, FLAGS.size)
    seeds = cli.seed_numbers(FLAGS.seeds)
    settings = cli.settings_from_flags(measured.WitnessSettings)
    made = [
        one
        for place in cli.each_place(places(model, names, networks, seeds))
        for one in measured.pictures_of(place, labels, photographs, settings)
    ]
    rows = [one.row for one in made]
    findings = judged.findings(rows, names, list(networks), FLAGS.ratio)
    config = cli.flag_values(
        *("model", "model_field", "networks", "seeds", "normalization", "layers", "images"),
        *("size", "fit", "ratio", "steps", "corrections", "iterations", "directions"),
        *("grey_levels", "start_seed", "reference_seed"),
    )
    config |= {"weights": weight_records(networks)}
    if (output / "images").exists():
        shutil.rmtree(output / "images")  # of an older run
    for one in made:
        for name, picture in one.files.items():
            path = output / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            images.save_png(path, picture)
    shown = draw(made, FLAGS.model, names, list(networks), seeds[0], labels)
    results.write_results(output, config, rows, findings, figures=shown)
    print(finding_table(findings))
    print(
        f"\nρ is at most {FLAGS.ratio:g} in every witness, as the file has it: nearer than a noisy"
    )
    print("copy's by as much. D: distance of the pictures over that of the noisy copy.")
    cli.say_where("Pictures, numbers, findings and figures", output)


if __name__ == "__main__":
    cli.run(main)
