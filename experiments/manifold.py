r"""Claim C14: do arbitrary inputs come to lie among the examples that a network was trained on?

    python experiments/manifold.py --model=resnet18_small --output=runs/manifold \\
        --networks=untrained,photos=zoo:resnet18_small/photos/{seed},noise=zoo:resnet18_small/noise/{seed}

Embeds training examples, held-out ones, and what is neither: patches of photographs that are no
training class, Gaussian noise, 1/f noise, uniform noise. Two ratios to held-out examples say how
far these come to lie; a finding is a trained network's over the untrained one's, seed by seed. Each
input is prepared as in evaluation of the network's own training set. A network labelled `noise` was
trained on noise, all others on --dataset, unless --trained_on says otherwise. A control,
`control=untrained:10{seed}`, is untrained too: what is found of it is chance.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from tqdm import tqdm

import depthjax
from depthjax import cli, data, figures, manifold, results, tables
from depthjax.data import noise as noise_set
from depthjax.data.randomness import permutation
from depthjax.errors import unknown
from depthjax.priors import draw_start
from depthjax.report import write_report
from depthjax.statistics import Finding, bootstrap_ratio

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_data_flags()
cli.define_script_flags()
flags.DEFINE_string("layers", "all-stages", "names or aliases; first:last; all-stages; all")
flags.DEFINE_list(
    "trained_on",
    None,
    "label=DATASET,… where that is not --dataset (default: noise=noise/SIZE); label=DATASET@SPLIT"
    " where it was a part, such as noise/32@train[:2000]",
)
flags.DEFINE_integer(
    "size", None, "height and width that images of folder: and tfds: are brought to", lower_bound=1
)
flags.DEFINE_integer("examples", 1_000, "training examples that are embedded", lower_bound=2)
flags.DEFINE_integer("held_out", 500, "held-out examples", lower_bound=1)
flags.DEFINE_string("held_out_split", "test", "where from; of noise, another seed's are")
flags.DEFINE_integer("inputs", 100, "arbitrary inputs of each kind", lower_bound=1)
flags.DEFINE_integer("inputs_seed", 0, "seed of the choice of examples and of drawn inputs")
flags.DEFINE_integer("neighbours", 5, "which nearest neighbour's distance", lower_bound=1)
flags.DEFINE_float("share", 0.9, "of the variance that principal components hold")
flags.DEFINE_integer("max_batch", 256, "images embedded at once", lower_bound=1)
flags.DEFINE_string("output", "runs/manifold", "folder for the numbers and the figure")
flags.DEFINE_boolean("overwrite", False, "replace the results that are already there")

NEIGHBOURS, RESIDUAL = "neighbour_ratio", "principal_residual"
STATISTICS = {
    NEIGHBOURS: "neighbour distance over held-out, trained / untrained",
    RESIDUAL: "residual over held-out, trained / untrained",
}
AXES = {NEIGHBOURS: "neighbour ratio", RESIDUAL: "residual ratio"}
ARBITRARY_NOISE = 1_000_003  # a seed that no training set of noise has


class Inputs(NamedTuple):
    """Images of one kind, `[M, H, W, 3]`, and for each what it is a part of.

    Patches of one photograph are no independent inputs: they count as one.
    """

    images: np.ndarray
    origin: list[str]


def main() -> None:
    """Flags -> embeddings of every network -> ratios -> findings -> files."""
    output = results.checked_folder(FLAGS.output, overwrite=FLAGS.overwrite)
    model = cli.model_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    shape = opened(FLAGS.dataset, "train").image_shape
    if shape[0] != shape[1] or shape[2] != 3:
        raise ValueError(
            f"--dataset={FLAGS.dataset} has images of {shape}; they must be square RGB"
        )
    networks = cli.networks_from_flags(model, shape[0])
    untrained = next(
        (label for label, ones in networks.items() if ones[0].record["source"] == "untrained"), None
    )
    if untrained is None:
        raise ValueError("--networks has no untrained network to compare with; add untrained")
    trained_on = training_sets([label for label in networks if label != untrained], shape[0])
    arbitrary = arbitrary_inputs(shape[0])
    rows = list(measured(model, names, networks, untrained, trained_on, arbitrary))
    findings = findings_of(rows, names, untrained, trained_on)
    config = {
        name: FLAGS[name].value
        for name in (
            *("model", "model_field", "networks", "seeds", "normalization", "dataset", "size"),
            *("layers", "examples", "held_out", "held_out_split", "inputs", "inputs_seed"),
            *("neighbours", "share"),
        )
    }
    config["trained_on"] = trained_on
    config["weights"] = {
        label: [weights.record for weights in ones] for label, ones in networks.items()
    }
    results.write_results(output, config, rows, findings)
    draw(output, rows, names, untrained, trained_on)
    print(tables.finding_table(findings))
    print("\nBoth are 1 for a held-out example. C14 says that training brings them down: below 1.")
    print(f"Numbers, findings and figure: {output}\nAll of it on one page: {write_report(output)}")


def training_sets(labels: list[str], size: int) -> dict[str, str]:
    """The data set that each trained network was trained on."""
    sets = dict.fromkeys(labels, FLAGS.dataset)
    if FLAGS.trained_on is None:
        return sets | ({"noise": f"noise/{size}"} if "noise" in sets else {})
    for entry in FLAGS.trained_on:
        label, separator, spec = entry.partition("=")
        if not separator or not spec:
            raise ValueError(f"--trained_on has {entry!r}, which is not of the form label=DATASET")
        if label not in sets:
            raise unknown("trained network", label, sets, hint="of --networks")
        sets[label] = spec
    return sets


def opened(spec: str, split: str) -> data.Dataset:
    """A data set; --size is for those whose spec says none."""
    size = FLAGS.size if ":" in spec else None
    return data.open_dataset(
        spec, split=split, size=size, data_dir=FLAGS.data_dir, skip_corrupt=FLAGS.skip_corrupt
    )


def read(spec: str, split: str, count: int) -> tuple[np.ndarray, data.Dataset]:
    """So many examples of a split, of any classes."""
    dataset = opened(spec, split)
    order = permutation(FLAGS.inputs_seed, "manifold", spec, split, count=len(dataset))
    return dataset.read(np.sort(order[:count]))[0], dataset


def training_and_held_out(spec: str) -> tuple[np.ndarray, np.ndarray, data.Augmentation]:
    """Examples that a network was trained on, others of their kind, and how both are prepared."""
    spec, _, split = spec.partition("@")
    training, dataset = read(spec, split or "train", FLAGS.examples)
    if spec.startswith("noise/"):
        _, size, *seed = spec.split("/")
        other = f"noise/{size}/{int(*seed) + 1}"
        return training, read(other, "train", FLAGS.held_out)[0], dataset.augmentation
    held_out, _ = read(spec, FLAGS.held_out_split, FLAGS.held_out)
    return training, held_out, dataset.augmentation


def arbitrary_inputs(size: int) -> dict[str, Inputs]:
    """What no network was trained on, by kind."""
    from depthjax.data import photo_crops

    count = FLAGS.inputs
    shape = (count, size, size, 3)
    pink, uniform = jax.random.split(jax.random.key(FLAGS.inputs_seed))
    drawn = {
        "Gaussian noise": read(f"noise/{size}/{ARBITRARY_NOISE}", "train", count)[0],
        "1/f noise": draw_start(pink, "pink", shape, mean=noise_set.MEAN, std=noise_set.STD),
        "uniform noise": draw_start(uniform, "uniform", shape),
    }
    each = [str(number) for number in range(count)]
    return {
        "photographs": Inputs(*photo_crops.held_out_patches(size, count)),
        **{kind: Inputs(np.asarray(images), each) for kind, images in drawn.items()},
    }


def measured(
    model: depthjax.models.Network,
    names: tuple[str, ...],
    networks: dict[str, list[cli.Weights]],
    untrained: str,
    trained_on: dict[str, str],
    arbitrary: dict[str, Inputs],
) -> Iterator[dict[str, Any]]:
    """A row for each network × seed × layer × input; untrained ones beside every training set."""
    sets = list(dict.fromkeys(trained_on.values())) or [FLAGS.dataset]
    pairs = [
        (spec, label)
        for spec in sets
        for label in networks
        if label == untrained or trained_on[label] == spec
    ]
    total = len(pairs) * len(networks[untrained]) * len(names)
    with tqdm(total=total, unit="layer", disable=None) as bar:
        for spec in sets:
            training, held_out, augmentation = training_and_held_out(spec)
            together = [training, held_out, *(inputs.images for inputs in arbitrary.values())]
            prepared = [prepare(images, augmentation) for images in together]
            parts = np.cumsum([len(images) for images in prepared])[:-1]
            for label in (label for other, label in pairs if other == spec):
                for seed, weights in zip(FLAGS.seeds, networks[label], strict=True):
                    for depth, name in enumerate(names):
                        layer = depthjax.Layer(model, name, weights.normalization)
                        embedded = manifold.embed(
                            *(layer, weights.variables, np.concatenate(prepared)),
                            max_batch=FLAGS.max_batch,
                        )
                        ratios = ratios_of(
                            np.split(embedded, parts), f"{label}, seed {seed}, {name}"
                        )
                        where = {"network": label, "seed": int(seed), "training_set": spec}
                        where |= {"layer": name, "depth": depth}
                        for (kind, inputs), values in zip(arbitrary.items(), ratios, strict=True):
                            for index, origin in enumerate(inputs.origin):
                                row = where | {"input": kind, "origin": origin, "number": index}
                                yield row | {key: float(values[key][index]) for key in values}
                        bar.update()


def prepare(images: np.ndarray, augmentation: data.Augmentation) -> np.ndarray:
    """As in evaluation: nothing random, but grey if that is what training saw."""
    return np.asarray(data.augment(None, jnp.asarray(images), augmentation))


def ratios_of(embedded: list[np.ndarray], where: str) -> list[dict[str, np.ndarray]]:
    """For each kind of arbitrary input, both ratios of every one."""
    training, held_out, *arbitrary = embedded
    every = np.concatenate(arbitrary)
    try:
        found = {
            NEIGHBOURS: manifold.neighbour_ratio(training, held_out, every, FLAGS.neighbours),
            RESIDUAL: manifold.principal_residual(training, held_out, every, FLAGS.share),
        }
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    ends = np.cumsum([len(images) for images in arbitrary])[:-1]
    split = {name: np.split(values, ends) for name, values in found.items()}
    return [dict(zip(split, values, strict=True)) for values in zip(*split.values(), strict=True)]


def findings_of(
    rows: list[dict[str, Any]], names: tuple[str, ...], untrained: str, trained_on: dict[str, str]
) -> list[Finding]:
    """Trained over untrained, for every network, kind of input and layer."""
    found = []
    for statistic, words in STATISTICS.items():
        for label, spec in trained_on.items():
            for kind in dict.fromkeys(row["input"] for row in rows):
                if spec.startswith("noise/") and kind == "Gaussian noise":
                    continue  # that is what it was trained on
                for name in names:
                    trained, other = (
                        table(rows, statistic, network, spec, kind, name)
                        for network in (label, untrained)
                    )
                    interval = bootstrap_ratio(trained, other)
                    where = f"{label}, {name}, {kind}"
                    found.append(Finding("C14", where, words, "< 1", interval))
    return found


def table(
    rows: list[dict[str, Any]], statistic: str, network: str, spec: str, kind: str, layer: str
) -> np.ndarray:
    """`[seeds, origins]`, geometric means over what has one origin."""
    groups: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        place = (row["network"], row["training_set"], row["input"], row["layer"])
        if place == (network, spec, kind, layer):
            seed = groups.setdefault(row["seed"], {})
            seed.setdefault(row["origin"], []).append(row[statistic])
    with np.errstate(divide="ignore"):
        return np.array(
            [[np.exp(np.log(of).mean()) for of in seed.values()] for seed in groups.values()]
        )


def draw(
    output: Path,
    rows: list[dict[str, Any]],
    names: tuple[str, ...],
    untrained: str,
    trained_on: dict[str, str],
) -> None:
    """Both ratios against depth, a panel for each kind of input."""
    kinds = list(dict.fromkeys(row["input"] for row in rows))
    sets = list(dict.fromkeys(row["training_set"] for row in rows))
    panels: dict[str, dict[str, dict[str, Any]]] = {}
    for spec in sets:
        labels = [untrained, *(label for label, other in trained_on.items() if other == spec)]
        for statistic, axis in AXES.items():
            panels[f"{axis}\n{spec}"] = {
                kind: {
                    label: [
                        np.median(table(rows, statistic, label, spec, kind, name), axis=1)
                        for name in names
                    ]
                    for label in labels
                }
                for kind in kinds
            }
    figure = figures.ratios_against_depth(names, panels)
    figures.save_figure(output / "figures" / "manifold", figure)


if __name__ == "__main__":
    cli.run(main)
