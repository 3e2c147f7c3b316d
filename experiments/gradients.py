r"""Claim C18: do general statistics of the gradient that a descent follows change with depth?

    python experiments/gradients.py --flagfile=experiments/flags/gradients_quick.flags
    python experiments/gradients.py --model=resnet50 --size=224 --layers=all-stages \
        --images=astronaut,chelsea,coffee --output=runs/gradients_resnet50

Of the gradient of the paper's objective with respect to the input, at the start of a descent and at
a noisy copy of the target: its mean and standard deviation, the kurtosis of its elements, and the
correlation of neighbours. A run that was cut off goes on with --resume.
"""

from functools import partial

import jax
import jax.numpy as jnp
from absl import flags

import depthjax
from depthjax import cli
from depthjax.studies.descents import starts_of
from depthjax.studies.gradients import judged, measured
from depthjax.studies.gradients.drawn import draw
from depthjax.studies.networks import places, single_networks, weight_records
from depthjax.studies.rows import Row

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_layers_flag()
cli.define_image_flags(size=64)
cli.define_start_seed_flag()
cli.define_output_flags(None, "numbers (default: runs/gradients-MODEL-DATE)")
cli.define_script_flags()


def main() -> None:
    """Flags -> gradients at every layer of every network -> findings and a figure."""
    model = cli.model_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    networks = cli.networks_from_flags(model, FLAGS.size)
    seeds = cli.seeds_from_flags()
    image_names, photographs = cli.images_from_flags(model)
    starts = starts_of(photographs, depthjax.InversionConfig.paper(), FLAGS.start_seed)
    everywhere = places(model, names, networks, seeds)
    for place in everywhere:  # ends here, before anything is written
        jax.eval_shape(place.layer, place.variables, photographs[:1])
    what = image_names, jnp.asarray(photographs), jnp.asarray(starts)
    definition = {
        **cli.flag_values(*_DEFINING),
        "networks": weight_records(networks),
        "layers": list(names),
        "images": list(image_names),
    }
    with cli.begin_output(
        definition, "gradients", FLAGS.model, images=(image_names, photographs)
    ) as folder:
        rows: list[Row] = []
        for place in cli.each_place(everywhere):
            name = f"{place.network}_{place.seed}_{place.name}"
            rows += folder.rows(name, partial(measured.rows_of, place, *what))
        labels = list(networks)
        findings = judged.findings(rows, names, labels, single_networks(networks))
        sample = (
            f"{len(seeds)} weight seeds × {len(image_names)} images of {FLAGS.size}×{FLAGS.size}"
        )
        cli.finish_study(folder, rows, findings, draw(rows, names, labels, sample))


_DEFINING = "model", "model_field", "seeds", "normalization", "size", "fit", "start_seed"


if __name__ == "__main__":
    cli.run(main)
