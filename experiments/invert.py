r"""Recover photographs from the layers of a network, and say how well it went.

    python experiments/invert.py --flagfile=experiments/flags/quick.flags
    python experiments/invert.py --model=resnet50 --images=astronaut,my_photo.jpg --size=224 \
        --layers=conv1,layer1:layer4 --output=runs/mine
    python experiments/invert.py --model=resnet50 --weights=resnet50.safetensors
    srun python experiments/invert.py --distributed --images=photos/ --output=runs/many
    python experiments/invert.py --flagfile=… --start_from=runs/mine --output=runs/farther

Settings later on the command line win, also over those of a flag file before them.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from absl import flags

import depthjax
from depthjax import cli, figures, images
from depthjax.analysis.perceptual import Judge, check_other, load_judge
from depthjax.devices import processes
from depthjax.folders.config import as_definition
from depthjax.folders.run_writer import RunWriter, start_run
from depthjax.folders.tables import class_table, inversion_table
from depthjax.inversion.reference import Reference, ReferenceNoise, checked_reference
from depthjax.report import films, write_report
from depthjax.studies.inversion.continued import continued_run
from depthjax.studies.inversion.drawn import draw
from depthjax.studies.inversion.measured import (
    imagenet_head,
    metamers_of,
    ratio_matrix,
    residuals,
    what_networks_see,
)
from depthjax.typing import Images

FLAGS = flags.FLAGS
cli.define_model_flags()
cli.define_inversion_flags()
cli.define_layers_flag()
cli.define_image_flags(["astronaut", "chelsea"], size=224)
cli.define_start_seed_flag()
cli.define_reference_flags()
cli.define_judge_flags()
cli.define_metamer_flags()
cli.define_output_flags(None, "run (default: runs/MODEL-DATE)")
cli.define_script_flags()
flags.DEFINE_string(
    "max_batch", "auto", "images × restarts at once: a number, or auto: as many as memory holds"
)
flags.DEFINE_integer(
    "frames", 12, "iterates kept of each descent, for the report; 0: none", lower_bound=0
)
flags.DEFINE_string(
    "start_from", None, "folder of a finished run: go on from the last images of its layers"
)
flags.DEFINE_list(
    "animate", [], f"{', '.join(films.FORMATS)}: write each descent as one, of its --frames"
)


def main() -> None:
    """Flags -> config -> one library call for each layer -> files."""
    films.check_formats(FLAGS.animate)
    if FLAGS.animate and not FLAGS.frames:
        raise ValueError("--animate shows --frames, which is 0; choose 48 or so")
    model = cli.model_from_flags()
    config = cli.config_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    channels, sources = cli.channels_of(model, (1, 3)), cli.sources_from_flags()
    mine = [sources[index] for index in processes.my_share(len(sources))]
    photographs = processes.gather(
        images.load_images(mine, FLAGS.size, fit=FLAGS.fit, channels=channels)[1], len(sources)
    )
    targets = jnp.asarray(photographs)
    weights = cli.weights_from_flags(model, FLAGS.size)
    layers = {name: depthjax.Layer(model, name, weights.normalization) for name in names}
    seed = jax.random.key(FLAGS.reference_seed)
    noise = ReferenceNoise(seed, FLAGS.reference_std, FLAGS.reference_draws)
    judge = judge_from_flags(weights)
    # What cannot be inverted ends here, before anything is written.
    references = {}
    for index, (name, layer) in enumerate(layers.items(), 1):
        cli.say_begun(f"distances of a noisy copy at {name} ({index}/{len(layers)})")
        references[name] = checked_reference(layer, weights.variables, targets, noise)
    null = cli.null_from_flags()
    asked = model, weights.variables, targets, null, FLAGS.metamer_quantile
    test = metamers_of(layers, *asked)
    starts = depthjax.initial_images(
        jax.random.key(FLAGS.start_seed), targets.shape, config, others=targets
    )
    if jax.process_count() > 1 and not FLAGS.output:
        raise ValueError("several processes need an --output, the same for all")
    definition = definition_of(weights, names, images.image_labels(sources), config)
    definition |= {"judge": judge.record} if judge else {}
    if null is not None:
        definition |= {"null": str(null), **cli.flag_values("metamer_quantile")}
    begin_at = dict.fromkeys(names, starts)
    if FLAGS.start_from:
        earlier = continued_run(FLAGS.start_from, as_definition(definition), names)
        starts, begin_at = earlier.starts, earlier.ends
        definition |= cli.flag_values("start_from")
    output, old = cli.output_from_flags(FLAGS.model), cli.flag_values("overwrite", "resume")
    with start_run(output, definition, photographs, starts, **old) as writer:
        head = imagenet_head(model, weights)
        look = what_networks_see(head, weights.variables, judge, targets, test)
        descend(writer, layers, weights, targets, begin_at, references, config, look)
        if processes.is_first():
            finish(writer, layers, weights, with_classes=head is not None)


def judge_from_flags(weights: cli.Weights) -> Judge | None:
    """The other network that compares images, if --judge names one."""
    asked = cli.judge_from_flags(FLAGS.model, cli.fields_from_flags())
    if not asked:
        return None
    judge = load_judge(**asked, image_size=FLAGS.size)
    check_other(judge, weights.record.get("sha256"))
    return judge


def definition_of(
    weights: cli.Weights,
    layer_names: Sequence[str],
    image_names: Sequence[str],
    config: depthjax.InversionConfig,
) -> dict[str, Any]:
    """All that the results follow from: what must be the same when a run is resumed."""
    return {
        "model": FLAGS.model,
        "model_fields": FLAGS.model_field,
        "weights": FLAGS.weights,
        "weights_seed": FLAGS.weights_seed,
        "weights_file": weights.record,
        "normalization": weights.normalization and weights.normalization._asdict(),
        "layers": list(layer_names),
        "images": list(image_names),
        "image_sources": FLAGS.images,
        **cli.flag_values("size", "fit", "preset", "start_seed"),
        **cli.flag_values("reference_seed", "reference_std", "reference_draws"),
        "inversion": dataclasses.asdict(config),
    }


def descend(
    writer: RunWriter,
    layers: Mapping[str, depthjax.Layer],
    weights: cli.Weights,
    targets: Images,
    begin_at: Mapping[str, Any],
    references: Mapping[str, Reference],
    config: depthjax.InversionConfig,
    look: Callable[[str, Images], dict[str, Any]],
) -> None:
    """Inverts every layer that the folder does not hold yet, and saves what was recovered."""
    variables = weights.variables
    for index, (name, layer) in enumerate(layers.items(), 1):
        if processes.of_first(writer.done(name)):
            continue
        began = time.perf_counter()
        place = f"{name} ({index}/{len(layers)})"
        cli.say_begun(f"compiling {place}")
        batch = cli.batch_from_flags(name, layer, variables, targets.shape, config)
        with cli.DescentBar(place, config.steps) as bar:
            result = depthjax.autoencode(
                jax.random.key(FLAGS.start_seed),
                layer,
                variables,
                targets,
                config,
                reference=references[name],
                init=jnp.asarray(begin_at[name]),
                max_batch=batch,
                checkpoints=writer.checkpoints(name),
                frames=FLAGS.frames,
                on_progress=bar,
            )
        if not processes.is_first():
            continue
        seconds = time.perf_counter() - began
        writer.save_layer(name, result, seconds=seconds, **look(name, result.images))
        cli.say_done(f"{place}: done in {seconds:.0f} s")


def finish(
    writer: RunWriter,
    layers: Mapping[str, depthjax.Layer],
    weights: cli.Weights,
    *,
    with_classes: bool,
) -> None:
    """Draws the figures of a run whose layers are all inverted, and prints its tables."""
    output = writer.folder.path
    run = depthjax.load_run(output)
    matrix = ratio_matrix(layers, weights.variables, run)
    writer.save_ratio_matrix(matrix)
    folder = writer.folder.subfolder("figures")
    for name, figure in draw(run, matrix, residuals(layers, weights.variables, run)):
        figures.save_figure(folder / name, figure)
    page = write_report(output)
    if FLAGS.animate:
        films.animate_run(output, FLAGS.animate)
    print(f"\n{inversion_table(run)}\n")
    if with_classes:
        print(f"{class_table(run)}\n")
    print("D: distance to the target over that of a noisy copy; 0 is the image itself.")
    print("r²: how much of the photograph came back, the share of its luminance that the picture")
    print("shows at the best brightness and contrast; 1 is the image itself, 0 nothing of it.")
    print("ρ: distance of the embedding over the noisy copy's; at most 1 is nearer than that.")
    print(f"Figures, images and tables: {output}\nAll of it on one page: {page}")


if __name__ == "__main__":
    cli.run(main, processes_share=True)
