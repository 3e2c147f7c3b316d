"""Every claim of the paper, judged by one command.

    python experiments/reproduce.py                    # quick: small networks, minutes on 2 cores
    python experiments/reproduce.py --scale=cpu        # hours on 2 cores
    python experiments/reproduce.py --scale=paper      # the paper's sizes, on one accelerator
    python experiments/reproduce.py --scale=paper --list

Each step of the plan is a script of this folder with a flag file, in a process of its own. The same
command continues a reproduction that was interrupted at any moment (`--resume` says the same in
words, `--overwrite` begins anew), and it ends with the same results. A step that fails stops only
the steps that need it, and is named at the end. How findings become one verdict stands in
`depthjax/claims/judging.py`.
"""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from depthjax import cli
from depthjax.claims.judging import NOT_RUN
from depthjax.claims.paper import CLAIMS
from depthjax.claims.reproduction import Reproduction
from depthjax.claims.step import DONE, Step
from depthjax.claims.tables import judgement_table, power_table
from depthjax.errors import one_of
from depthjax.report import write_report
from depthjax.tables import markdown_table

FLAGS = flags.FLAGS
cli.define_output_flags(
    None,
    "reproduction (default: runs/reproduce_SCALE); without --overwrite one that is there goes on",
)
cli.define_script_flags()
flags.DEFINE_enum("scale", "quick", ["quick", "cpu", "paper"], "which plan of runs")
flags.DEFINE_list("steps", None, "only these steps of the plan, by name (default: all)")
flags.DEFINE_boolean("list", False, "show the plan and how far it is, and run nothing")

EXPERIMENTS = Path(__file__).parent
DEPTH, TRAINED = ("C1", "C2", "C3"), ("C10", "C11", "C12", "C13")
WIDTHS, SPECTRA = {"quick": ("C4", "C5", "C7", "C8"), "cpu": ("C4", "C5", "C8")}, ("C9", "C16")
WIDTHS_SAMPLE = {"quick": (3, 3), "cpu": (3, 5)}
GRADIENTS = {"quick": "gradients_quick", "cpu": "gradients_resnet50_224"}
GRADIENTS_SAMPLE = {"quick": (3, 3), "cpu": (3, 5)}
WITNESSES = {"quick": "witnesses_quick", "cpu": "witnesses_resnet18_small"}


def depth(flag_file: str, minutes: float, sample: tuple[int, int]) -> Step:
    """Untrained networks, block by block."""
    figure = "figures/depth.png"
    return Step("depth", "depth.py", flag_file, minutes, DEPTH, figure, sample=sample)


def recipe(flag_file: str, minutes: float, sample: tuple[int, int]) -> Step:
    """The paper's own descent."""
    figure = "figures/recipe_untrained.png"
    return Step("recipe", "recipe.py", flag_file, minutes, ("C2",), figure, sample=sample)


def compared(flag_file: str, minutes: float, **more: Any) -> Step:
    """Trained networks beside untrained ones."""
    figure = "figures/claims.png"
    return Step("compare", "compare.py", flag_file, minutes, TRAINED, figure, **more)


def manifold(flag_file: str, minutes: float, **more: Any) -> Step:
    """Arbitrary inputs among the examples of training."""
    return Step(
        "manifold", "manifold.py", flag_file, minutes, ("C14",), "figures/manifold.png", **more
    )


def filters(flag_file: str, minutes: float, **more: Any) -> Step:
    """Filters of networks trained on noise."""
    return Step(
        "filters", "filters.py", flag_file, minutes, ("C15",), "figures/filters.png", **more
    )


def wavelets() -> Step:
    """First filters of a network that was trained on photographs; its weights are in a package."""
    figure = "figures/filters.png"
    return Step("wavelets", "filters.py", "filters_resnet50_thin", 1, ("C17",), figure)


def theory(scale: str, *minutes: float) -> list[Step]:
    """Widths, controls, gradients, spectra, witnesses, predictions."""
    first, second, third, fourth, fifth = minutes
    return [
        Step("widths", "widths.py", f"widths_{scale}", first, WIDTHS[scale],
             "figures/widths_C4.png", sample=WIDTHS_SAMPLE[scale]),
        Step("controls", "controls.py", f"controls_{scale}", second, ("C6",),
             "figures/controls.png", sample=(10, 1)),
        Step("elasticity", "controls.py", "controls_elasticity", 0.4, ("C3",),
             "figures/controls.png", sample=(3, 3)),
        Step("gradients", "gradients.py", GRADIENTS[scale], 0.2, ("C18",),
             "figures/gradients.png", sample=GRADIENTS_SAMPLE[scale]),
        Step("deep_widths", "widths.py", "widths_deep", 0.2, ("C19", "C20"),
             "figures/widths_C19.png", sample=(3, 3)),
        Step("jacobian", "jacobian.py", f"jacobian_{scale}", third, SPECTRA,
             "figures/depth.png", sample=(3, 3)),
        Step("witnesses", "witnesses.py", WITNESSES[scale], fourth, (),
             "figures/witnesses_photos.png"),
        Step("prediction", "prediction.py", f"prediction_{scale}", fifth, (),
             "figures/predicted_against_measured.png"),
    ]  # fmt: skip


# What takes long at the paper's size is judged at the quick scale's.
RELU_WIDTHS = Step(
    "relu_widths",
    "widths.py",
    "widths_quick",
    2,
    ("C7",),
    "figures/widths_C7.png",
    more=("--claims=C7",),
    sample=(3, 3),
)
TRAINED_CONTROLS = Step(
    "trained_controls", "controls.py", "controls_trained", 30, ("C21",), sample=(3, 1)
)
NOISE_TRAINED = "{output}/noise_resnet50/best.safetensors"
PAPER_NETWORKS = f"--networks=untrained,photos=torchvision:resnet50,noise={NOISE_TRAINED}"
PLANS = {
    "quick": [
        depth("depth_quick", 2.5, (5, 3)),
        recipe("recipe_quick", 0.7, (3, 3)),
        *theory("quick", 1, 1.5, 2, 1, 1),
        compared("compare_quick", 3, sample=(3, 3)),
        manifold("manifold_quick", 1, sample=(3, 5)),
        filters("filters_resnet18_small", 0.4, sample=(3, 64)),
    ],
    "cpu": [
        depth("depth_cpu", 60, (3, 3)),
        recipe("recipe_resnet18_224", 30, (3, 5)),
        *theory("cpu", 60, 15, 30, 10, 10),
        RELU_WIDTHS,
        TRAINED_CONTROLS,
        compared("compare_resnet18_small", 15, sample=(3, 5)),
        manifold("manifold_resnet18_small", 5, sample=(3, 5)),
        filters("filters_resnet18_small", 0.4, sample=(3, 64)),
        wavelets(),
    ],
    # Of networks trained on photographs torchvision's weights (they are downloaded) are one seed.
    "paper": [
        depth("depth_paper", 120, (5, 5)),
        recipe("recipe_resnet50_224", 10, (3, 5)),
        *theory("cpu", 60, 15, 30, 10, 10),
        RELU_WIDTHS,
        TRAINED_CONTROLS,
        Step("noise_resnet50", "train.py", "noise_resnet50", 90),
        compared("compare_paper", 120, after=("noise_resnet50",), more=(PAPER_NETWORKS,)),
        manifold("manifold_paper", 20, after=("noise_resnet50",), more=(PAPER_NETWORKS,)),
        filters("filters_paper", 1, after=("noise_resnet50",), more=(PAPER_NETWORKS,)),
        wavelets(),
    ],
}


def main() -> None:
    """Flags -> plan -> what is missing of it -> verdicts."""
    plan = chosen_plan()
    output = Path(FLAGS.output or f"runs/reproduce_{FLAGS.scale}")
    reproduction = Reproduction(plan, output, EXPERIMENTS)
    reproduction.check()
    if FLAGS.list:
        print(plan_table(reproduction))
        return
    reproduction.open(FLAGS.scale, overwrite=FLAGS.overwrite and not FLAGS.resume)
    print(announcement(reproduction))
    with cli.PlanBar(reproduction) as bar:
        outcomes = reproduction.run(bar)
    judgements = reproduction.judgements()
    print(f"\n{judgement_table(judgements)}\n")
    for judgement in judgements:
        if judgement.verdict != NOT_RUN:
            print(f"{judgement.claim.id}: {judgement.reason}")
    print()
    for outcome in outcomes:
        if outcome.state != DONE:
            print(f"{outcome.step.name} {outcome.state}: {outcome.message}", file=sys.stderr)
    minutes = sum(outcome.seconds for outcome in outcomes if outcome.state == DONE) / 60
    print(f"{minutes:.1f} minutes of steps; verdicts in {output / 'claims.json'}, logs beside it")
    print(f"All of it on one page: {write_report(output, title=f'Reproduction, {FLAGS.scale}')}")
    if any(outcome.state != DONE for outcome in outcomes):
        sys.exit(1)


def announcement(reproduction: Reproduction) -> str:
    """The plan's digest, and the power of each part as it was announced before the first step."""
    power = reproduction.marker["power"]
    text = f"Plan {reproduction.marker['plan']}."
    if not power:
        return f"{text} No pilot (experiments/pilots.json), so power is not known before the run."
    unknown = [name for name in CLAIMS if not power.get(name)]
    text += f" Power at the smallest effect of interest:\n\n{power_table(power)}\n"
    return text + (f"\nWithout a pilot: {', '.join(unknown)}.\n" if unknown else "")


def chosen_plan() -> list[Step]:
    """The steps of --scale, or those of them that --steps names and what these need.

    Raises:
        ValueError: for a step that is not in the plan.
    """
    plan = PLANS[FLAGS.scale]
    if FLAGS.steps is None:
        return plan
    names = [step.name for step in plan]
    wanted = {one_of("step", name.strip(), names) for name in FLAGS.steps}
    for step in reversed(plan):
        if step.name in wanted:
            wanted |= set(step.after)
    return [step for step in plan if step.name in wanted]


def plan_table(reproduction: Reproduction) -> str:
    """What each step is for, what it may take, how far it is, and its command."""
    rows = [
        [
            step.name,
            ", ".join(step.claims),
            f"{step.minutes:g}",
            reproduction.outcome(step).state,
            f"`{reproduction.shown_command(step)}`",
        ]
        for step in reproduction.plan
    ]
    return markdown_table(["step", "claims", "minutes", "state", "command"], rows)


if __name__ == "__main__":
    cli.run(main, goes_on_by_itself=True)
