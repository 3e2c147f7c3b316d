r"""Claims C15 and C17: the filters of a convolution in several networks, as pictures and numbers.

    python experiments/filters.py --model=resnet18_small --output=runs/filters \
        --networks=untrained,photos=zoo:resnet18_small/photos/{seed},noise=zoo:resnet18_small/noise/{seed}
    python experiments/filters.py --flagfile=experiments/flags/filters_resnet50_thin.flags

C15 is that a network trained on noise (label it `noise`) keeps no structure in its filters: that
they are as smooth and as directed as untrained ones, their means taken off. The same numbers of
other trained networks are given as a contrast. C17 is asked of a convolution that sees the image:
that a Gabor function explains more of its filters than of untrained ones, and than of its own when
they are shuffled (label them `shuffled`).
"""

from absl import flags

from depthjax import cli
from depthjax.models import resolve
from depthjax.studies.filters import judged, measured
from depthjax.studies.filters.drawn import draw
from depthjax.studies.networks import single_networks, untrained_label, weight_records

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_output_flags("runs/filters")
cli.define_script_flags()
flags.DEFINE_string("layer", "layer4.1.conv2", "the convolution, by its name")
flags.DEFINE_integer(
    "output_channel", 0, "output channel whose filters are shown, but of colours", lower_bound=0
)

NOTE = "Low-frequency power: 1 for independent random weights; higher is smoother."
IMAGE_SIZE = 32  # any: convolutions have the same weights for all


def main() -> None:
    """Flags -> kernels of every network -> energy, findings, pictures -> files."""
    model = cli.model_from_flags()
    node = resolve(model, FLAGS.layer)
    networks = cli.networks_from_flags(model, IMAGE_SIZE)
    rows = measured.rows_of(networks, FLAGS.layer, node, cli.seeds_from_flags())
    findings = judged.findings(rows, untrained_label(networks), single_networks(networks))
    definition = {
        **cli.flag_values("model", "model_field", "networks", "seeds", "layer", "output_channel"),
        "weights": weight_records(networks),
    }
    figures = list(draw(rows, networks, node, FLAGS.output_channel))  # bad channels end here
    with cli.begin_output(definition) as folder:
        cli.finish_study(folder, rows, findings, figures, after=[NOTE])


if __name__ == "__main__":
    cli.run(main)
