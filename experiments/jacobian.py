r"""Why a layer cannot be inverted: what is lost exactly, and how ill-conditioned the rest is.

    python experiments/jacobian.py --flagfile=experiments/flags/jacobian_quick.flags
    python experiments/jacobian.py --model=resnet50 --size=224 --layers=all-stages \\
        --images=astronaut --output=runs/jacobian_resnet50

For every network, layer and photograph: the largest singular values of the layer's Jacobian, its
stable rank and participation ratio, how many singular values lie above 10⁻¹ to 10⁻⁶ of the largest,
its conditioning, and the number of directions that can pass at all (counted exactly, operation by
operation). Claims C9 and C16 are judged. Small inputs are decomposed whole in float64, larger ones
by products alone. A run that was cut off goes on with --resume.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from tqdm import tqdm

import depthjax
from depthjax import accounting, cli, figures, images, results, run_folder, tables
from depthjax.device_memory import free_memory
from depthjax.files import write_atomically
from depthjax.layer_spectra import (
    DENSE_FLOOR,
    LEVELS,
    Curve,
    LayerSpectrum,
    ball_section,
    dense_spectrum,
    level_at_rank,
    probed_spectrum,
    spectral_curve,
)
from depthjax.report import write_report
from depthjax.statistics import Finding, Interval, bootstrap

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_script_flags()
flags.DEFINE_string("layers", "all-stages", "names or aliases; first:last; all-stages; all")
flags.DEFINE_list(
    "images",
    ["astronaut", "chelsea", "coffee"],
    "paths, folders, or embedded photographs by name",
)
flags.DEFINE_integer("size", 32, "height and width of the images in pixels", lower_bound=1)
flags.DEFINE_enum("fit", "crop", ["crop", "pad", "stretch"], "how a photograph becomes square")
flags.DEFINE_enum(
    "spectra",
    "auto",
    ["auto", "dense", "products", "none"],
    "all singular values; the largest and probes for the rest; what fits; accounting alone",
)
flags.DEFINE_integer("values", 10, "how many of the largest singular values", lower_bound=1)
flags.DEFINE_integer("products", 160, "pairs of J v and Jᵀ u for these", lower_bound=8)
flags.DEFINE_integer("probes", 8, "random vectors for the counts", lower_bound=2)
flags.DEFINE_integer("steps", 24, "pairs of products for each of them", lower_bound=2)
flags.DEFINE_integer("moment_probes", 16, "random vectors for the ranks", lower_bound=2)
flags.DEFINE_integer("probe_seed", 0, "seed of all random vectors")
flags.DEFINE_string("output", None, "folder of the run (default: runs/jacobian-MODEL-DATE)")
flags.DEFINE_boolean("overwrite", False, "replace a run that is already there")
flags.DEFINE_boolean("resume", False, "go on with a run that was cut off")

DENSE_ELEMENTS = 5e7
"""Of a Jacobian that auto still decomposes whole: 400 MB in float64."""


class Piece(NamedTuple):
    """What is kept of one network and layer: a row and two curves for each image."""

    rows: list[dict[str, Any]]
    curves: list[list[list[float]]]
    sections: list[list[list[list[float]]]]


def main() -> None:
    """Flags -> spectra and accounts of every network and layer -> findings and figures."""
    model = cli.model_from_flags()
    names = depthjax.select_layers(model, FLAGS.layers)
    networks = cli.networks_from_flags(model, FLAGS.size)
    image_names, photographs = images.load_images(
        images.find_images(FLAGS.images), FLAGS.size, fit=FLAGS.fit
    )
    photographs = np.asarray(photographs, np.float32)
    for ones in networks.values():  # ends here, before anything is written
        jax.eval_shape(layer_of(model, names[-1], ones[0]), ones[0].variables, photographs[:1])
    definition = {
        **{name: FLAGS[name].value for name in _DEFINING},
        "networks": {label: [w.record for w in ones] for label, ones in networks.items()},
        "layers": list(names),
        "images": list(image_names),
    }
    output = Path(FLAGS.output or f"runs/jacobian-{FLAGS.model}-{time.strftime('%Y%m%d-%H%M%S')}")
    settings = {"overwrite": FLAGS.overwrite, "resume": FLAGS.resume}
    run_folder.begin(output, definition, **settings)
    (output / "layers").mkdir(exist_ok=True)

    pieces = dict(computed(output, model, names, networks, image_names, photographs))
    rows = finished_rows(list(pieces.values()))
    found = findings(rows, names, list(networks))
    summary = summary_table(rows, names, list(networks))
    results.write_results(output, definition, rows, found, summary)
    draw(output, pieces, names, list(networks), rows)
    print(summary)
    if found:
        print(f"\n{tables.finding_table(found)}")
    print(f"\nNumbers, findings and figures: {output}")
    print(f"All of it on one page: {write_report(output)}")


_DEFINING = (
    "model", "model_field", "seeds", "normalization", "size", "fit", "spectra", "values",
    "products", "probes", "steps", "moment_probes", "probe_seed",
)  # fmt: skip


def layer_of(
    model: depthjax.models.Network, name: str, weights: cli.Weights
) -> depthjax.layers.Layer:
    """The layer as those weights want their pixels."""
    return depthjax.Layer(model, name, weights.normalization)


def computed(
    output: Path,
    model: depthjax.models.Network,
    names: tuple[str, ...],
    networks: dict[str, list[cli.Weights]],
    image_names: list[str],
    photographs: np.ndarray,
) -> Iterator[tuple[tuple[str, int, str], Piece]]:
    """A piece for each network, seed and layer: from its file, or computed and saved there."""
    total = sum(map(len, networks.values())) * len(names)
    with tqdm(total=total, unit="layer", disable=None, dynamic_ncols=True) as bar:
        for label, ones in networks.items():
            for seed, weights in zip(FLAGS.seeds, ones, strict=True):
                bounds: list[dict[str, accounting.RankBound]] | None = None
                losses: list[dict[str, accounting.OperationLoss]] = []
                for name in names:
                    bar.set_postfix_str(f"{label} {seed}, {name}")
                    stem = f"{label}_{seed}_{name}".replace("/", "_")
                    path = output / "layers" / f"{stem}.json"
                    if not path.is_file():
                        if bounds is None:
                            deepest = layer_of(model, names[-1], weights)
                            bounds, losses = accounts(deepest, weights, photographs)
                        layer = layer_of(model, name, weights)
                        where = {"network": label, "seed": int(seed), "layer": name}
                        where["depth"] = names.index(name)
                        counted = [each[layer.node] for each in bounds]
                        pooled = [pooling_of(each) for each in losses]
                        piece = piece_of(
                            layer, weights, photographs, where, image_names, counted, pooled
                        )
                        text = json.dumps(piece._asdict(), allow_nan=False)
                        write_atomically(path, text.encode())
                    yield (label, int(seed), name), Piece(**json.loads(path.read_text()))
                    bar.update()


def accounts(
    deepest: depthjax.layers.Layer, weights: cli.Weights, photographs: np.ndarray
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """For each image, by operation: what can pass up to there, and what it loses."""
    bounds, losses = [], []
    for image in photographs:
        every = accounting.local_rank_bounds(deepest, weights.variables, image)
        bounds.append({bound.layer: bound for bound in every})
        rows = accounting.account(deepest, weights.variables, image)
        losses.append({row.name: row for row in rows})
    return bounds, losses


def pooling_of(losses: dict[str, accounting.OperationLoss]) -> accounting.OperationLoss | None:
    """The first max pooling, if there is one."""
    return next((loss for loss in losses.values() if loss.kind == "max pool"), None)


def piece_of(
    layer: depthjax.layers.Layer,
    weights: cli.Weights,
    photographs: np.ndarray,
    where: dict[str, Any],
    image_names: list[str],
    bounds: list[accounting.RankBound],
    pooled: list[accounting.OperationLoss | None],
) -> Piece:
    """Everything about one layer of one network."""
    rows, curves, sections = [], [], []
    for image, name, bound, pool in zip(photographs, image_names, bounds, pooled, strict=True):
        began = time.perf_counter()
        row = where | {"image": name, "inputs": bound.inputs, "outputs": bound.outputs}
        row |= {"rank_bound": bound.rank, "cut": " ".join(bound.cut)}
        row |= {
            "active_before_pooling": pool.active_inputs if pool else None,
            "winners": pool.read if pool else None,
        }
        kind = method(bound)
        row["method"] = kind
        if kind != "none":
            spectrum = spectrum_of(kind, layer, weights, image[None])
            curve = spectral_curve(spectrum)
            row |= numbers(spectrum)
            curves.append([list(map(float, part)) for part in curve])
            if not sections and where["seed"] == int(FLAGS.seeds[0]):  # the one that is drawn
                circle = ball_section(layer, weights.variables, image[None], seed=FLAGS.probe_seed)
                sections.append([points.tolist() for points in circle])
        row["seconds"] = round(time.perf_counter() - began, 3)
        rows.append(row)
    return Piece(rows, curves, sections)


def method(bound: accounting.RankBound) -> str:
    """How a spectrum is found; by auto dense if that is small and memory is free for it."""
    elements = bound.inputs * bound.outputs
    if FLAGS.spectra != "auto":
        return str(FLAGS.spectra)
    free = free_memory()
    fits = free is None or 4 * 8 * elements < free
    return "dense" if elements <= DENSE_ELEMENTS and fits else "products"


def spectrum_of(
    kind: str, layer: depthjax.layers.Layer, weights: cli.Weights, image: np.ndarray
) -> LayerSpectrum:
    """Of one image, `[1, H, W, C]`."""
    if kind == "dense":
        return dense_spectrum(layer, weights.variables, image)
    return probed_spectrum(
        jax.random.key(FLAGS.probe_seed),
        layer,
        weights.variables,
        image,
        k=FLAGS.values,
        most=FLAGS.products,
        probes=FLAGS.probes,
        steps=FLAGS.steps,
        moment_probes=FLAGS.moment_probes,
    )


def numbers(spectrum: LayerSpectrum) -> dict[str, Any]:
    """A row's share of the spectrum of one image."""
    found: dict[str, Any] = {"sigma_1": float(spectrum.largest[0])}
    for name in ("stable_rank", "participation_ratio"):
        value, error = getattr(spectrum, name)
        found |= {name: float(value[0]), f"{name}_error": float(error[0])}
    for power, low, high in zip(
        range(1, len(LEVELS) + 1), spectrum.counts.low[0], spectrum.counts.high[0], strict=True
    ):
        found |= {f"above_1e-{power}_low": float(low), f"above_1e-{power}_high": float(high)}
    least = spectrum.values[0, -1] if spectrum.values is not None else float("nan")
    high = float(spectrum.condition_high[0])
    return found | {
        "least_nonzero": float(spectrum.least[0]),
        "least_of_all": float(least) if np.isfinite(least) else None,
        "condition_low": float(spectrum.condition_low[0]),
        "condition_high": high if np.isfinite(high) else None,
        "top": " ".join(f"{value:.8g}" for value in tops(spectrum)),
        "residual": float(spectrum.top.residual.max()) if spectrum.top else 0.0,
        "converged": bool(spectrum.top.converged.all()) if spectrum.top else True,
    }


def tops(spectrum: LayerSpectrum) -> np.ndarray:
    """The largest singular values."""
    if spectrum.values is not None:
        return spectrum.values[0, : FLAGS.values]
    assert spectrum.top is not None
    return spectrum.top.values[0]


def findings(
    rows: list[dict[str, Any]], names: tuple[str, ...], labels: list[str]
) -> list[Finding]:
    """C9 on convolutions and pooling, C16 on conditioning against depth."""
    found = []
    for label in labels:
        for name in names:
            if name.startswith("conv1") and known(rows, "least_of_all"):
                found.append(
                    Finding(
                        "C9",
                        f"{label}, {name}",
                        "σ_min / σ₁ over all n inputs",
                        f"> {DENSE_FLOOR}",
                        bootstrap(table(rows, label, name, smallest_of_inputs)),
                    )
                )
        if known(rows, "winners"):
            share = {
                "active units / n before pooling": ("active_before_pooling", ">= 1"),
                "distinct active winners / n after pooling": ("winners", "< 1"),
            }
            for words, (column, rule) in share.items():
                values = table(rows, label, names[-1], lambda row, c=column: row[c] / row["inputs"])
                found.append(Finding("C9", label, words, rule, bootstrap(values)))
        slopes = conditioning_slopes(rows, names, label)
        if slopes is not None:
            words = f"slope of log(σ₁ / σ of rank {half_rank(rows)}) per layer"
            found.append(Finding("C16", label, words, "> 0", slopes))
    return found


def known(rows: list[dict[str, Any]], column: str) -> bool:
    """Whether a column has numbers."""
    return any(row.get(column) is not None for row in rows)


def table(rows: list[dict[str, Any]], label: str, name: str, value: Any) -> np.ndarray:
    """`[seeds, images]` of one network and layer."""
    here = [row for row in rows if (row["network"], row["layer"]) == (label, name)]
    return np.array(
        [[value(row) for row in here if row["seed"] == int(seed)] for seed in FLAGS.seeds], float
    )


def smallest_of_inputs(row: dict[str, Any]) -> float:
    """σ_n / σ₁; 0 where there are fewer outputs than inputs."""
    if row["outputs"] < row["inputs"]:
        return 0.0
    return float(row["least_of_all"]) / float(row["sigma_1"])


def finished_rows(pieces: list[Piece]) -> list[dict[str, Any]]:
    """All rows, with σ / σ₁ of the one rank that C16 compares all layers at.

    Of what random probes leave open, accounting knows that no more directions are there than pass.
    """
    rows = [row for piece in pieces for row in piece.rows]
    rank = half_rank(rows)
    for piece in pieces:
        for row, points in zip(piece.rows, piece.curves, strict=False):
            curve = Curve(*map(np.asarray, points))
            # Where rounding hides the value, the floor: slopes are then too small, if anything.
            floor = DENSE_FLOOR if row["method"] == "dense" else curve.levels.min()
            ends = [max(end, floor) for end in level_at_rank(curve, rank)]
            for power in range(1, len(LEVELS) + 1):
                column = f"above_1e-{power}_high"
                row[column] = min(row[column], float(row["rank_bound"]))
            row["half_rank_level"] = float(np.sqrt(ends[0] * ends[1]))
    return rows


def half_rank(rows: list[dict[str, Any]]) -> int:
    """Half of the least rank that any layer, network and image may have: the same for all."""
    return max(1, min(row["rank_bound"] for row in rows) // 2)


def conditioning_slopes(
    rows: list[dict[str, Any]], names: tuple[str, ...], label: str
) -> Interval | None:
    """Of log(σ₁ / σ at the half rank) against depth; None where there is nothing to fit."""
    if len(names) < 2 or not known(rows, "half_rank_level"):
        return None
    logarithms = np.stack(
        [-np.log(table(rows, label, name, lambda row: row["half_rank_level"])) for name in names]
    )
    depth = np.arange(len(names)) - (len(names) - 1) / 2
    return bootstrap(np.tensordot(depth / (depth @ depth), logarithms, 1))


def draw(
    output: Path,
    pieces: dict[tuple[str, int, str], Piece],
    names: tuple[str, ...],
    labels: list[str],
    rows: list[dict[str, Any]],
) -> None:
    """Numbers against depth, spectra, and the small ball."""
    note = f"n = {len(FLAGS.seeds)} weight seeds × {len(FLAGS.images)} images, 95 % intervals"
    folder = output / "figures"
    panels = {}
    for axis, value in _AXES.items():
        cells = [
            [bootstrap(table(rows, label, name, value))[:3] for name in names] for label in labels
        ]
        if np.isfinite(np.array(cells)[..., 0]).any():
            panels[axis] = cells
    figure = figures.networks_against_depth(
        labels, names, panels, logarithmic=list(panels), note=note
    )
    figures.save_figure(folder / "depth", figure)
    if not known(rows, "sigma_1"):
        return
    by_layer = {
        label: [
            [each for seed in FLAGS.seeds for each in pieces[label, int(seed), name].curves]
            for name in names
        ]
        for label in labels
    }
    inputs = rows[0]["inputs"]
    every = f"one line for each of {note.split(',')[0].removeprefix('n = ')}"
    figures.save_figure(folder / "spectra", figures.spectra(names, by_layer, inputs, note=every))
    first = int(FLAGS.seeds[0])
    sections = {
        label: [pieces[label, first, name].sections[0] for name in names] for label in labels
    }
    what = f"What becomes of a circle of one grey level around {rows[0]['image']}"
    figures.save_figure(folder / "ball", figures.ball_sections(names, sections, note=what))


_AXES = {
    "σ₁": lambda row: row.get("sigma_1", np.nan),
    "stable rank": lambda row: row.get("stable_rank", np.nan),
    "participation\nratio": lambda row: row.get("participation_ratio", np.nan),
    "directions that\ncan pass / n": lambda row: row["rank_bound"] / row["inputs"],
    "σ > 10⁻³ σ₁,\nshare of n": lambda row: middle(row, 3) / row["inputs"],
    "κ on the row space\n(at least)": lambda row: row.get("condition_low", np.nan),
}


def middle(row: dict[str, Any], power: int) -> float:
    """How many lie above 10^-power σ₁."""
    low, high = (row.get(f"above_1e-{power}_{end}", np.nan) for end in ("low", "high"))
    return float(low + high) / 2


def summary_table(rows: list[dict[str, Any]], names: tuple[str, ...], labels: list[str]) -> str:
    """Medians over seeds and images: a row for each network and layer."""
    header = ["network", "layer", "outputs", "can pass", "σ₁", "stable rank", "particip."]
    header += [f"> 1e-{power}" for power in (1, 2, 3, 6)] + ["κ ≥"]
    lines = []
    for label in labels:
        for name in names:
            here = [row for row in rows if (row["network"], row["layer"]) == (label, name)]
            cells = [label, name, f"{here[0]['outputs']:,}"]
            cells.append(f"{np.median([row['rank_bound'] for row in here]):,.0f}")
            if "sigma_1" in here[0]:
                for column in ("sigma_1", "stable_rank", "participation_ratio"):
                    cells.append(f"{np.median([row[column] for row in here]):.4g}")
                cells += [bracket(here, power) for power in (1, 2, 3, 6)]
                cells.append(f"{np.median([row['condition_low'] for row in here]):.2g}")
            lines.append(cells + [""] * (len(header) - len(cells)))
    return tables.markdown_table(header, lines)


def bracket(rows: list[dict[str, Any]], power: int) -> str:
    """`1,234` or `1,200–1,310`: medians of both ends."""
    low, high = (
        f"{np.median([row[f'above_1e-{power}_{end}'] for row in rows]):,.0f}"
        for end in ("low", "high")
    )
    return low if low == high else f"{low}–{high}"


if __name__ == "__main__":
    cli.run(main)
