r"""Claim C15: the filters of a convolution in several networks, as pictures and as a number.

    python experiments/filters.py --model=resnet18_small --output=runs/filters \\
        --networks=untrained,photos=zoo:resnet18_small/photos/{seed},noise=zoo:resnet18_small/noise/{seed}

The claim is that a network trained on noise (label it `noise`) keeps no structure in its filters.
Counted as that: they have less than a tenth more energy at low frequencies than untrained ones.
The same number of other trained networks is given as a contrast.
"""

from typing import Any

import numpy as np
from absl import flags

from depthjax import cli, figures, filters, results, tables
from depthjax.models import resolve
from depthjax.statistics import Finding, bootstrap_ratio
from depthjax.studies.networks import untrained_label, weight_records

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_script_flags()
flags.DEFINE_string("layer", "layer4.1.conv2", "the convolution, by its name")
flags.DEFINE_integer("output_channel", 0, "whose filters are shown, but of colours", lower_bound=0)
flags.DEFINE_string("output", "runs/filters", "folder for the numbers and the figure")
flags.DEFINE_boolean("overwrite", False, "replace the results that are already there")

RULE = "< 1.1"
IMAGE_SIZE = 32  # any: convolutions have the same weights for all


def main() -> None:
    """Flags -> kernels of every network -> energy, findings, pictures -> files."""
    output = results.checked_folder(FLAGS.output, overwrite=FLAGS.overwrite)
    model = cli.model_from_flags()
    node = resolve(model, FLAGS.layer)
    networks = cli.networks_from_flags(model, IMAGE_SIZE)
    # [seeds, output channels]
    energy = {
        label: np.stack(
            [
                filters.low_frequency_energy(filters.kernel_of(one.variables, node))
                for one in weights
            ]
        )
        for label, weights in networks.items()
    }
    pictures = {
        label: filters.filter_images(weights[0].variables, node, output=FLAGS.output_channel)
        for label, weights in networks.items()
    }
    rows: list[dict[str, Any]] = [
        {
            **{"network": label, "seed": int(seed), "layer": FLAGS.layer},
            **{"output_channel": channel, "low_frequency_energy": float(value)},
        }
        for label, values in energy.items()
        for seed, one in zip(FLAGS.seeds, values, strict=True)
        for channel, value in enumerate(one)
    ]
    untrained = untrained_label(networks)
    findings = [
        Finding(
            "C15" if label == "noise" else "C15, contrast",
            f"{label}, {FLAGS.layer}",
            "low-frequency energy of filters, trained / untrained",
            RULE,
            bootstrap_ratio(values, energy[untrained]),
        )
        for label, values in energy.items()
        if untrained is not None and label != untrained
    ]
    config = cli.flag_values("model", "model_field", "networks", "seeds", "layer", "output_channel")
    config |= {"weights": weight_records(networks)}
    captions = {
        label: f"energy {np.nanmean(values):.3g}, n = {values.shape[0]} × {values.shape[1]}"
        for label, values in energy.items()
    }
    channel = (
        "" if next(iter(pictures.values())).shape[-1] == 3 else f", output {FLAGS.output_channel}"
    )
    figure = figures.filter_grid(
        pictures, captions, title=f"{FLAGS.layer}{channel}, seed {FLAGS.seeds[0]}"
    )
    results.write_results(output, config, rows, findings, figures=[("filters", figure)])
    print(tables.finding_table(findings))
    print("\nLow-frequency energy: 1 for independent random weights; higher is smoother.")
    cli.say_where("Numbers, findings and figure", output)


if __name__ == "__main__":
    cli.run(main)
