r"""Does a layer not hold an image, or did the descent not find it? Read-outs beside descents.

    python experiments/readouts.py --flagfile=experiments/flags/readouts_lite0_128.flags
    python experiments/readouts.py --model=resnet18 --images=me.jpg --example_images=photos/

Of each layer, photographs are recovered by a descent, by a ridge regression from embeddings to
pixels and by a convolutional decoder, which both learned from other photographs, and by the
linear-Gaussian estimate from the layer's Jacobian. Where a read-out is nearer than the descent, the
layer holds what the descent missed.
"""

import sys
from pathlib import Path

import numpy as np
from absl import flags

from depthjax import cli
from depthjax.images import find_images, load_images
from depthjax.images.crops import natural_crops
from depthjax.images.sources import locate
from depthjax.studies.descents import CONVERGING
from depthjax.studies.readouts import drawn
from depthjax.studies.readouts.measured import Examples, rows_of_descents

FLAGS = flags.FLAGS
cli.define_descent_study_flags("readouts", size=128)
flags.DEFINE_list(
    "example_images",
    [],
    "paths, folders or patterns of photographs to learn from; without any, crops of the"
    " photographs that come along, but for those of --images",
)
flags.DEFINE_integer("examples", 500, "how many crops without --example_images", lower_bound=2)
flags.DEFINE_integer("decoder_steps", 1000, "steps of the decoder's training", lower_bound=1)


def main() -> None:
    """Flags -> descents of each layer × network × seed, read-outs -> rows, table and figures."""
    asked = cli.asked_from_flags()
    examples = examples_from_flags(asked)
    every = cli.descents_from_flags("readouts", asked, {CONVERGING: cli.config_from_flags()})
    with cli.recovered(
        every, asked, "examples", "decoder_steps", example_images=examples.record
    ) as study:
        if study is None:
            return
        rows, figures = [], []
        for one in cli.with_bar(every, "network"):
            of_layers = [study.references[one.network, one.seed, name] for name in asked.layers]
            own, shown = rows_of_descents(one, of_layers, examples)
            if one.seed == asked.seeds[0]:
                figures.append(drawn.pictures(one.network, asked.images, asked.targets, shown, own))
            rows += own
        figures += drawn.against_depth(rows, list(asked.networks), asked.layers)
        note = f"Medians over photographs. Read-outs learned from {examples.name}."
        summary = f"{drawn.table(rows)}\n\n{note}"
        cli.finish_study(study.folder, rows, [], figures, summary=summary, after=[_KEY])


def examples_from_flags(asked: cli.Asked) -> Examples:
    """The photographs that read-outs learn from, none of which is recovered.

    Raises:
        ValueError: if fewer than two are left.
    """
    if FLAGS.example_images:
        given = find_images(FLAGS.example_images)
        _, images = load_images(given, FLAGS.size)
        others = [not is_target(*one, asked.targets) for one in zip(given, images, strict=True)]
        count = sum(others)
        if count < len(given):
            own = ", ".join(one for one, other in zip(given, others, strict=True) if not other)
            print(f"not learned from, as they are recovered: {own}", file=sys.stderr)
        if count < 2:
            raise ValueError(
                f"--example_images has {count} of photographs that are none of --images, and"
                " read-outs learn from two or more; give others"
            )
        name = f"{count} photographs of --example_images"
        return Examples(np.asarray(images)[others], name, FLAGS.decoder_steps)
    crops = natural_crops(FLAGS.examples, FLAGS.size, FLAGS.size, without=tuple(asked.images))
    count = len(set(crops.photographs))
    name = f"{FLAGS.examples} crops of {count} photographs that come along"
    images = crops.images.astype(np.float32) / 255
    return Examples(images, name, FLAGS.decoder_steps, crops.photographs)


def is_target(file: str, pixels: np.ndarray, targets: np.ndarray) -> bool:
    """Whether a photograph is one that is recovered, by its file or by its pixels.

    Args:
        file: path or embedded name.
        pixels: `[H, W, C]`.
        targets: `[B, H, W, C]`.
    """
    files = {Path(locate(one)).resolve() for one in find_images(FLAGS.images)}
    same = any(np.array_equal(pixels, target) for target in targets)
    return same or Path(locate(file)).resolve() in files


_KEY = (
    f"{cli.KEY}\n"
    "mean: the mean of the photographs that the read-outs learned from, whatever the embedding."
)


if __name__ == "__main__":
    cli.run(main, processes_share=True)
