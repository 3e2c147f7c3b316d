r"""Train a network to classify a data set.

    python experiments/train.py --flagfile=experiments/flags/photo_crops_resnet18_small.flags
    python experiments/train.py --model=resnet18 --dataset=folder:my_photos --size=128 --epochs=30
    python experiments/train.py --flagfile=… --resume      # goes on after any interruption

The weights it leaves are read by everything else: --weights=runs/MINE/weights.safetensors.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

from depthjax import cli, data, figures
from depthjax.folders.begin import begin
from depthjax.report import write_report
from depthjax.training import Progress, TrainingConfig, runs
from depthjax.training.evaluation import check_classes
from depthjax.training.tables import training_table

FLAGS = flags.FLAGS
cli.define_model_flags()
cli.define_data_flags()
cli.define_setting_flags(TrainingConfig)
cli.define_size_flag(None, "height and width that images are brought to, where the set has none")
cli.define_output_flags(None, "run (default: runs/DATASET-MODEL-DATE)")
cli.define_script_flags()
flags.DEFINE_string("split", "train", "what is learned; train[:80%] for a part")
flags.DEFINE_string("validation_split", "auto", "evaluated after each epoch; auto, none, or a part")
flags.DEFINE_string("test_split", "auto", "evaluated at the end; auto, none, or a part")
flags.DEFINE_integer(
    "checkpoint_every", 500, "steps between checkpoints; epochs end with one", lower_bound=1
)
flags.DEFINE_integer(
    "until_epoch", None, "stop after that epoch; --resume goes on another time", lower_bound=1
)
flags.DEFINE_boolean("measure_train", True, "evaluate the training split at the end, too")
flags.DEFINE_boolean(
    "hold_on_device", False, "read what is learned once, and keep it in the device's memory"
)
flags.DEFINE_boolean("tensorboard", False, "scalars for TensorBoard, into the run folder")
SCALARS_EVERY = 20


def main() -> None:
    """Flags -> task -> training in a folder -> curve, figure, table."""
    task, definition = task_from_flags()
    name = FLAGS.dataset.replace("/", "_").replace(":", "_").strip("_")
    output = cli.output_from_flags(name, FLAGS.model)
    with begin(output, definition, overwrite=FLAGS.overwrite, resume=FLAGS.resume) as folder:
        training = train(folder.path, task)
        draw(training)
        if not training.results:
            print(
                f"Stopped after epoch {len(training.curve)} of {task.config.epochs}; --resume goes"
                f" on: {output}"
            )
            return
        print(f"\n{training_table(training)}\n")
        print(f"Weights, curve and results: {output}")
        print(f"All of it on one page: {write_report(output)}")


def task_from_flags() -> tuple[runs.Task, dict[str, Any]]:
    """What is learned by which network, and all that defines it, for `config.json`."""
    model, config = cli.model_from_flags(), cli.settings_from_flags(TrainingConfig)
    splits = splits_from_flags()
    sets = {
        name: split and cli.dataset_from_flags(split, FLAGS.size) for name, split in splits.items()
    }
    augmentation = sets["train"].augmentation if config.augment else data.Augmentation()
    check_classes(model, sets["train"], augmentation)
    if FLAGS.hold_on_device:
        sets["train"] = data.held_on_device(sets["train"])
    weights = cli.weights_from_flags(model, augmentation.shape_of(sets["train"].image_shape)[:2])
    task = runs.Task(model, weights.variables, config, **sets, normalization=weights.normalization)
    definition = {
        "model": FLAGS.model,
        "model_fields": cli.fields_from_flags(),
        "weights": FLAGS.weights,
        "weights_seed": FLAGS.weights_seed,
        "weights_file": weights.record,
        "normalization": weights.normalization and weights.normalization._asdict(),
        "dataset": FLAGS.dataset,
        "dataset_version": sets["train"].version or None,
        "splits": splits,
        "image_shape": list(task.train.image_shape),
        "classes": list(task.train.classes),
        "augmentation": dataclasses.asdict(task.train.augmentation),
        "seed": config.seed,
        "training": dataclasses.asdict(config),
    }
    return task, definition


def train(folder: Path, task: runs.Task) -> runs.Training:
    """Trains with a progress bar, and with scalars for TensorBoard if they are asked for."""
    scalars = scalar_writer(folder)
    steps = task.config.epochs * task.config.steps_per_epoch(len(task.train))
    with cli.TrainingBar(steps) as bar:

        def on_step(progress: Progress) -> None:
            bar(progress)
            scalars(progress)

        return runs.train(
            folder,
            task,
            checkpoint_every=FLAGS.checkpoint_every,
            until_epoch=FLAGS.until_epoch,
            measure_train=FLAGS.measure_train,
            on_step=on_step,
            on_epoch=bar.epoch,
        )


def splits_from_flags() -> dict[str, str | None]:
    """The splits by what they are for; `auto` is the split of that name where there is one."""
    asked = {"validation": FLAGS.validation_split, "test": FLAGS.test_split}
    known = {}
    if "auto" in asked.values():
        known = data.card(
            FLAGS.dataset, data_dir=FLAGS.data_dir, skip_corrupt=FLAGS.skip_corrupt
        ).counts
    splits: dict[str, str | None] = {"train": FLAGS.split}
    for name, split in asked.items():
        automatic = name if name in known else None
        splits[name] = {"auto": automatic, "none": None}.get(split, split)
    return splits


def scalar_writer(folder: Path) -> Callable[[Progress], None]:
    """Writes scalars for TensorBoard now and then, if that was asked for."""
    if not FLAGS.tensorboard:
        return lambda progress: None
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ValueError(
            "--tensorboard needs tensorboardX; pip install 'depthjax[tensorboard]'"
        ) from error
    writer = SummaryWriter(str(folder / "tensorboard"))

    def write(progress: Progress) -> None:
        step = progress.step
        if step % SCALARS_EVERY == 0:
            for name, value in progress.metrics._asdict().items():
                writer.add_scalar(f"train/{name}", float(value), step)
            writer.flush()

    return write


def draw(training: runs.Training) -> None:
    """Writes the figure of the learning curve."""
    (training.folder / "figures").mkdir(exist_ok=True)
    columns = runs.Epoch(*map(list, zip(*training.curve, strict=True)))
    figure = figures.learning_curve(
        columns.epoch,
        {"training": columns.train_loss, "validation": columns.validation_loss},
        {"training": columns.train_accuracy, "validation": columns.validation_accuracy},
        classes=len(training.config["classes"]),
        title=f"{training.config['model']} on {training.config['dataset']}",
    )
    figures.save_figure(training.folder / "figures" / "learning_curve", figure)


if __name__ == "__main__":
    cli.run(main)
