"""Three kinds of networks of which it is known what they keep, for C3, and claims C6 and C21.

    python experiments/controls.py --flagfile=experiments/flags/controls_quick.flags

The same images, starts, optimiser and steps on networks that keep everything and are well
conditioned (an orthogonal linear MLP, an i-RevNet of small couplings), that keep everything and are
ill conditioned (a square linear MLP as PyTorch initialises it), and that lose half of it (an
orthogonal MLP with one narrow layer). At each, too, how much nearer the image comes as a converging
descent brings its embedding nearer: the ill-conditioned one shows what C3 can tell from loss, for
there the image is only slow to come. Then the paper's invertible control: exact pre-images of
perturbed embeddings, in both readings of the paper, beside gradient descent on the same networks;
with --trained_on also after these networks were trained (C21).
"""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
from absl import flags

import depthjax
from depthjax import cli, images
from depthjax.analysis.prediction import linear_descent
from depthjax.errors import one_of
from depthjax.studies.controls import judged, measured
from depthjax.studies.controls.drawn import draw
from depthjax.studies.preimages import judged as judged_preimages
from depthjax.studies.preimages import measured as measured_preimages
from depthjax.studies.preimages import trained
from depthjax.studies.preimages.measured import PreimageSettings
from depthjax.studies.rows import Row, with_all_columns

FLAGS = flags.FLAGS
cli.define_images_flag()
cli.define_size_flag(16, "height and width of the images, of 4 or a multiple of it")
cli.define_seeds_flag()
cli.define_start_seed_flag()
cli.define_setting_flags(PreimageSettings, without=["start_seed"])
cli.define_output_flags("runs/controls")
cli.define_linear_descent_flags()
cli.define_script_flags()
flags.DEFINE_list("controls", ["orthogonal", "irevnet", "default", "narrow"], "networks, see above")
flags.DEFINE_integer(
    "converging_steps", 500, "steps of L-BFGS, for the elasticity (C3)", lower_bound=1
)
flags.DEFINE_float("coupling", 0.1, "factor of the i-RevNet's couplings: 0 makes it orthogonal")
flags.DEFINE_list(
    "readings", ["text", "code"], "readings of the paper's invertible control: text, code"
)
flags.DEFINE_list(
    "trained_on",
    [trained.UNTRAINED],
    "what the invertible networks of C21 were trained on: "
    + ", ".join([trained.UNTRAINED, *trained.DATA]),
)
flags.DEFINE_integer(
    "preimage_size", 32, "height and width of the image whose pre-images are drawn", lower_bound=1
)


def main() -> None:
    """Flags -> controls and predictions -> pre-images -> findings -> files."""
    settings = cli.settings_from_flags(PreimageSettings)
    for reading in FLAGS.readings:
        one_of("reading", reading, measured_preimages.READINGS)
    for name in FLAGS.trained_on:
        one_of("training set", name, (trained.UNTRAINED, *trained.DATA))
    names, photographs = cli.images_from_flags()
    targets = jnp.asarray(photographs)
    seeds = cli.seeds_from_flags()
    descents = measured.descents(FLAGS.controls, targets[0].size, seeds)
    config = linear_descent(FLAGS.steps, FLAGS.rate)
    starts = depthjax.initial_images(jax.random.key(FLAGS.start_seed), targets.shape, config)
    definition = {
        **cli.flag_values(
            *("controls", "images", "size", "seeds", "steps", "rate", "coupling"),
            *("readings", "trained_on", "preimage_size", "converging_steps"),
        ),
        **vars(settings),
    }
    first = images.find_images(FLAGS.images)[:1]
    _, (image,) = images.load_images(first, FLAGS.preimage_size)
    with cli.begin_output(definition, images=(names, photographs)) as folder:
        rows: list[Row] = []
        for one in cli.with_bar(descents):
            what = one, names, targets, starts, config
            rows += folder.rows(
                f"{one.control}_{one.layer}_{one.seed}",
                partial(measured.rows_of, *what, **cli.flag_values("coupling", "converging_steps")),
            )
        of_preimages: list[Row] = []
        for reading, data in product(FLAGS.readings, FLAGS.trained_on):
            asked = reading, data, names[0], image, settings
            of_preimages += folder.rows(
                f"preimages_{reading}_{data}", partial(measured_preimages.rows_of, *asked)
            )
        findings = [*judged.findings(rows), *judged_preimages.findings(of_preimages)]
        every = with_all_columns([*rows, *of_preimages])
        figures = draw(rows, f"{FLAGS.steps} steps of gradient descent, {FLAGS.size}×{FLAGS.size}")
        tables = [
            judged.control_table(rows) if rows else "",
            judged_preimages.preimage_table(of_preimages) if of_preimages else "",
        ]
        cli.finish_study(folder, every, findings, figures, before=tables)


if __name__ == "__main__":
    cli.run(main)
