r"""How many images does a layer take for one? Restarts from far-apart starts, compared.

    python experiments/uniqueness.py --flagfile=experiments/flags/uniqueness_quick.flags
    python experiments/uniqueness.py --model=tf_efficientnet_lite0 --size=128 --restarts=32 \
        --networks=photos=pip:efficientnet_lite0,untrained --layers=stem,blocks.2,blocks.6

Solutions that match the embedding are compared with each other and with the target, in units of D:
their mean distance, how many they are, and where in the image they differ. With --push_rounds they
are then pushed apart, each still matched: the most different images that the layer takes for one.
"""

from absl import flags

from depthjax import cli
from depthjax.analysis.uniqueness import APART, LEVEL, check_restarts, far_starts
from depthjax.studies.descents import CONVERGING
from depthjax.studies.networks import single_networks
from depthjax.studies.uniqueness import judged, measured
from depthjax.studies.uniqueness.drawn import draw

FLAGS = flags.FLAGS
cli.define_descent_study_flags("uniqueness", size=128)
flags.DEFINE_float("matched_ratio", LEVEL, "ρ up to which a solution is matched", lower_bound=0)
flags.DEFINE_float("apart", APART, "D above which two images are different ones", lower_bound=0)
flags.DEFINE_integer(
    "push_rounds", 0, "how often matched solutions are pushed apart; 0: never", lower_bound=0
)
flags.DEFINE_integer("push_steps", 100, "steps of a round, at most", lower_bound=1)


def main() -> None:
    """Flags -> all restarts of each layer × network × seed -> solutions, compared."""
    config = cli.config_from_flags()
    if FLAGS.restarts is None:
        config = config.replace(restarts=8)
    check_restarts(config.restarts)
    if FLAGS.start is None:
        config = config.replace(start=far_starts(config.restarts))
    asked = cli.asked_from_flags()
    every = cli.descents_from_flags("uniqueness", asked, {CONVERGING: config})
    defining = "matched_ratio", "apart", "push_rounds", "push_steps"
    with cli.recovered(every, asked, *defining) as study:
        if study is None:
            return
        level, rounds = FLAGS.matched_ratio, FLAGS.push_rounds
        push = measured.pusher(study.folder, level, rounds, FLAGS.push_steps) if rounds else None
        gathered = measured.gather(every, level, FLAGS.apart, push)
        rows = [row for solutions in gathered for row in solutions.rows()]
        labels, single = list(asked.networks), single_networks(asked.networks)
        findings = judged.findings(rows, asked.layers, labels, level, single)
        shown = {"summary": measured.summary(rows), "after": [_KEY]}
        cli.finish_study(study.folder, rows, findings, draw(gathered, level), **shown)


_KEY = (
    "matched: restarts whose embedding came near enough; only these count.\n"
    "solutions: images that differ by more than the noisy copy does, median (least–most) over"
    " images.\n"
    "D between: their mean distance, in units of that of the noisy copy."
)


if __name__ == "__main__":
    cli.run(main, processes_share=True)
