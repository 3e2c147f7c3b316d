r"""Claim C2 in the paper's own terms: its recipe, with its constants, at every stage of a network.

    python experiments/recipe.py --flagfile=experiments/flags/recipe_resnet18_224.flags
    python experiments/recipe.py --model=resnet50 --seeds=0,1,2 --rates=1,0.1,0.01 \
        --rate_layers=layer3,layer4 --output=runs/recipe --resume

Gradient descent on the L1 distance from noise, at a constant rate, with a blur that grows weaker;
the last iterate counts, as in the paper. Rates are multiples of the published one. All layers are
inverted at the first of them, --rate_layers at the others too. The tuned rate is, for each image,
the one with the least objective at the end, so the photograph has no say in it. Seeds are done one
after another, and findings are written after each. A run that was cut off goes on with --resume.
"""

import dataclasses
from functools import partial

import jax
from absl import flags

import depthjax
from depthjax import cli
from depthjax.errors import one_of
from depthjax.models import Network, ResNet, resolve
from depthjax.studies import descents
from depthjax.studies.networks import layers_of, single_networks
from depthjax.studies.recipe import judged, measured
from depthjax.studies.recipe.drawn import draw

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_layers_flag()
cli.define_image_flags(
    ["astronaut", "chelsea", "coffee", "rocket", "china"], size=224, least_size=8
)
cli.define_start_seed_flag()
cli.define_reference_seed_flag()
cli.define_output_flags(None, "numbers (default: runs/recipe-MODEL-DATE)")
cli.define_script_flags()
flags.DEFINE_integer("steps", 500, "steps of each descent; the paper's are 500", lower_bound=1)
flags.DEFINE_list(
    "rates", ["1", "0.1", "0.01"], "multiples of the published rate; the first is at all layers"
)
flags.DEFINE_string("rate_layers", "", "layers for all rates (default: the last two)")

NOTE = "ρ: distance of the embedding over that of a noisy copy; < 1: nearer than that (m_g < m_r)."


def main() -> None:
    """Flags -> one call for each seed × layer × rate -> findings and a figure, seed by seed."""
    asked = cli.asked_from_flags()
    model, names, networks, seeds, _, targets = asked
    rates = rates_from_flags(names)
    recipe = depthjax.InversionConfig.paper(steps=FLAGS.steps)
    output = cli.output_from_flags("recipe", FLAGS.model)
    every = measured.descents_of(
        output, networks, seeds, partial(layers_of, model, names), recipe, rates
    )
    references = descents.check(every, targets, jax.random.key(FLAGS.reference_seed))
    starts = descents.starts_of(targets, recipe, FLAGS.start_seed)
    definition = {
        **cli.flag_values(*_DEFINING),
        **asked.definition,
        "rates": {rate: list(chosen) for rate, chosen in rates.items()},
        "inversion": dataclasses.asdict(recipe),
    }
    claimed = isinstance(model, ResNet) and resolve(model, names[-1]) == last_stage(model)
    untrained = [
        label
        for label, of_seeds in networks.items()
        if claimed and of_seeds[0].record["source"] == "untrained"
    ]
    with descents.begin_study(
        every, definition, targets, starts, **cli.flag_values("overwrite", "resume")
    ) as folder:
        for seed in seeds:
            cli.recover_all([d for d in every if d.seed == seed], targets, starts, references)
            found = measured.gather([d for d in every if d.seed in seeds[: seeds.index(seed) + 1]])
            findings = judged.findings(found, FLAGS.model, untrained, single_networks(networks))
            figures = draw(found, FLAGS.model, FLAGS.size)
            cli.finish_study(folder, found.rows(), findings, figures, after=[NOTE])


_DEFINING = (
    "model", "model_field", "seeds", "size", "fit", "normalization", "start_seed", "reference_seed",
)  # fmt: skip


def last_stage(model: Network) -> str:
    """The name of the operation that a network's last stage ends with."""
    return resolve(model, model.stages()[-1])


def rates_from_flags(layers: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The layers that each of --rates is used at.

    Args:
        layers: all that are inverted, shallow to deep.

    Raises:
        ValueError: unless the rates are different positive numbers, 1 the first, and --rate_layers
            are among the layers.
    """
    rates = [text.strip() for text in FLAGS.rates]
    try:
        numbers = [float(rate) for rate in rates]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) <= 0 or rates[0] != measured.PUBLISHED:
        raise ValueError(
            f"--rates={','.join(rates)} must be numbers above 0 of which the first is 1, the"
            " published rate, as in 1,0.1,0.01"
        )
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"--rates={','.join(rates)} has a number twice; write each once")
    chosen = tuple(name.strip() for name in FLAGS.rate_layers.split(",") if name.strip())
    chosen = chosen or layers[-2:]
    for name in chosen:
        one_of("layer of --rate_layers", name, layers)
    return {rate: layers if rate == rates[0] else chosen for rate in rates}


if __name__ == "__main__":
    cli.run(main)
