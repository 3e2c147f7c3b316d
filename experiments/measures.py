r"""What each measure of likeness sees: photographs changed in known ways, and every number.

    python experiments/measures.py
    python experiments/measures.py --judge_model=tf_efficientnet_lite0 \
        --judge=pip:efficientnet_lite0

Blur, noise, paler colours, another hue, edges alone, a line drawing, a negative, a shift; and what
leaves nothing to see: scrambled phases, noise alone, another photograph.
"""

from absl import flags

from depthjax import cli
from depthjax.analysis.perceptual import load_judge
from depthjax.studies.measures.changes import changed
from depthjax.studies.measures.drawn import draw
from depthjax.studies.measures.measured import measures_table, rows_of

FLAGS = flags.FLAGS
cli.define_image_flags(["astronaut", "chelsea", "coffee", "rocket", "china"], size=224)
cli.define_judge_flags()
cli.define_output_flags("runs/measures")
cli.define_script_flags()
flags.DEFINE_integer("seed", 0, "seed of noise and phases", lower_bound=0)
FLAGS.set_default("judge_model", "resnet18_small")
FLAGS.set_default("judge", "zoo:resnet18_small/photos")

NOTE = "Means over photographs. r²: of luminance, over all and by the period of details."


def main() -> None:
    """Flags -> changed photographs -> every measure -> files."""
    asked = cli.judge_from_flags(FLAGS.judge_model, {})
    judge = load_judge(**asked, image_size=FLAGS.size) if asked else None
    names, targets = cli.images_from_flags()
    changes = changed(targets, FLAGS.seed)
    definition = {
        **cli.flag_values("images", "size", "fit", "seed"),
        "judge": judge.record if judge else None,
    }
    with cli.begin_output(definition, images=(names, targets)) as folder:
        rows = rows_of(names, targets, changes, judge)
        figures = draw(names, targets, changes, rows)
        cli.finish_study(folder, rows, [], figures, summary=measures_table(rows), after=[NOTE])


if __name__ == "__main__":
    cli.run(main)
