r"""Claim C14: do arbitrary inputs come to lie among the examples that a network was trained on?

    python experiments/manifold.py --model=resnet18_small --output=runs/manifold \
        --networks=untrained,photos=zoo:resnet18_small/photos/{seed},noise=zoo:resnet18_small/noise/{seed}

Takes what no network was trained on: patches of photographs that are no training class, Gaussian
noise, 1/f noise, uniform noise. Some of each kind are recovered from their embeddings at the last
layer, and C14 asks how far the recovered images lie from the training examples. The same is asked
of the embeddings of all of them, and of held-out examples. Distances are to the nearest training
examples and to their principal components, in units of the median distance of two training
examples; a finding is a trained network's over the untrained one's, seed by seed.

Each input is prepared as in evaluation of the network's own training set. A network labelled
`noise` was trained on noise, all others on --dataset, unless --trained_on says otherwise. A
control, `control=untrained:10{seed}`, is untrained too: what is found of it is chance.
"""

from functools import partial

from absl import flags

import depthjax
from depthjax import cli
from depthjax.studies.manifold import inputs, judged, measured
from depthjax.studies.manifold.drawn import draw
from depthjax.studies.networks import places, single_networks, untrained_label, weight_records
from depthjax.studies.rows import Row

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_data_flags()
cli.define_layers_flag()
cli.define_size_flag(None, "height and width that images of folder: and tfds: are brought to")
cli.define_setting_flags(inputs.Choice)
cli.define_output_flags("runs/manifold")
cli.define_script_flags()
flags.DEFINE_list(
    "trained_on",
    None,
    "label=DATASET,… where that is not --dataset (default: noise=noise/SIZE); label=DATASET@SPLIT"
    " where it was a part, such as noise/32@train[:2000]",
)
flags.DEFINE_integer("neighbours", 5, "which nearest neighbour's distance", lower_bound=1)
flags.DEFINE_float("share", 0.9, "share of the variance that principal components hold")
flags.DEFINE_integer("max_batch", 256, "images embedded at once", lower_bound=1)

NOTE = "C14 says that training brings recovered images nearer to its examples: below 1."


def main() -> None:
    """Flags -> embeddings of every network -> ratios -> findings -> files."""
    model = cli.model_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    choice = cli.settings_from_flags(inputs.Choice)
    shape = choice.open_split(FLAGS.dataset, "train").image_shape
    if shape[0] != shape[1] or shape[2] != 3:
        raise ValueError(
            f"--dataset={FLAGS.dataset} has images of {shape}; they must be square RGB"
        )
    networks = cli.networks_from_flags(model, shape[0])
    untrained = untrained_label(networks)
    if untrained is None:
        raise ValueError("--networks has no untrained network to compare with; add untrained")
    trained = [label for label in networks if label != untrained]
    trained_on = inputs.training_sets(trained, FLAGS.dataset, shape[0], FLAGS.trained_on)
    arbitrary = inputs.arbitrary_inputs(choice, shape[0])
    pairs = measured.places_by_training_set(
        places(model, names, networks, cli.seeds_from_flags()),
        *(untrained, trained_on, FLAGS.dataset),
    )
    sets = list(dict(pairs))
    images = {name: inputs.images_beside(choice, name, arbitrary) for name in sets}
    how = cli.flag_values("neighbours", "share", "max_batch")
    descent = {"count": choice.recovered, "steps": choice.recovery_steps}
    definition = {
        **cli.flag_values(
            *("model", "model_field", "networks", "seeds", "normalization", "dataset", "size"),
            *("layers", "examples", "held_out", "held_out_split", "inputs", "inputs_seed"),
            *("neighbours", "share", "recovered", "recovery_steps"),
        ),
        "trained_on": trained_on,
        "dataset_versions": {
            name: beside.version for name, beside in images.items() if beside.version
        }
        or None,
        "weights": weight_records(networks),
    }
    with cli.begin_output(definition) as folder:
        rows: list[Row] = []
        for training_set, place in cli.with_bar(pairs):
            name = f"{sets.index(training_set)}_{place.network}_{place.seed}_{place.name}"
            what = place, training_set, images[training_set], arbitrary
            rows += folder.rows(name, partial(measured.rows_at, *what, **how))
            if choice.recovered and place.name == names[-1]:
                recover = partial(measured.recovered_rows, *what, **how, **descent)
                rows += folder.rows(f"{name}_recovered", recover)
        findings = judged.findings(rows, names, untrained, trained_on, single_networks(networks))
        figures = draw(rows, names, untrained, trained_on)
        cli.finish_study(folder, rows, findings, figures, after=[NOTE])


if __name__ == "__main__":
    cli.run(main)
