r"""Pairs of picture files that a layer cannot tell apart, and small changes that it sees best.

    python experiments/witnesses.py --flagfile=experiments/flags/witnesses_quick.flags
    python experiments/witnesses.py --model=resnet18 --size=64 --images=astronaut,my_photo.jpg \
        --layers=all-stages --output=runs/witnesses

For each network, layer and photograph: the image farthest away that the layer takes for it, the one
nearest to the next photograph that it takes for it, and the eigendistortions. All are 8-bit PNG
files, and the numbers are those of the files. A finding says how far a layer's witnesses lie.
"""

from collections.abc import Iterator
from functools import partial

from absl import flags

from depthjax import cli
from depthjax.files import check_names
from depthjax.folders import results
from depthjax.studies.networks import Place, single_networks, weight_records
from depthjax.studies.rows import Row
from depthjax.studies.witnesses import judged, measured
from depthjax.studies.witnesses.drawn import draw

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_layers_flag()
cli.define_image_flags(size=32, note="witnesses of each come near to the next")
cli.define_setting_flags(measured.WitnessSettings)
cli.define_output_flags("runs/witnesses", "numbers, pictures and figures")
cli.define_script_flags()


def main() -> None:
    """Flags -> witnesses and eigendistortions of every layer -> findings -> files."""
    asked = cli.asked_from_flags()
    labels, photographs, networks = asked.images, asked.targets, asked.networks
    settings = cli.settings_from_flags(measured.WitnessSettings)
    definition = {
        **cli.flag_values(
            *("model", "model_field", "networks", "seeds", "normalization", "layers", "images"),
            *("size", "fit"),
        ),
        **vars(settings),
        "weights": weight_records(networks),
    }
    longest = f"_{measured.EIGEN}{FLAGS.directions}+.png"
    check_names(FLAGS.output, (label + longest for label in labels))
    with cli.begin_output(definition, images=(labels, photographs)) as folder:

        def rows_at(place: Place) -> Iterator[Row]:
            for picture in measured.pictures_of(place, labels, photographs, settings):
                for name, image in picture.files.items():
                    results.save_picture(folder, f"images/{name}", image)
                yield picture.row

        rows: list[Row] = []
        for place in cli.each_place(asked.places):
            name = f"{place.network}_{place.seed}_{place.name}"
            rows += folder.rows(name, partial(rows_at, place))
        findings = judged.findings(
            rows, asked.layers, list(networks), FLAGS.ratio, single_networks(networks)
        )
        first = [row for row in rows if (row["seed"], row["image"]) == (asked.seeds[0], labels[0])]
        made = measured.read_pictures(folder.path / "images", first)
        figures = draw(made, FLAGS.model, asked.layers, list(networks), asked.seeds[0], labels)
        note = (
            f"ρ is at most {FLAGS.ratio:g} in every witness, as the file has it: nearer than a"
            " noisy copy's by as much. D: distance of the pictures over that of the noisy copy."
        )
        cli.finish_study(folder, rows, findings, figures, after=[note])


if __name__ == "__main__":
    cli.run(main)
