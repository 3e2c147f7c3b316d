r"""Compare networks of one architecture, untrained and trained, by what their layers keep.

    python experiments/compare.py --flagfile=experiments/flags/compare_resnet18_small.flags
    python experiments/compare.py --model=resnet18 --model_field=width=16 --output=runs/compare \
        --networks=untrained,photos=photos_{seed}.safetensors,noise=noise_{seed}.safetensors

The same photographs are inverted at the same layers from the same starts, and claims C10 to C13 are
judged of the networks called untrained, photos and noise; calibrated and shuffled stand beside
them as controls. Photographs are made grey (three equal channels), because training on photo_crops
takes all colour away. A run that was cut off goes on with --resume and has lost no descent that was
finished.
"""

import numpy as np
from absl import flags

import depthjax
from depthjax import cli, data
from depthjax.images.crops import natural_crops
from depthjax.inversion.config import STEP_SCALES
from depthjax.models import Network
from depthjax.studies.classifier import classifier_of
from depthjax.studies.comparison import judged, measured, natural, setting
from depthjax.studies.comparison.drawn import draw
from depthjax.studies.comparison.judges import (
    Judges,
    as_many_classes,
    class_judges,
    photograph_judge,
    without_colour,
)
from depthjax.studies.comparison.tables import comparison_tables
from depthjax.studies.networks import Networks, single_networks

FLAGS = flags.FLAGS
cli.define_descent_study_flags(
    "compare",
    ["astronaut", "chelsea", "coffee", "rocket", "china"],
    size=64,
    least_size=8,
    note="by default those that photo_crops has no class of",
)
flags.DEFINE_boolean("grey", True, "take the colour out of the photographs, and of what is judged")
flags.DEFINE_float("matched_ratio", 0.1, "ρ at which images are compared", lower_bound=1e-9)
flags.DEFINE_float(
    "natural_fraction",
    0.1,
    "m_g at which they are compared, too, over the median distance of natural pairs",
    lower_bound=1e-9,
)
flags.DEFINE_integer("natural_crops", 32, "crops that make the pairs", lower_bound=2)
flags.DEFINE_integer("paper_steps", 500, "fixed number of steps of the paper's recipe")
flags.DEFINE_enum(
    "paper_step_scale",
    "layer",
    STEP_SCALES,
    "rate of the paper's recipe; layer: measured at the start",
)
flags.DEFINE_list(
    "paper_rates",
    ["0.1", "0.3", "1", "3"],
    "multiples of the rate of --paper_step_scale; each layer and network takes the one that ends at"
    " the least objective",
)
flags.DEFINE_integer("noise_images", 256, "images of the training noise whose spectrum is taken")
flags.DEFINE_string(
    "judge", "", "weights of the network that reads the classes (default: photos of the next seed)"
)
flags.DEFINE_string("judge_model", "", "architecture of --judge (default: that of --model)")
flags.DEFINE_multi_string("judge_field", [], "a field of --judge_model, such as width=4")
flags.DEFINE_string("noise_judge", "", "weights of a classifier of photographs against noise")
flags.DEFINE_string("noise_judge_model", "resnet18_small", "architecture of --noise_judge")
flags.DEFINE_multi_string(
    "noise_judge_field", ["width=4", "num_classes=2"], "a field of --noise_judge_model"
)
flags.DEFINE_integer(
    "photograph_class", 0, "class of --noise_judge that is photographs", lower_bound=0
)
flags.DEFINE_integer(
    "frames",
    24,
    "iterates kept of converging descents, between which images at one distance are read off; and"
    " of the others of the first seed, for the report",
    lower_bound=2,
)


def main() -> None:
    """Flags -> one call for each layer × condition × network × seed -> findings and figures."""
    paper = depthjax.InversionConfig.paper(
        steps=FLAGS.paper_steps, step_scale=FLAGS.paper_step_scale
    )
    conditions = setting.conditions(cli.config_from_flags(), paper)
    asked = cli.asked_from_flags(grey=FLAGS.grey)
    asked = asked._replace(targets=as_seen(asked.targets))
    judges = judges_from_flags(asked.model, asked.networks)
    shares_classes = knows_classes(asked, judges)
    every = cli.descents_from_flags(
        *("compare", asked, conditions),
        rates=cli.rising_numbers("paper_rates"),
        frames=FLAGS.frames,
    )
    targets = asked.targets
    crops = natural_crops(FLAGS.natural_crops, *targets.shape[1:3], without=tuple(asked.images))
    with cli.recovered(every, asked, *_DEFINING, natural_crops=crops.record) as study:
        if study is None:
            return
        noise, _ = data.open_dataset(f"noise/{FLAGS.size}").read(np.arange(FLAGS.noise_images))
        apart = natural.natural_distances(every, as_seen(crops.images), crops.photographs)
        matching = {
            place: natural.Matching(FLAGS.matched_ratio, FLAGS.natural_fraction, distance)
            for place, distance in apart.items()
        }
        resolutions = measured.relative_resolutions(asked.model, every[0], targets)
        compared = measured.gather(
            every, targets, study.starts, noise, judges, matching, resolutions
        )
        if not compared.middle:
            print("No parts of C11: fewer than two layers have a lower resolution than the first.")
        findings = judged.findings(
            compared,
            single_networks(asked.networks),
            judge_shares_classes=shares_classes,
        )
        figures = draw(compared, every, targets, study.starts, ratio=FLAGS.matched_ratio)
        before = [comparison_tables(compared), natural.natural_sentence(crops)]
        cli.finish_study(study.folder, compared.rows(), findings, figures, before=before)


_DEFINING = (
    *("grey", "matched_ratio", "natural_fraction", "paper_rates", "normalization"),
    *("judge", "judge_model", "judge_field", "noise_judge", "noise_judge_model"),
    *("noise_judge_field", "photograph_class", "noise_images", "frames"),
)


def as_seen(photographs: np.ndarray) -> np.ndarray:
    """Photographs as all networks see them: floats in [0, 1], and with --grey without colour."""
    pixels = photographs / np.float32(255) if photographs.dtype == np.uint8 else photographs
    return np.asarray(without_colour(pixels)) if FLAGS.grey else pixels


def knows_classes(asked: cli.Asked, judges: Judges) -> bool:
    """Whether the networks have as many classes as their judge reads; says so if not."""
    if not judges.classes:
        return True
    first = next(iter(asked.networks.values()))[0]
    same = as_many_classes(
        classifier_of(asked.model, first), judges.classes[0], asked.targets.shape
    )
    if not same:
        print(
            "C12 is not judged: the judge reads another number of classes than the networks have."
        )
    return same


def judges_from_flags(model: Network, networks: Networks) -> Judges:
    """Who looks at the recovered images; says so where nobody does.

    Raises:
        ValueError: for judges that do not exist, do not fit, or are no others.
    """
    cli.check_needed("judge", "judge_model", "judge_field")
    cli.check_needed("judge_model", "judge_field")
    of_noise = "noise_judge_model", "noise_judge_field", "photograph_class"
    cli.check_needed("noise_judge", *of_noise)
    asked = FLAGS.judge_model, cli.fields_from_flags("judge_field")
    of_classes = depthjax.build_model(asked[0], **asked[1]) if FLAGS.judge_model else model
    classes = class_judges(of_classes, networks, FLAGS.judge, FLAGS.size)
    if not classes:
        print("No third network, so C12 is not judged: give --judge, or photos of two seeds.")
    photographs = None
    if FLAGS.noise_judge:
        fields = cli.fields_from_flags("noise_judge_field")
        judge = depthjax.build_model(FLAGS.noise_judge_model, **fields)
        asked = FLAGS.noise_judge, FLAGS.size, FLAGS.photograph_class
        photographs = photograph_judge(judge, *asked)
    else:
        print("No --noise_judge, so nobody says whether recovered images are photographs or noise.")
    return Judges(classes, photographs, FLAGS.photograph_class, FLAGS.grey)


if __name__ == "__main__":
    cli.run(main, processes_share=True)
