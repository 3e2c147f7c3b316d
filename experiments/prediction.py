"""Does linear theory predict what descents recover?

    python experiments/prediction.py --flagfile=experiments/flags/prediction_quick.flags

For every layer of untrained networks gradient descent is set beside its prediction from one dense
Jacobian: the part of a − a_0 in its null space is lost, the rest shrinks along each singular vector
by itself. Of linear networks the whole curve m_i(t) must agree within 1 %. Of others m_i at the end
is compared over images and weight seeds within each layer, by R² with means taken off; as a
baseline, the distance of the start alone. Chosen before any run: the Jacobian at the target, and
m_i of the last iterate.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from tqdm import tqdm

import depthjax
from depthjax import cli, figures, images, prediction, results, tables
from depthjax.errors import one_of
from depthjax.figures.prediction import Curve, Pairs
from depthjax.models import Network, build_model, init_variables
from depthjax.report import write_report
from depthjax.statistics import Finding, bootstrap

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_list(
    "networks", ["linear", "relu", "resnet18_small"], "linear and relu are MLPs; models by name"
)
flags.DEFINE_list("linear_widths", ["1.3", "1.3", "0.8", "1.3"], "widths over the inputs' number")
flags.DEFINE_list("relu_widths", ["2", "2", "2", "2"], "widths over the inputs' number")
flags.DEFINE_list("images", list(images.EMBEDDED), "paths, folders, or embedded photographs")
flags.DEFINE_integer("size", 16, "height and width of the images in pixels", lower_bound=1)
flags.DEFINE_list("seeds", ["0", "1", "2", "3", "4"], "of the weights of each network")
flags.DEFINE_integer("start_seed", 1, "seed of the starts, shared by all layers and networks")
flags.DEFINE_integer("steps", 1_000, "updates of the image", lower_bound=1)
flags.DEFINE_float("rate", 0.5, "of a step, over 1 / 2σ₁² at the start; linear layers bear 2")
flags.DEFINE_float("momentum", 0.0, "of gradient descent", lower_bound=0)
flags.DEFINE_enum(
    "jacobian_at", "target", ["target", "start", "middle"], "where the Jacobian is taken"
)
flags.DEFINE_string("output", "runs/prediction", "folder for the numbers and the figures")
flags.DEFINE_boolean("overwrite", False, "replace the results that are already there")

CLAIM = "theory"
EXACT = "largest relative error of the predicted m_i(t)"
SHOWN_IMAGES = 3  # in the figure of curves, of the first seed


def main() -> None:
    """Flags -> descents and predictions, layer by layer -> findings -> files."""
    output = results.checked_folder(FLAGS.output, overwrite=FLAGS.overwrite)
    names, photographs = images.load_images(images.find_images(FLAGS.images), FLAGS.size)
    targets = jnp.asarray(photographs)
    models = {name: model_of(name, targets[0].size) for name in FLAGS.networks}
    config = depthjax.InversionConfig(
        steps=FLAGS.steps,
        objective="squared_l2",
        optimizer="sgd",
        optimizer_options={"momentum": FLAGS.momentum} if FLAGS.momentum else {},
        learning_rate=FLAGS.rate,
        schedule="constant",
        pixels="none",
        record_every=max(1, FLAGS.steps // 25),
    )
    curves: dict[str, dict[str, Curve]] = {}
    rows = list(measured(models, list(names), targets, config, curves))
    findings = findings_of(rows)
    settings = (
        *("networks", "linear_widths", "relu_widths", "images", "size", "seeds", "start_seed"),
        *("steps", "rate", "momentum", "jacobian_at"),
    )
    results.write_results(output, {n: FLAGS[n].value for n in settings}, rows, findings)
    draw(output, rows, curves)
    print(tables.finding_table(findings))
    print(f"\n{layer_table(rows)}")
    print(
        "\nR²: 1 − Σ(m − p)²/Σ(m − m̄)² within the layer, nothing fitted; lost: in the null space."
    )
    print(f"Numbers, findings and figures: {output}")
    print(f"All of it on one page: {write_report(output)}")


def model_of(name: str, inputs: int) -> Network:
    """A network by its name in --networks."""
    if name in ("linear", "relu"):
        try:
            widths = tuple(round(float(width) * inputs) for width in FLAGS[f"{name}_widths"].value)
        except ValueError as error:
            raise ValueError(f"--{name}_widths must be numbers: {error}") from error
        return build_model("mlp", widths=widths, activation=name)
    return build_model(one_of("network", name, ("linear", "relu", *depthjax.models.MODELS)))


def measured(
    models: dict[str, Network],
    names: list[str],
    targets: jax.Array,
    config: depthjax.InversionConfig,
    curves: dict[str, dict[str, Curve]],
) -> Iterator[dict[str, Any]]:
    """A row for each network × layer × seed × image; fills the curves of linear networks."""
    starts = depthjax.initial_images(jax.random.key(FLAGS.start_seed), targets.shape, config)
    places = {"target": targets, "start": starts, "middle": (targets + starts) / 2}
    layers = {name: model.stages() for name, model in models.items()}
    total = sum(map(len, layers.values())) * len(FLAGS.seeds)
    with tqdm(total=total, unit="layer", disable=None) as bar:
        for network, model in models.items():
            affine = getattr(model, "activation", "") == "linear"
            for depth, layer in enumerate(layers[network]):
                for seed in FLAGS.seeds:
                    variables = init_variables(model, jax.random.key(int(seed)), FLAGS.size)
                    found = prediction.confront(
                        *(depthjax.Layer(model, layer), variables, targets, starts, config),
                        at=places[FLAGS.jacobian_at],
                        affine=affine,
                    )
                    if affine and seed == FLAGS.seeds[0]:
                        curves.setdefault(network, {})[layer] = curve_of(found)
                    where = {"network": network, "layer": layer, "depth": depth}
                    where |= {"affine": affine, "seed": int(seed)}
                    for row in rows_of(found):
                        yield where | {"image": names[row["image"]]} | row["numbers"]
                    bar.update()


def rows_of(found: prediction.Confrontation) -> Iterator[dict[str, Any]]:
    """What was predicted and measured for each image."""
    trajectory = found.inversion.trajectory
    for index, (told, directions) in enumerate(
        zip(found.predictions, found.directions, strict=True)
    ):
        curve = trajectory.input_distance[:, index]
        expected = told.input_distance[trajectory.step]
        numbers = {
            "rank": len(directions.values),
            "largest_singular_value": float(directions.values[0]),
            "condition_number": directions.condition_number,
            "learning_rate": found.config.learning_rate,
            "start_distance": float(told.input_distance[0]),
            "lost": told.lost,
            "slow": float(told.slow[-1]),
            "predicted": float(told.input_distance[-1]),
            "measured": float(curve[-1]),
            "largest_relative_error": float(np.abs(curve / expected - 1).max()),
            "predicted_embedding_distance": float(told.embedding_distance[-1]),
            "measured_embedding_distance": float(trajectory.embedding_distance[-1, index]),
            "status": int(found.inversion.status[index]),
        }
        yield {"image": index, "numbers": numbers}


def curve_of(found: prediction.Confrontation) -> Curve:
    """Of a few images, for the figure."""
    told, trajectory = found.predictions[:SHOWN_IMAGES], found.inversion.trajectory
    return Curve(
        trajectory.step,
        trajectory.input_distance[:, :SHOWN_IMAGES],
        np.stack([one.input_distance for one in told], 1),
        np.array([one.lost for one in told]),
    )


def places_of(rows: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    """Every layer, in order."""
    return list(dict.fromkeys((row["network"], row["layer"], row["affine"]) for row in rows))


def table(rows: list[dict[str, Any]], network: str, layer: str, quantity: str) -> np.ndarray:
    """`[seeds, images]`."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if (row["network"], row["layer"]) == (network, layer):
            found.setdefault(row["seed"], []).append(row[quantity])
    return np.array(list(found.values()))


def findings_of(rows: list[dict[str, Any]]) -> list[Finding]:
    """Curves of linear networks agree; of others, m_i at the end is explained within the layer."""
    found = []
    for network, layer, affine in places_of(rows):
        where = f"{network}, {layer}"
        if affine:
            errors = table(rows, network, layer, "largest_relative_error")
            interval = bootstrap(errors, lambda drawn: float(drawn.max()))
            found.append(Finding(CLAIM, where, EXACT, "< 0.01", interval))
            continue
        told, seen, start = (
            table(rows, network, layer, quantity)
            for quantity in ("predicted", "measured", "start_distance")
        )
        of_theory = prediction.explained_interval(told, seen)
        gained = prediction.explained_interval(told, seen, fitted="line", beyond=start)
        found += [
            Finding(CLAIM, where, "R² of the predicted m_i, means taken off", "> 0", of_theory),
            Finding(CLAIM, where, "r² of the predicted m_i − r² of ‖a − a_0‖", "> 0", gained),
        ]
    return found


def layer_table(rows: list[dict[str, Any]]) -> str:
    """Medians, and every R² of the theory and of the start's distance."""
    headers = [
        *("layer", "n", "rank", "κ", "‖a − a_0‖", "lost", "slow", "predicted", "measured"),
        *("R² as it stands", "R²", "r²", "R² of start", "r² of start"),
    ]
    body = []
    for network, layer, _ in places_of(rows):
        get = {
            quantity: table(rows, network, layer, quantity)
            for quantity in (
                *("rank", "condition_number", "start_distance", "lost", "slow"),
                *("predicted", "measured"),
            )
        }
        told, seen, start = get["predicted"], get["measured"], get["start_distance"]
        numbers = [
            *(prediction.explained(told, seen, fitted=fit) for fit in ("none", "mean", "line")),
            *(prediction.explained(start, seen, fitted=fit) for fit in ("mean", "line")),
        ]
        medians = [tables.number(round(float(np.median(v)), 12)) for v in get.values()]
        body.append(
            [f"{network}, {layer}", str(seen.size), *medians, *(f"{n:.3f}" for n in numbers)]
        )
    return tables.markdown_table(headers, body)


def draw(output: Path, rows: list[dict[str, Any]], curves: dict[str, dict[str, Curve]]) -> None:
    """Curves of linear networks, ends of the others."""
    for network, panels in curves.items():
        figure = figures.predicted_curves(panels, title=f"{network} MLP, seed {FLAGS.seeds[0]}")
        figures.save_figure(output / "figures" / f"curves_{network}", figure)
    ends: dict[str, dict[str, Pairs]] = {}
    for network, layer, affine in places_of(rows):
        if not affine:
            told, seen = (table(rows, network, layer, q) for q in ("predicted", "measured"))
            pairs = Pairs(told, seen, prediction.explained(told, seen))
            ends.setdefault(network, {})[layer] = pairs
    if ends:
        figure = figures.predicted_against_measured(ends)
        figures.save_figure(output / "figures" / "predicted_against_measured", figure)


if __name__ == "__main__":
    cli.run(main)
