r"""Claim C18: do general statistics of the gradient that a descent follows change with depth?

    python experiments/gradients.py --flagfile=experiments/flags/gradients_quick.flags
    python experiments/gradients.py --model=resnet50 --size=224 --layers=all-stages \
        --images=astronaut,chelsea,coffee --output=runs/gradients_resnet50

Of the gradient of the paper's objective with respect to the input, at the start of a descent and at
a noisy copy of the target: its mean and standard deviation, the kurtosis of its elements, and the
correlation of neighbours. A run that was cut off goes on with --resume.
"""

from functools import partial

import jax.numpy as jnp
from absl import flags

import depthjax
from depthjax import cli
from depthjax.figures.text import counted
from depthjax.studies.descents import starts_of
from depthjax.studies.gradients import judged, measured
from depthjax.studies.gradients.drawn import draw
from depthjax.studies.networks import single_networks
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
    asked = cli.asked_from_flags()
    starts = starts_of(asked.targets, depthjax.InversionConfig.paper(), FLAGS.start_seed)
    everywhere = asked.places
    what = asked.images, jnp.asarray(asked.targets), jnp.asarray(starts)
    definition = {**cli.flag_values(*_DEFINING), **asked.definition}
    images = asked.images, asked.targets
    with cli.begin_output(definition, "gradients", FLAGS.model, images=images) as folder:
        rows: list[Row] = []
        for place in cli.each_place(everywhere):
            name = f"{place.network}_{place.seed}_{place.name}"
            rows += folder.rows(name, partial(measured.rows_of, place, *what))
        labels, single = list(asked.networks), single_networks(asked.networks)
        findings = judged.findings(rows, asked.layers, labels, single)
        sample = (
            f"{counted(len(asked.seeds), 'weight seed')} × {counted(len(asked.images), 'image')} of"
            f" {FLAGS.size}×{FLAGS.size}"
        )
        cli.finish_study(folder, rows, findings, draw(rows, asked.layers, labels, sample))


_DEFINING = "model", "model_field", "seeds", "normalization", "size", "fit", "start_seed"


if __name__ == "__main__":
    cli.run(main)
