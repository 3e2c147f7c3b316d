r"""Claims C1 to C3: how much of an image untrained ResNets keep, block by block.

    python experiments/depth.py --flagfile=experiments/flags/depth_quick.flags
    python experiments/depth.py --network=resnet50 --network='resnet152 @layer1,layer4' \
        --size=224 --seeds=0,1,2 --output=runs/depth

A network is MODEL, then fields of it if any, then @LAYERS if not all blocks are inverted:
`resnet34 width=8 stem=small @layer4`. Networks with blocks of one kind are compared with each
other. All of them see the same photographs from the same starts. A run that was cut off goes on
with --resume and has lost no descent that was finished.
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import jax
from absl import flags

import depthjax
from depthjax import cli
from depthjax.devices import processes
from depthjax.models import ResNet
from depthjax.studies import descents
from depthjax.studies.depth import judged, measured
from depthjax.studies.depth.drawn import draw

FLAGS = flags.FLAGS
cli.define_inversion_flags()
cli.define_seeds_flag()
cli.define_image_flags(size=64, least_size=8)
cli.define_start_seed_flag()
cli.define_reference_seed_flag()
cli.define_output_flags("runs/depth", "descents, numbers and figures")
cli.define_script_flags()
flags.DEFINE_multi_string(
    "network", ["resnet18"], "MODEL [field=value …] [@LAYERS]; may be given several times"
)

CONDITION = "converging"
NOTE = "D: distance to the target over that of a noisy copy. ρ: the same for the embedding."


class Asked(NamedTuple):
    """A network that --network asks for."""

    label: str
    model: ResNet
    layers: tuple[str, ...]


def main() -> None:
    """Flags -> one call for each layer × network × seed -> findings and a figure."""
    config = cli.config_from_flags()
    if config.blur:
        raise ValueError("blocks are compared with blur=False")
    config = config.replace(record_every=1)  # or a descent would pass a matched ρ unseen
    networks = networks_from_flags()
    image_names, targets = cli.images_from_flags()
    output = Path(FLAGS.output)
    by_network = {
        asked.label: [
            descents.Descents(
                output,
                asked.label,
                seed,
                CONDITION,
                config,
                {name: depthjax.Layer(asked.model, name) for name in asked.layers},
                depthjax.init_variables(asked.model, jax.random.key(seed), FLAGS.size),
                {"source": "untrained"},
            )
            for seed in cli.seeds_from_flags()
        ]
        for asked in networks
    }
    every = [one for each in by_network.values() for one in each]
    references = descents.check(every, targets, jax.random.key(FLAGS.reference_seed))
    starts = descents.starts_of(targets, config, FLAGS.start_seed)
    definition = {
        **cli.flag_values(*_DEFINING),
        "blocks": {asked.label: list(asked.layers) for asked in networks},
        "images": list(image_names),
        "inversion": dataclasses.asdict(config),
    }
    with descents.begin_study(
        every, definition, targets, starts, **cli.flag_values("overwrite", "resume")
    ) as folder:
        cli.recover_all(every, targets, starts, references)
        if not processes.is_first():
            return
        gathered = [measured.gather(by_network[asked.label], asked.model) for asked in networks]
        findings = judged.findings(gathered)
        rows = [row for network in gathered for row in network.rows()]
        cli.finish_study(folder, rows, findings, draw(gathered, FLAGS.size), after=[NOTE])


_DEFINING = (
    *("network", "seeds", "size", "fit", "preset", "start_seed", "reference_seed"),
)  # fmt: skip


def networks_from_flags() -> list[Asked]:
    """The residual networks that --network asks for.

    Raises:
        ValueError: for one that does not exist, is no ResNet, or is asked for twice.
    """
    found: dict[str, Asked] = {}
    for entry in FLAGS.network:
        text, _, chosen = entry.partition("@")
        name, *fields = text.split() or [""]
        model = depthjax.build_model(name, **cli.parse_fields(fields, "network"))
        if not isinstance(model, ResNet):
            raise ValueError(
                f"--network={entry!r} is no residual network; take resnet18 or another"
            )
        layers = depthjax.select_layers(model, chosen or ",".join(measured.block_names(model)))
        measured.blocks_of(model, layers)
        label = name if name not in found else " ".join(text.split())
        if label in found:
            raise ValueError(f"--network={entry!r} is given twice; write all its layers in one")
        found[label] = Asked(label, model, layers)
    return list(found.values())


if __name__ == "__main__":
    cli.run(main, processes_share=True)
