r"""Claims C4, C5, C7, C8, C19 and C20: how wide a multilayer perceptron must be to tell its input.

    python experiments/widths.py --flagfile=experiments/flags/widths_quick.flags
    python experiments/widths.py --size=29 --narrow=2000 --wide=3000 --output=runs/widths

C4 is of linear MLPs: where one layer is narrower than the input, m_i stalls at ‖P_N(a − a_0)‖;
where none is, it goes to nothing. C5: layers that are all wide enough still cost more steps the
deeper they are. C8: wider late layers cost fewer. C7 is of a layer of ReLUs, and of the width at
which half of the descents recover; C19 of a second such layer behind one that is wide enough; C20
of a layer of tanh or sigmoid units.

An image is recovered where D = m_i / m_i' ≤ 1, m_i' = σ_r √n. For C7, C19 and C20 that is what
Gauss–Newton descents come to; beside it stands, for C7, the exact criterion of local recovery, that
the Jacobian at the target has rank n, which for random weights is n active units or more. (They
need not agree: the units that are closed at the target bound where a descent ends, too.) Steps of
C5 and C8 are those of gradient descent on ½‖r‖² at the rate 1/σ₁² of each network. The paper's
recipe is the L1 descent of 500 steps and of many more, its rate what it is in the paper. m_i ≤ 0.1
of the paper is for 2523 inputs: at other sizes the same for each input, m_i √(2523/n).

Seen in the runs: through too few ReLUs, descents by Gauss–Newton, Adam and the paper's recipe alike
stop before they match the embedding; m_g stands beside D in the table.
"""

from typing import Any

import numpy as np
from absl import flags

from depthjax import cli
from depthjax.studies.rows import Row
from depthjax.studies.widths import judged, measured
from depthjax.studies.widths.drawn import draw
from depthjax.studies.widths.setting import CLAIMS, RELU_WIDTHS, WidthSettings, inputs_of

FLAGS = flags.FLAGS
cli.define_setting_flags(WidthSettings, without=["claims", "paper_steps", "relu_widths"])
cli.define_start_seed_flag()
cli.define_output_flags("runs/widths")
cli.define_script_flags()
flags.DEFINE_list("claims", list(CLAIMS), "which claims are judged")
flags.DEFINE_list("photographs", ["astronaut", "chelsea", "coffee"], "paths, folders or names")
flags.DEFINE_integer("weight_seeds", 3, "networks of each kind, seeds from 0", lower_bound=1)
flags.DEFINE_list("paper_steps", ["500", "10000"], "C5: numbers of steps of the paper's descent")
flags.DEFINE_integer("relu_size", None, "C7: height and width of its images (default: --size)")
flags.DEFINE_list("relu_widths", None, "C7: widths over inputs (default: 1.4, 1.5, …, 2.6)")


def main() -> None:
    """Flags -> networks of every seed -> rows -> findings -> files."""
    inputs, relu_inputs = (
        inputs_of(FLAGS.photographs, size, FLAGS.start_seed)
        for size in (FLAGS.size, FLAGS.relu_size or FLAGS.size)
    )
    setting = setting_from_flags()
    definition = cli.flag_values(
        *("claims", "photographs", "size", "narrow", "wide", "depth", "weight_seeds", "start_seed"),
        *("descent_steps", "cg_steps", "paper_steps", "most_steps", "relu_size", "relu_widths"),
        *("relu_steps", "relu_iterations", "relu_starts"),
    )
    images = inputs.names, np.asarray(inputs.targets)
    with cli.begin_output(definition, images=images) as folder:
        rows: list[Row] = []
        for seed in cli.with_bar(range(FLAGS.weight_seeds), "seed"):
            for claim, make in measured.parts_of(setting, inputs, relu_inputs, seed).items():
                rows += folder.rows(f"{claim}_{seed}", make)
        findings = judged.findings(setting, rows, inputs.count, relu_inputs.count)
        figures = draw(setting, rows, findings, relu_inputs.count)
        after = [judged.condition_table(rows), judged.unmatched_text(rows)]
        cli.finish_study(folder, rows, findings, figures, after=after)


def setting_from_flags() -> WidthSettings:
    """What the flags ask for.

    Raises:
        ValueError: for widths that are not what they are called, and numbers that do not rise.
    """
    changed: dict[str, Any] = {"paper_steps": [*map(int, cli.rising_numbers("paper_steps"))]}
    changed["relu_widths"] = RELU_WIDTHS
    if FLAGS.relu_widths is not None:
        changed["relu_widths"] = cli.rising_numbers("relu_widths", least=2)
    return cli.settings_from_flags(WidthSettings, **changed)


if __name__ == "__main__":
    cli.run(main)
