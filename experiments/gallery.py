r"""Recover the same photographs from several networks, and show them one below the other.

    python experiments/gallery.py --flagfile=experiments/flags/demo.flags
    python experiments/gallery.py --model=resnet50_thin --images=coffee,me.jpg \
        --networks=trained=pip:resnet50_thin,shuffled=calibrated:shuffled:pip:resnet50_thin

All networks are of one architecture, begin from the same starts and see pixels normalised alike,
unless one is unnormalized:WEIGHTS. With --setting, several times, the same is recovered in several
ways, each from its own starts. Where one of them knows ImageNet's classes, it says what it sees
in every picture. Nothing is judged here: claims about trained networks are those of compare.py.
"""

import dataclasses

from absl import flags

from depthjax import cli
from depthjax.studies import descents
from depthjax.studies.descents import CONVERGING
from depthjax.studies.gallery.drawn import draw
from depthjax.studies.gallery.measured import class_table, eye_of, gather, settings_table

FLAGS = flags.FLAGS
cli.define_descent_study_flags("gallery", ["chelsea", "coffee"], size=224)
flags.DEFINE_multi_string(
    "setting",
    [],
    "a preset with changes, such as lucid or converging:penalty=tv:1e-4, or with a name before it:"
    " smooth=converging:penalty=tv:1e-4; several are shown one below the other",
)
flags.DEFINE_integer(
    "frames", 12, "iterates kept of each descent, for the report; 0: none", lower_bound=0
)


def main() -> None:
    """Flags -> one call for each layer × network × seed -> pictures, numbers and classes."""
    config = cli.config_from_flags()
    asked = cli.asked_from_flags()
    conditions = cli.configs_from_words(FLAGS.setting) or {CONVERGING: config}
    every = cli.descents_from_flags("gallery", asked, conditions, frames=FLAGS.frames)
    # Of one network all seeds, one below the other.
    every.sort(key=lambda one: list(asked.networks).index(one.network))
    if FLAGS.setting:
        every = [
            dataclasses.replace(
                one, own_starts=descents.starts_of(asked.targets, one.config, FLAGS.start_seed)
            )
            for one in every
        ]
    with cli.recovered(every, asked) as study:
        if study is None:
            return
        label, eye = eye_of(asked.model, asked.networks)
        recoveries = gather(every, eye)
        rows = [row for recovery in recoveries for row in recovery.rows()]
        each, figures = class_table(recoveries, label), draw(recoveries, label)
        tables = [settings_table(recoveries), each] if FLAGS.setting else [each]
        shown = {"summary": tables[0], "before": tables[1:], "after": [_KEY]}
        cli.finish_study(study.folder, rows, [], figures, **shown)


_KEY = f"{cli.KEY}\nρ: distance of the embedding over that of the noisy copy; at most 1 is nearer."


if __name__ == "__main__":
    cli.run(main, processes_share=True)
