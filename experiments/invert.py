r"""Recover photographs from the layers of a network, and say how well it went.

    python experiments/invert.py --flagfile=experiments/flags/quick.flags
    python experiments/invert.py --model=resnet50 --images=astronaut,my_photo.jpg --size=224 \\
        --layers=conv1,layer1:layer4 --output=runs/mine
    python experiments/invert.py --model=resnet50 --weights=resnet50.safetensors
    srun python experiments/invert.py --distributed --images=photos/ --output=runs/many

Settings later on the command line win, also over those of a flag file before them.
"""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

import depthjax
from depthjax import cli, figures, images
from depthjax.devices import processes
from depthjax.devices.precision import matmul_precision
from depthjax.folders import inversions
from depthjax.folders.run_writer import start_run
from depthjax.folders.tables import class_table, inversion_table
from depthjax.inversion import metrics
from depthjax.inversion.preparing import prepare_for_measuring
from depthjax.inversion.reference import ReferenceNoise, checked_reference
from depthjax.models import labels
from depthjax.report import films, write_report
from depthjax.typing import Variables

FLAGS = flags.FLAGS
cli.define_model_flags()
cli.define_inversion_flags()
cli.define_layers_flag()
cli.define_image_flags(["astronaut", "chelsea"], size=224)
cli.define_start_seed_flag()
cli.define_reference_flags()
cli.define_output_flags(None, "run (default: runs/MODEL-DATE)")
cli.define_script_flags()
flags.DEFINE_string(
    "max_batch", "auto", "images × restarts at once: a number, or auto: as many as memory holds"
)
flags.DEFINE_integer(
    "frames", 12, "iterates kept of each descent, for the report; 0: none", lower_bound=0
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
    sources = images.find_images(FLAGS.images)
    image_names = images.image_labels(sources)
    mine = [sources[index] for index in processes.my_share(len(sources))]
    photographs = processes.gather(
        images.load_images(mine, FLAGS.size, fit=FLAGS.fit)[1], len(sources)
    )
    targets = jnp.asarray(photographs)
    weights = cli.weights_from_flags(model, FLAGS.size)
    variables = weights.variables
    layers = {name: depthjax.Layer(model, name, weights.normalization) for name in names}
    seed = jax.random.key(FLAGS.reference_seed)
    noise = ReferenceNoise(seed, FLAGS.reference_std, FLAGS.reference_draws)
    # What cannot be inverted ends here, before anything is written.
    references = {
        name: checked_reference(layer, variables, targets, noise) for name, layer in layers.items()
    }
    starts = depthjax.initial_images(
        jax.random.key(FLAGS.start_seed), targets.shape, config, others=targets
    )

    output = cli.output_from_flags(FLAGS.model)
    definition = {
        "model": FLAGS.model,
        "model_fields": FLAGS.model_field,
        "weights": FLAGS.weights,
        "weights_seed": FLAGS.weights_seed,
        "weights_file": weights.record,
        "normalization": weights.normalization and weights.normalization._asdict(),
        "layers": list(names),
        "images": list(image_names),
        "image_sources": FLAGS.images,
        "size": FLAGS.size,
        "fit": FLAGS.fit,
        "preset": FLAGS.preset,
        "start_seed": FLAGS.start_seed,
        "reference_seed": FLAGS.reference_seed,
        "reference_std": FLAGS.reference_std,
        "reference_draws": FLAGS.reference_draws,
        "inversion": dataclasses.asdict(config),
    }
    if jax.process_count() > 1 and not FLAGS.output:
        raise ValueError("several processes need an --output, the same for all")
    with start_run(
        output, definition, photographs, starts, **cli.flag_values("overwrite", "resume")
    ) as writer:
        head = trained_head(model, weights)
        target_top = None if head is None else top5(head, variables, targets)
        for index, (name, layer) in enumerate(layers.items(), 1):
            if processes.of_first(writer.done(name)):
                continue
            began = time.perf_counter()
            batch = cli.batch_from_flags(name, layer, variables, targets.shape, config)
            with cli.DescentBar(f"{name} ({index}/{len(layers)})", config.steps) as bar:
                found = depthjax.autoencode(
                    jax.random.key(FLAGS.start_seed),
                    layer,
                    variables,
                    targets,
                    config,
                    reference=references[name],
                    init=starts,
                    max_batch=batch,
                    checkpoints=writer.checkpoints(name),
                    frames=FLAGS.frames,
                    on_progress=bar,
                )
            if not processes.is_first():
                continue
            writer.save_layer(
                name,
                found,
                seconds=time.perf_counter() - began,
                target_top=target_top,
                recovered_top=None if head is None else top5(head, variables, found.images),
            )
        if not processes.is_first():
            return
        run = depthjax.load_run(output)
        matrix = ratio_matrix(layers, variables, run)
        writer.save_ratio_matrix(matrix)
        draw(run, matrix, writer.folder.subfolder("figures"))
        page = write_report(output)
        if FLAGS.animate:
            films.animate_run(output, FLAGS.animate)
        print(f"\n{inversion_table(run)}\n")
        if head is not None:
            print(f"{class_table(run)}\n")
        print("D: distance to the target over that of a noisy copy; 0 is the image itself.")
        print("ρ: the same for the embedding; at most 1 is nearer than the noisy copy's.")
        print(f"Figures, images and tables: {output}\nAll of it on one page: {page}")


def trained_head(model: depthjax.models.Network, weights: cli.Weights) -> depthjax.Layer | None:
    """The logits of ImageNet's classes, if the weights know them."""
    if not weights.has_trained_head:
        return None
    head = depthjax.Layer(model, depthjax.layer_names(model)[-1], weights.normalization)
    biases = weights.variables["params"][head.node]["bias"]
    return head if len(biases) == labels.IMAGENET_CLASSES else None


def top5(head: depthjax.Layer, variables: Variables, images: jax.Array) -> labels.TopClasses:
    """What the network sees in `[…, H, W, C]`."""
    batch = images.reshape(-1, *images.shape[-3:])
    logits, weights = prepare_for_measuring(head, variables)
    with matmul_precision():
        top = labels.top_classes(logits(weights, batch))
    return labels.TopClasses(*(array.reshape(*images.shape[:-3], -1) for array in top))


def ratio_matrix(
    layers: Mapping[str, depthjax.Layer], variables: Variables, run: inversions.Run
) -> np.ndarray:
    """ρ, `[recovered from, measured at, restarts, images]`."""
    columns = []
    for name, layer in layers.items():
        scale = run.layers[name]["reference_embedding_distance"]
        measured = prepare_for_measuring(layer, variables)
        distances = [
            metrics.embedding_distances(*measured, run.targets, jnp.asarray(recovered))
            for recovered in run.stack("images")
        ]
        columns.append(np.stack(distances) / scale)
    return np.stack(columns, axis=1)


def draw(run: inversions.Run, matrix: np.ndarray, folder: Path) -> None:
    """Every figure of the run, into a folder."""
    names = list(run.layers)
    rho, d = run.stack("embedding_ratio"), run.stack("input_ratio")
    first = np.nan_to_num(run.stack("images")[:, 0])
    baselines = {
        "start": run.stack("baseline_start")[0],
        "flat mean colour": run.stack("baseline_flat")[0],
        "blur σ = 8 px": run.stack("baseline_blur")[0],
    }
    drawn = {
        "gallery": figures.gallery(
            run.image_names, run.targets, run.starts[0], names, first, d[:, 0], rho[:, 0]
        ),
        "depth": figures.distances_against_depth(names, d, rho, baselines),
        "trajectories": figures.trajectories(
            names,
            [arrays["trajectory_step"] for arrays in run.layers.values()],
            [_flat(arrays["trajectory_embedding_ratio"]) for arrays in run.layers.values()],
            [_flat(arrays["trajectory_input_ratio"]) for arrays in run.layers.values()],
        ),
        "ratio_matrix": figures.ratio_matrix(names, names, np.nanmedian(matrix, axis=(2, 3))),
    }
    for name, figure in drawn.items():
        figures.save_figure(folder / name, figure)


def _flat(trajectory: np.ndarray) -> np.ndarray:
    return trajectory.reshape(len(trajectory), -1)


if __name__ == "__main__":
    cli.run(main, processes_share=True)
