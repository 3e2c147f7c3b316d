"""Three kinds of networks of which it is known what they keep, and claim C6, under one protocol.

    python experiments/controls.py --flagfile=experiments/flags/controls_quick.flags

The same images, starts, optimiser and steps on networks that keep everything and are well
conditioned (an orthogonal linear MLP, an i-RevNet of small couplings), that keep everything and are
ill conditioned (a square linear MLP as PyTorch initialises it), and that lose half of it (an
orthogonal MLP with one narrow layer). Then the paper's invertible control: exact pre-images of
perturbed embeddings, in both readings of the paper, beside gradient descent on the same networks.
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
from depthjax import cli, figures, images, metrics, prediction, preimages, results, tables
from depthjax.errors import one_of
from depthjax.figures.controls import Control
from depthjax.models import Network, build_model, init_variables
from depthjax.objectives import norms
from depthjax.precision import matmul_precision
from depthjax.report import write_report
from depthjax.statistics import Finding, bootstrap, bootstrap_ratio
from depthjax.typing import Variables

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_list("controls", ["orthogonal", "irevnet", "default", "narrow"], "networks, see above")
flags.DEFINE_list("images", ["astronaut", "chelsea", "coffee"], "paths, or embedded photographs")
flags.DEFINE_integer("size", 16, "height and width of the images, of 4 or a multiple of it")
flags.DEFINE_list("seeds", ["0", "1", "2"], "of the weights of each network")
flags.DEFINE_integer("start_seed", 1, "seed of the starts, shared by all layers and networks")
flags.DEFINE_integer("steps", 1_000, "updates of the image", lower_bound=1)
flags.DEFINE_float("rate", 0.5, "of a step, over 1 / 2σ₁² at the start; linear layers bear 2")
flags.DEFINE_float("coupling", 0.1, "factor of the i-RevNet's couplings: 0 makes it orthogonal")
flags.DEFINE_list("readings", ["text", "code"], "of the paper's invertible control: text, code")
flags.DEFINE_integer("preimage_size", 32, "height and width of its image", lower_bound=1)
flags.DEFINE_integer("inits", 10, "initialisations of its networks; C6 asks for 10", lower_bound=1)
flags.DEFINE_integer("draws", 100, "perturbed embeddings of each", lower_bound=1)
flags.DEFINE_integer("descent_steps", 220, "of gradient descent on them", lower_bound=1)
flags.DEFINE_string("output", "runs/controls", "folder for the numbers and the figure")
flags.DEFINE_boolean("overwrite", False, "replace the results that are already there")

WORDS = {
    "orthogonal": "orthogonal MLP (κ = 1)",
    "irevnet": "i-RevNet, small couplings",
    "default": "square MLP, default weights",
    "narrow": "orthogonal MLP, one narrow layer",
}
READINGS = {"text": preimages.TEXT, "code": preimages.CODE}
DEPTH = 4
ROUNDING = 1e-5
"""D that float32 leaves: no prediction holds below it."""
RECOVERED = 0.1
"""D below which an image counts as recovered: a tenth of the lightly noised copy's."""


class Case(NamedTuple):
    """A control: its network, its layers, and whether they are affine."""

    model: Network
    layers: tuple[str, ...]
    affine: bool


def main() -> None:
    """Flags -> controls and predictions -> pre-images -> findings -> files."""
    output = results.checked_folder(FLAGS.output, overwrite=FLAGS.overwrite)
    for reading in FLAGS.readings:
        one_of("reading", reading, READINGS)
    names, photographs = images.load_images(images.find_images(FLAGS.images), FLAGS.size)
    targets = jnp.asarray(photographs)
    cases = {name: case_of(name, targets[0].size) for name in FLAGS.controls}
    rows = list(control_rows(cases, list(names), targets))
    of_preimages = list(preimage_rows())
    findings = [*control_findings(rows), *preimage_findings(of_preimages)]
    settings = (
        *("controls", "images", "size", "seeds", "start_seed", "steps", "rate", "coupling"),
        *("readings", "preimage_size", "inits", "draws", "descent_steps"),
    )
    columns = dict.fromkeys(key for row in [*rows, *of_preimages] for key in row)
    every = [{key: row.get(key, "") for key in columns} for row in [*rows, *of_preimages]]
    results.write_results(output, {n: FLAGS[n].value for n in settings}, every, findings)
    if rows:
        draw(output, rows)
        print(f"{control_table(rows)}\n")
    if of_preimages:
        print(f"{preimage_table(of_preimages)}\n")
    print(tables.finding_table(findings))
    print(f"Numbers, findings and figure: {output}")
    print(f"All of it on one page: {write_report(output)}")


# ---------------------------------------------------------------------------------- three controls


def case_of(name: str, inputs: int) -> Case:
    """A control by its name in --controls."""
    one_of("control", name, WORDS)
    if name == "irevnet":
        model = build_model("irevnet", blocks=(2, 2))
        return Case(model, ("layer1.0", "layer1.1", "layer2.0", "layer2.1"), affine=False)
    widths = [inputs] * DEPTH
    if name == "narrow":
        widths[1] = inputs // 2
    model = build_model("mlp", widths=tuple(widths), activation="linear")
    return Case(model, model.stages(), affine=True)


def variables_of(name: str, model: Network, seed: int) -> Variables:
    """PyTorch's initialisation, made orthogonal or of small couplings where the control is."""
    variables = init_variables(model, jax.random.key(seed), FLAGS.size)
    for layer, leaves in variables["params"].items():
        kernel = np.asarray(leaves["kernel"], np.float64)
        if name in ("orthogonal", "narrow"):
            leaves["kernel"] = jnp.asarray(semi_orthogonal(kernel), jnp.float32)
        elif name == "irevnet" and layer.endswith(".conv2"):
            leaves["kernel"] = jnp.asarray(FLAGS.coupling * kernel, jnp.float32)
    return variables


def semi_orthogonal(kernel: np.ndarray) -> np.ndarray:
    """All singular values 1: what the smaller side allows is kept."""
    tall = kernel if kernel.shape[0] >= kernel.shape[1] else kernel.T
    found = np.linalg.qr(tall)[0]
    return found if tall is kernel else found.T


def control_rows(
    cases: dict[str, Case], names: list[str], targets: jax.Array
) -> Iterator[dict[str, Any]]:
    """A row for each control × depth × seed × image."""
    config = depthjax.InversionConfig(
        steps=FLAGS.steps,
        objective="squared_l2",
        optimizer="sgd",
        learning_rate=FLAGS.rate,
        schedule="constant",
        pixels="none",
        record_every=FLAGS.steps,
    )
    starts = depthjax.initial_images(jax.random.key(FLAGS.start_seed), targets.shape, config)
    reference = reference_distance(targets.shape)
    with tqdm(total=len(cases) * DEPTH * len(FLAGS.seeds), unit="layer", disable=None) as bar:
        for name, (model, layers, affine) in cases.items():
            for depth, layer in enumerate(layers, 1):
                for seed in FLAGS.seeds:
                    found = prediction.confront(
                        *(depthjax.Layer(model, layer), variables_of(name, model, int(seed))),
                        *(targets, starts, config),
                        affine=affine,
                    )
                    for index, told in enumerate(found.predictions):
                        last = found.inversion.trajectory.input_distance[-1, index]
                        yield {
                            **{"control": name, "layer": layer, "depth": depth},
                            **{"seed": int(seed), "image": names[index]},
                            "rank": len(found.directions[index].values),
                            "condition_number": found.directions[index].condition_number,
                            "input_distance": float(last),
                            "predicted": float(told.input_distance[-1]),
                            "lost": told.lost,
                            "slow": float(told.slow[-1]),
                            "D": float(last / reference),
                            "predicted_D": float(told.input_distance[-1] / reference),
                            "start_D": float(told.input_distance[0] / reference),
                        }
                    bar.update()


def reference_distance(shape: tuple[int, ...], draws: int = 8) -> float:
    """m_i', of a lightly noised copy: the mean over draws."""
    noise = jax.random.normal(jax.random.key(2), (draws, *shape[1:]))
    return float(norms(metrics.REFERENCE_STD * noise).mean())


def table(rows: list[dict[str, Any]], quantity: str, **where: Any) -> np.ndarray:
    """`[seeds, images]`."""
    found: dict[Any, list[float]] = {}
    for row in rows:
        if all(row[key] == value for key, value in where.items()):
            found.setdefault(row["seed"], []).append(row[quantity])
    return np.array(list(found.values()))


def control_findings(rows: list[dict[str, Any]]) -> list[Finding]:
    """What each control must show at every depth, of all seeds and images."""
    found = []
    for name, layer in dict.fromkeys((row["control"], row["layer"]) for row in rows):
        where = {"control": name, "layer": layer}
        get = {
            quantity: table(rows, quantity, **where)
            for quantity in ("D", "input_distance", "predicted", "lost", "slow")
        }
        narrow = name == "narrow" and table(rows, "lost", **where).min() > ROUNDING
        if narrow:
            off = np.abs(get["input_distance"] / get["lost"] - 1)
            statistic, rule, values = (
                "largest relative error of ‖P_N(a − a_0)‖ for m_i",
                "< 0.01",
                off,
            )
        elif name == "default":
            off = np.abs(get["input_distance"] / get["predicted"] - 1)
            statistic, rule, values = "largest relative error of the predicted m_i", "< 0.01", off
        else:
            statistic, rule, values = "largest D", f"< {RECOVERED}", get["D"]
        interval = bootstrap(values, lambda drawn: float(drawn.max()))
        found.append(Finding("controls", f"{name}, {layer}", statistic, rule, interval))
    return found


def control_table(rows: list[dict[str, Any]]) -> str:
    """Medians and ranges over seeds and images."""
    headers = ["control, layer", "n", "rank", "κ", "D", "predicted D", "m_i", "lost", "m_i/lost"]
    body = []
    for name, layer in dict.fromkeys((row["control"], row["layer"]) for row in rows):
        get = {
            quantity: table(rows, quantity, control=name, layer=layer)
            for quantity in (
                *("rank", "condition_number", "D", "predicted_D", "input_distance", "lost"),
            )
        }
        real = get["lost"].min() > ROUNDING
        ratio = get["input_distance"] / get["lost"] if real else np.full(1, np.nan)
        cells = [tables.spread(np.round(values, 12)) for values in (*get.values(), ratio)]
        body.append([f"{name}, {layer}", str(get["D"].size), *cells])
    return tables.markdown_table(headers, body)


def draw(output: Path, rows: list[dict[str, Any]]) -> None:
    """D of every control against depth, with the predictions."""
    controls = {}
    for name in dict.fromkeys(row["control"] for row in rows):
        measured, told = (
            np.stack([table(rows, q, control=name, depth=d).ravel() for d in range(1, DEPTH + 1)])
            for q in ("D", "predicted_D")
        )
        controls[WORDS[name]] = Control(measured, told)
    start = float(np.median([row["start_D"] for row in rows]))
    labels = [str(depth) for depth in range(1, DEPTH + 1)]
    title = f"{FLAGS.steps} steps of gradient descent, {FLAGS.size}×{FLAGS.size}"
    figure = figures.controls_against_depth(labels, controls, start, floor=ROUNDING, title=title)
    figures.save_figure(output / "figures" / "controls", figure)


# ------------------------------------------------------------------------------------- pre-images


def preimage_rows() -> Iterator[dict[str, Any]]:
    """A row for each reading × initialisation: exact pre-images, and gradient descent beside."""
    if not FLAGS.readings:
        return
    _, photographs = images.load_images(images.find_images(FLAGS.images[:1]), FLAGS.preimage_size)
    (image,) = photographs
    key = jax.random.key(0)
    reference = reference_distance((1, *image.shape))
    for reading in FLAGS.readings:
        how = READINGS[reading]
        control = preimages.invertible_control(
            key, image, inits=FLAGS.inits, draws=FLAGS.draws, **how
        )
        for index, init_key in enumerate(jax.random.split(key, FLAGS.inits)):
            weights_key, _ = jax.random.split(init_key)  # as the control splits it
            embedding_distance, input_distance = descended(weights_key, image, how["layers"])
            yield {
                **{"control": f"pre-images, {reading}", "layer": f"fc{how['layers']}"},
                **{"depth": how["layers"], "seed": index, "image": FLAGS.images[0]},
                "std": how["std"],
                "condition_number": float(control.condition_number[index]),
                "median_distance": float(control.median_distance[index]),
                "expected_distance": float(control.expected_distance[index]),
                "distance_ratio": float(control.distance_ratio[index]),
                "outside": float(control.outside[index]),
                "residual": float(control.residual[index]),
                "recovery_distance": float(control.recovery_distance[index]),
                "input_distance": input_distance,
                "embedding_distance": embedding_distance,
                "reference_input_distance": reference,
            }


def descended(weights_key: jax.Array, image: np.ndarray, layers: int) -> tuple[float, float]:
    """m_g and m_i of the paper's recipe for MLPs on one of the control's networks."""
    model = build_model("mlp", widths=(image.size,) * layers, activation="linear")
    variables = init_variables(model, weights_key, image.shape[:2])
    layer, target = depthjax.Layer(model, f"fc{layers}"), jnp.asarray(image)[None]
    steps = FLAGS.descent_steps
    config = depthjax.InversionConfig.paper("mlp", steps=steps, record_every=steps)
    start = depthjax.initial_images(jax.random.key(FLAGS.start_seed), target.shape, config)
    with matmul_precision():
        embedding = layer(variables, target)
    found = depthjax.invert(layer, variables, embedding, start, config, compare_to=target)
    last = found.trajectory
    return float(last.embedding_distance[-1, 0]), float(last.input_distance[-1, 0])


def preimage_findings(rows: list[dict[str, Any]]) -> list[Finding]:
    """C6 for each reading, over initialisations."""
    found = []
    for where in dict.fromkeys(row["control"] for row in rows):
        get = {
            quantity: np.array([[row[quantity]] for row in rows if row["control"] == where])
            for quantity in ("distance_ratio", "outside", "median_distance", "input_distance")
        }
        ratio = bootstrap(get["distance_ratio"])
        against = bootstrap_ratio(get["median_distance"], get["input_distance"])
        name = "median distance / σ‖J⁻¹‖_F"
        found += [
            Finding("C6", where, name, ">= 0.5", ratio),
            Finding("C6", where, name, "<= 2", ratio),
            Finding("C6", where, "share outside [0, 1]", "> 0.99", bootstrap(get["outside"])),
            Finding("C6", where, "median distance / m_i of gradient descent", "> 1", against),
        ]
    return found


PAPER = ["the paper", "–", "–", "> 40000", "–", "–", "2.84", "0.52", "< 3", "–"]


def preimage_table(rows: list[dict[str, Any]]) -> str:
    """The paper's numbers, and ours of each reading: medians and ranges over initialisations."""
    headers = [
        *("", "inits", "κ", "distance of pre-images", "over σ‖J⁻¹‖_F", "outside [0, 1]"),
        *("m_i of a_g", "m_g of a_g", "m_i' of a'", "C6"),
    ]
    body = [PAPER]
    for where in dict.fromkeys(row["control"] for row in rows):
        own = [row for row in rows if row["control"] == where]
        get = [
            np.array([row[quantity] for row in own])
            for quantity in (
                *("condition_number", "median_distance", "distance_ratio", "outside"),
                *("input_distance", "embedding_distance", "reference_input_distance"),
            )
        ]
        ratio, outside = get[2], get[3]
        held = ((ratio >= 0.5) & (ratio <= 2)).all() and (outside > 0.99).all() and len(own) >= 10
        cells = [tables.spread(values) for values in get]
        verdict = "supported" if held else "not supported"
        body.append([where, str(len(own)), *cells, verdict])
    return tables.markdown_table(headers, body)


if __name__ == "__main__":
    cli.run(main)
