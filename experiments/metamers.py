r"""Are the images recovered from a layer metamers of their targets? And do other networks agree?

    python experiments/metamers.py --flagfile=experiments/flags/metamers_lite0_128.flags
    python experiments/metamers.py --model=resnet50 --networks=trained=resnet50.pth,untrained \
        --layers=conv1,layer1:layer4 --null_images=photos/

The test of Feather et al. (2023). An image passes if the network gives it the target's class, and
if Spearman's and Pearson's correlation and the SNR of the two embeddings exceed those of unrelated
photographs. These null distributions stay in nulls/ of the folder, for --metamer_null of invert.py.
"""

from absl import flags

from depthjax import cli
from depthjax.analysis.metamers import natural_images
from depthjax.studies.descents import CONVERGING
from depthjax.studies.metamers import tables
from depthjax.studies.metamers.drawn import draw
from depthjax.studies.metamers.measured import judge, judges_of, nulls_of

FLAGS = flags.FLAGS
cli.define_descent_study_flags("metamers", size=128)
cli.define_data_dir_flag()
flags.DEFINE_list(
    "null_images",
    ["photo_crops"],
    "natural images: photo_crops, folder:PATH, tfds:NAME; or paths, folders, photographs by name",
)
flags.DEFINE_integer("null_pairs", 100_000, "pairs of different photographs", lower_bound=1)
flags.DEFINE_integer("null_seed", 0, "seed of the order in which natural images are drawn")
cli.define_metamer_quantile_flag()
flags.DEFINE_list(
    "judges",
    [],
    "MODEL=WEIGHTS: other networks that say which class they see, beside --networks; such as"
    " tf_efficientnet_lite2=pip:efficientnet_lite2",
)


def main() -> None:
    """Flags -> descents of each layer × network × seed, null distributions -> verdicts."""
    asked = cli.asked_from_flags()
    judged_by = asked.networks, asked.seeds[0], FLAGS.judges, FLAGS.size
    judges = judges_of(asked.model, *judged_by)
    natural = natural_images(
        *(FLAGS.null_images, FLAGS.size, FLAGS.null_pairs),
        seed=FLAGS.null_seed,
        data_dir=FLAGS.data_dir,
    )
    every = cli.descents_from_flags("metamers", asked, {CONVERGING: cli.config_from_flags()})
    defining = "null_pairs", "null_seed", "metamer_quantile", "judges"
    with cli.recovered(every, asked, *defining, natural=natural.record) as study:
        if study is None:
            return
        rows, nulls = [], {}
        for descent, null in cli.with_bar(
            nulls_of(study.folder.path / "nulls", every, natural), "null"
        ):
            rows += judge(descent, null, asked.model, judges, FLAGS.metamer_quantile).rows()
            nulls.setdefault(descent.network, null)
        parts = [
            tables.verdict_table(rows),
            tables.recognition_table(rows, list(judges)),
            tables.null_table(nulls, FLAGS.metamer_quantile),
            f"Null distributions: {null}.",
        ]
        figures = draw(rows, list(asked.networks), asked.layers)
        cli.finish_study(study.folder, rows, [], figures, summary="\n\n".join(parts), after=[_KEY])


_KEY = (
    "metamers: images with the target's class whose embedding is, by all three statistics, more"
    " like\nthe target's than those of unrelated photographs are.\n"
    "seen by: how many of these metamers a network gives the class that it gives the photograph."
)


if __name__ == "__main__":
    cli.run(main, processes_share=True)
