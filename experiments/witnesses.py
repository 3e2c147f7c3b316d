r"""Pairs of picture files that a layer cannot tell apart, and small changes that it sees best.

    python experiments/witnesses.py --flagfile=experiments/flags/witnesses_quick.flags
    python experiments/witnesses.py --model=resnet18 --size=64 --images=astronaut,my_photo.jpg \\
        --layers=all-stages --output=runs/witnesses

For each network, layer and photograph: the image farthest away that the layer takes for it, the one
nearest to the next photograph that it takes for it, and the eigendistortions. All are 8-bit PNG
files, and the numbers are those of the files. A finding says how far a layer's witnesses lie.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from tqdm import tqdm

import depthjax
from depthjax import cli, figures, images, results, tables, witnesses
from depthjax.report import write_report
from depthjax.statistics import Finding, bootstrap

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_script_flags()
flags.DEFINE_string("layers", "all-stages", "names or aliases; first:last; all-stages; all")
flags.DEFINE_list(
    "images",
    ["astronaut", "chelsea", "coffee"],
    "paths, folders, or embedded photographs by name; witnesses of each come near to the next",
)
flags.DEFINE_integer("size", 32, "height and width of the images in pixels", lower_bound=1)
flags.DEFINE_enum("fit", "crop", ["crop", "pad", "stretch"], "how a photograph becomes square")
flags.DEFINE_float("ratio", witnesses.WITNESS_RATIO, "ρ that a witness may have")
flags.DEFINE_integer("steps", 80, "strides of a walk", lower_bound=1)
flags.DEFINE_integer("corrections", 2, "Gauss–Newton corrections after each", lower_bound=1)
flags.DEFINE_integer("iterations", 8, "of conjugate gradients in each", lower_bound=1)
flags.DEFINE_integer("directions", 1, "eigendistortions of each image", lower_bound=1)
flags.DEFINE_float("grey_levels", 4.0, "their RMSE, of 255")
flags.DEFINE_integer("start_seed", 1, "seed of the first direction, shared by all layers")
flags.DEFINE_integer("reference_seed", 2, "seed of the reference noise, shared by all layers")
flags.DEFINE_string("output", "runs/witnesses", "folder for numbers, pictures and figures")
flags.DEFINE_boolean("overwrite", False, "replace the results that are already there")

FARTHEST, TOWARDS, EIGEN = "farthest", "towards the next", "eigendistortion"
VISIBLE = 3
"""D from which a witness counts: an RMSE of a sixth of the range."""
AMPLIFIED = 8
"""Differences of eigendistortions in the figure."""


class Made(NamedTuple):
    """An image that was made, with its row of the table."""

    row: dict[str, Any]
    target: np.ndarray
    picture: np.ndarray


def main() -> None:
    """Flags -> witnesses and eigendistortions of every layer -> findings -> files."""
    output = results.checked_folder(FLAGS.output, overwrite=FLAGS.overwrite)
    model = cli.model_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    labels, photographs = images.load_images(
        images.find_images(FLAGS.images), FLAGS.size, fit=FLAGS.fit
    )
    networks = cli.networks_from_flags(model, FLAGS.size)
    made = list(every_picture(model, names, networks, labels, photographs))
    findings = list(findings_of([one.row for one in made], names, list(networks)))
    config = {
        name: FLAGS[name].value
        for name in (
            *("model", "model_field", "networks", "seeds", "normalization", "layers", "images"),
            *("size", "fit", "ratio", "steps", "corrections", "iterations", "directions"),
            *("grey_levels", "start_seed", "reference_seed"),
        )
    }
    config["weights"] = {
        label: [weights.record for weights in ones] for label, ones in networks.items()
    }
    if (output / "images").exists():
        shutil.rmtree(output / "images")  # of an older run
    for one in made:
        write(output, one)
    results.write_results(output, config, [one.row for one in made], findings)
    for label in networks:
        figure = sheet(made, names, label, labels)
        figures.save_figure(output / "figures" / f"witnesses_{label}", figure)
    print(tables.finding_table(findings))
    print(
        f"\nρ is at most {FLAGS.ratio:g} in every witness, as the file has it: nearer than a noisy"
    )
    print("copy's by as much. D: distance of the pictures over that of the noisy copy.")
    print(f"Pictures, numbers, findings and figures: {output}")
    print(f"All of it on one page: {write_report(output)}")


def every_picture(
    model: depthjax.models.Network,
    names: tuple[str, ...],
    networks: dict[str, list[cli.Weights]],
    labels: tuple[str, ...],
    photographs: np.ndarray,
) -> Iterator[Made]:
    """Network by network, seed by seed, layer by layer."""
    total = sum(map(len, networks.values())) * len(names)
    with tqdm(total=total, unit="layer", disable=None) as bar:
        for label, ones in networks.items():
            for seed, weights in zip(FLAGS.seeds, ones, strict=True):
                for depth, name in enumerate(names):
                    layer = depthjax.Layer(model, name, weights.normalization)
                    where = {"network": label, "seed": int(seed), "layer": name, "depth": depth}
                    yield from pictures_of(layer, weights.variables, where, labels, photographs)
                    bar.update()


def pictures_of(
    layer: depthjax.Layer,
    variables: Any,
    where: dict[str, Any],
    labels: tuple[str, ...],
    photographs: np.ndarray,
) -> Iterator[Made]:
    """All that is made of the photographs at one layer."""
    reference = {"reference_key": jax.random.key(FLAGS.reference_seed)}
    walk = {name: FLAGS[name].value for name in ("ratio", "steps", "corrections", "iterations")}
    goals = {FARTHEST: None}
    if len(photographs) > 1:
        goals[TOWARDS] = jnp.roll(jnp.asarray(photographs), -1, axis=0)
    key = jax.random.key(FLAGS.start_seed)
    for kind, goal in goals.items():
        found = witnesses.null_space_witness(
            key, layer, variables, photographs, towards=goal, **walk, **reference
        )
        for index, image in enumerate(labels):
            row = where | {"image": image, "kind": kind, "direction": 0, "sign": 1}
            pair = found.targets[index], found.rounded[index]
            yield Made(row | numbers(found, index), *pair)
    seen = witnesses.eigendistortions(
        *(layer, variables, photographs),
        k=FLAGS.directions,
        rmse=FLAGS.grey_levels / 255,
        **reference,
    )
    for side, k, index in np.ndindex(seen.images.shape[:3]):
        row = where | {"image": labels[index], "kind": EIGEN}
        row |= {"direction": k + 1, "sign": (1, -1)[side]}
        pair = seen.targets[index], seen.images[side, k, index]
        yield Made(row | numbers(seen, (side, k, index)), *pair)


def numbers(found: Any, index: Any) -> dict[str, float]:
    """ρ, D and PSNR of one picture."""
    columns = ("embedding_ratio", "input_ratio", "psnr")
    return {name: float(getattr(found, name)[index]) for name in columns}


def write(output: Path, made: Made) -> None:
    """The picture beside the one that it was made of."""
    row = made.row
    folder = output / "images" / f"{row['network']}_{row['seed']}" / row["layer"]
    folder.mkdir(parents=True, exist_ok=True)
    kind = row["kind"].split()[0]
    if kind == EIGEN:
        kind += f"{row['direction']}{'+' if row['sign'] > 0 else '-'}"
    images.save_png(folder / f"{row['image']}.png", made.target)
    images.save_png(folder / f"{row['image']}_{kind}.png", made.picture)


def findings_of(
    rows: list[dict[str, Any]], names: tuple[str, ...], networks: list[str]
) -> Iterator[Finding]:
    """How far witnesses lie, and how much more than noise the eigendistortions are seen."""
    near = f"at ρ ≤ {FLAGS.ratio:g} after 8 bits"
    asked = (
        (FARTHEST, "input_ratio", f"D of the farthest image found {near}", f">= {VISIBLE}"),
        (EIGEN, "gain", "ρ / D of the first eigendistortion", "> 1"),
    )
    for kind, column, words, rule in asked:
        chosen = [row for row in rows if row["kind"] == kind and row["direction"] <= 1]
        for network in networks if chosen else ():
            for name in names:
                found = bootstrap(table(chosen, column, network, name))
                yield Finding("witness", f"{network}, {name}", words, rule, found)


def table(rows: list[dict[str, Any]], column: str, network: str, layer: str) -> np.ndarray:
    """`[seeds, images]`; both signs of an eigendistortion are one number, their mean."""
    cells: dict[int, dict[str, list[float]]] = {}
    for row in rows:
        if (row["network"], row["layer"]) == (network, layer):
            value = row["embedding_ratio"] / row["input_ratio"] if column == "gain" else row[column]
            cells.setdefault(row["seed"], {}).setdefault(row["image"], []).append(value)
    return np.array([[np.mean(cell) for cell in seed.values()] for seed in cells.values()])


def sheet(made: list[Made], names: tuple[str, ...], label: str, labels: tuple[str, ...]) -> Any:
    """The first photograph and seed of a network: a row for each layer."""
    chosen = {
        (one.row["kind"], one.row["layer"]): one
        for one in reversed(made)
        if one.row["network"] == label
        and one.row["seed"] == int(FLAGS.seeds[0])
        and one.row["image"] == labels[0]
    }

    def column(kind: str) -> list[Made]:
        return [chosen[kind, name] for name in names]

    def pictures(kind: str) -> np.ndarray:
        return np.stack([one.picture for one in column(kind)])

    empty = [""] * len(names)
    targets = np.stack([one.target for one in column(FARTHEST)])
    drawn = [("image", targets, empty)]
    for kind, heading, times, words in (
        (TOWARDS, f"witness towards {labels[1 % len(labels)]}", 0.5, "difference / 2"),
        (FARTHEST, "witness, as far as possible", 0.5, "difference / 2"),
        (EIGEN, "eigendistortion", AMPLIFIED, f"difference × {AMPLIFIED}"),
    ):
        if (kind, names[0]) in chosen:
            captions = [caption(one.row) for one in column(kind)]
            difference = 0.5 + times * (pictures(kind) - targets)
            drawn += [(heading, pictures(kind), captions), (words, difference, empty)]
    headings, columns, below = zip(*drawn, strict=True)
    return figures.witness_sheet(
        *(names, headings, np.stack(columns), below),
        title=f"{FLAGS.model}, {label}: what layers take for {labels[0]}, and what they see best",
        note=(
            "D: distance of the images, ρ: of their embeddings (1: as far as a noisy copy of"
            " 25 dB); dB: PSNR. All of the 8-bit files. Differences are about grey."
        ),
    )


def caption(row: dict[str, Any]) -> str:
    """The numbers of a picture in two lines."""
    ratios = f"D {row['input_ratio']:.2f}  ρ {row['embedding_ratio']:.3f}"
    return f"{ratios}\n{row['psnr']:.1f} dB"


if __name__ == "__main__":
    cli.run(main)
