r"""Descents of a finished run as moving pictures.

    python experiments/invert.py --flagfile=experiments/flags/quick.flags --frames=48 --overwrite
    python experiments/animate.py --run=runs/quick --layers=layer3 --formats=webp,mp4

Each file in the run's folder `animations` shows the target beside the iterates, with their step, D
and ρ. `invert.py --animate=webp` does the same at the end of a run. MP4 needs the extra `video`.
"""

from absl import flags

from depthjax import cli
from depthjax.report import films

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_string("run", None, "folder of experiments/invert.py, made with --frames")
flags.DEFINE_list("layers", [], "which layers (default: all)")
flags.DEFINE_list("images", [], "which images, by their names in the run (default: all)")
flags.DEFINE_list("formats", ["webp"], f"one or more of {', '.join(films.FORMATS)}")
flags.DEFINE_float("seconds", 4.0, "how long the film of a descent takes", lower_bound=0.1)


def main() -> None:
    """Run folder -> animations."""
    if not FLAGS.run:
        raise ValueError("give the run to animate, as in --run=runs/quick")
    written = films.animate_run(
        FLAGS.run,
        FLAGS.formats,
        layers=FLAGS.layers,
        images=FLAGS.images,
        seconds=FLAGS.seconds,
    )
    for path in written:
        print(path)


if __name__ == "__main__":
    cli.run(main)
