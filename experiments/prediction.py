"""Does linear theory predict what descents recover?

    python experiments/prediction.py --flagfile=experiments/flags/prediction_quick.flags

For every layer of untrained networks gradient descent is set beside its prediction from one
Jacobian, dense or by --products alone: the part of a − a_0 in its null space is lost, the rest
shrinks along each singular vector by itself. Of linear networks the whole curve m_i(t) must agree
within 1 %. Of others m_i at the end is compared over images and weight seeds within each layer, by
R² with means taken off; as a baseline, the distance of the start alone. Chosen before any run: the
Jacobian at the target, and m_i of the last iterate. D at the same ρ is set beside its prediction,
too.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

import depthjax
from depthjax import cli, images
from depthjax.analysis.prediction import linear_descent
from depthjax.figures.prediction import Curve
from depthjax.inversion.config import InversionConfig
from depthjax.models import Network
from depthjax.studies.prediction import judged, measured
from depthjax.studies.prediction.drawn import curve_of, draw
from depthjax.studies.prediction.measured import PERCEPTRONS
from depthjax.studies.rows import Row
from depthjax.typing import Images

FLAGS = flags.FLAGS
cli.define_images_flag(list(images.EMBEDDED))
cli.define_size_flag(16)
cli.define_seeds_flag(["0", "1", "2", "3", "4"])
cli.define_start_seed_flag()
cli.define_output_flags("runs/prediction")
cli.define_linear_descent_flags()
cli.define_script_flags()
flags.DEFINE_list(
    "networks", ["linear", "relu", "resnet18_small"], "linear and relu are MLPs; models by name"
)
flags.DEFINE_list("linear_widths", ["1.3", "1.3", "0.8", "1.3"], "widths over the inputs' number")
flags.DEFINE_list("relu_widths", ["2", "2", "2", "2"], "widths over the inputs' number")
flags.DEFINE_float("momentum", 0.0, "momentum of gradient descent", lower_bound=0)
flags.DEFINE_integer(
    "products", 0, "pairs of products with each Jacobian, for large inputs; 0: dense", lower_bound=0
)
flags.DEFINE_enum(
    "jacobian_at", "target", ["target", "start", "middle"], "where the Jacobian is taken"
)

NOTE = "R²: 1 − Σ(m − p)²/Σ(m − m̄)² within the layer, nothing fitted; lost: in the null space."


def main() -> None:
    """Flags -> descents and predictions, layer by layer -> findings -> files."""
    names, photographs = cli.images_from_flags()
    targets = jnp.asarray(photographs)
    models = {name: model_of(name, targets[0].size) for name in FLAGS.networks}
    config = linear_descent(
        FLAGS.steps,
        FLAGS.rate,
        momentum=FLAGS.momentum,
        record_every=max(1, FLAGS.steps // 25),
    )
    starts = depthjax.initial_images(jax.random.key(FLAGS.start_seed), targets.shape, config)
    seeds = cli.seeds_from_flags()
    definition = cli.flag_values(
        *("networks", "linear_widths", "relu_widths", "images", "size", "seeds", "start_seed"),
        *("steps", "rate", "momentum", "jacobian_at", "products"),
    )
    with cli.begin_output(definition, images=(names, photographs)) as folder:
        rows: list[Row] = []
        curves: dict[str, dict[str, Curve]] = {}
        for place in cli.with_bar(measured.untrained_layers(models, seeds)):
            piece = folder.piece(
                f"{place.network}_{place.seed}_{place.layer}",
                partial(piece_at, place, names, targets, starts, config),
            )
            rows += piece["rows"]
            if place.affine and place.seed == seeds[0]:
                curves.setdefault(place.network, {})[place.layer] = Curve(**piece["curve"])
        findings = judged.findings(rows)
        figures = draw(rows, curves, seeds[0])
        after = [judged.layer_table(rows), NOTE, judged.matched_table(rows)]
        cli.finish_study(folder, rows, findings, figures, after=after)


def piece_at(
    place: measured.UntrainedLayer,
    names: Sequence[str],
    targets: Images,
    starts: Images,
    config: InversionConfig,
) -> dict[str, Any]:
    """The rows of a layer, and the curve of its descents if it is linear."""
    found, reference = measured.descend_at(
        place, targets, starts, config, FLAGS.jacobian_at, FLAGS.products
    )
    curve = curve_of(found)._asdict() if place.affine else {}
    rows = list(measured.rows_of(place, names, found, reference))
    return {"rows": rows, "curve": {name: np.asarray(v).tolist() for name, v in curve.items()}}


def model_of(name: str, inputs: int) -> Network:
    """A network by its name in --networks, of the widths that the flags ask for."""
    try:
        widths = [*map(float, FLAGS[f"{name}_widths"].value or ())] if name in PERCEPTRONS else []
    except ValueError as error:
        raise ValueError(f"--{name}_widths must be numbers: {error}") from error
    return measured.model_of(name, widths, inputs)


if __name__ == "__main__":
    cli.run(main)
