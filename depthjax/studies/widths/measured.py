"""Descents through perceptrons of many widths and depths: one row per number and image."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from depthjax.analysis import linear_mlp
from depthjax.analysis.unit_layers import first_units, unit_layers
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import invert
from depthjax.models import build_model, init_variables
from depthjax.models.embeddings import embed
from depthjax.studies.rows import Row
from depthjax.studies.widths.setting import (
    FIRST_WIDTH,
    NARROW,
    ONE_NARROW,
    SECOND_WIDTHS,
    SMOOTH_UNITS,
    SMOOTH_WIDTHS,
    WIDE,
    WIDER_LATE,
    Inputs,
    LinearNetwork,
    WidthSettings,
)

PAPER, CG, CURVATURE = "paper's descent", "conjugate gradients", "rate 1/σ₁²"
"""The optimisers of linear networks."""

MISSED = "m_g / ‖O(a)‖"
"""What a descent leaves of an embedding."""


def parts_of(
    setting: WidthSettings, inputs: Inputs, relu_inputs: Inputs, seed: int
) -> dict[str, Callable[[], Iterator[Row]]]:
    """What computes the rows of each claim that is asked for, of one weight seed.

    Args:
        setting: of the study.
        inputs: images for the linear networks.
        relu_inputs: images for the layers with an activation.
        seed: of the weights of all networks.
    """
    parts = {
        "C4": (null_space_rows, inputs),
        "C5": (depth_rows, inputs),
        "C8": (late_width_rows, inputs),
        "C7": (relu_rows, relu_inputs),
        "C19": (second_relu_rows, relu_inputs),
        "C20": (smooth_rows, relu_inputs),
    }
    return {
        claim: partial(part, setting, images, seed)
        for claim, (part, images) in parts.items()
        if claim in setting.claims
    }


def null_space_rows(setting: WidthSettings, inputs: Inputs, seed: int) -> Iterator[Row]:
    """C4, what the null space leaves: first and last layer of each network, by both optimisers."""
    for label in (NARROW, ONE_NARROW, WIDE):
        for depth in (1, setting.depth):
            if label == ONE_NARROW and depth == 1:
                continue
            network = setting.linear(label, depth, seed)
            paths = {
                PAPER: _paper_descent(inputs, network.weights, setting.descent_steps),
                CG: linear_mlp.conjugate_gradients(
                    network.directions, inputs.errors, linear_mlp.log_steps(setting.cg_steps)
                ),
            }
            floor = linear_mlp.null_distance(network.directions, inputs.errors)
            shown = {*linear_mlp.log_steps(setting.descent_steps), setting.descent_steps}
            for optimizer, path in paths.items():
                begin = _begin("C4", label, depth, optimizer, seed)
                yield from _rows(begin, inputs, "floor", floor)
                kept = path.step if optimizer == CG else _nearest(shown, path.step)
                for step, near, far in zip(*path, strict=True):
                    if step in kept:
                        yield from _rows(begin, inputs, "m_g", near, int(step))
                        yield from _rows(begin, inputs, "m_i", far, int(step))
            yield _condition_row("C4", label, depth, seed, network)


def depth_rows(setting: WidthSettings, inputs: Inputs, seed: int) -> Iterator[Row]:
    """C5, the number of steps against depth: each layer of the wide network."""
    for depth in range(1, setting.depth + 1):
        yield from _pace("C5", WIDE, depth, setting, inputs, seed, setting.paper_steps)


def late_width_rows(setting: WidthSettings, inputs: Inputs, seed: int) -> Iterator[Row]:
    """C8, wider late layers: the last layer of the wide network, and of one widened halfway."""
    for label in (WIDE, WIDER_LATE):
        few = setting.paper_steps[:1]
        yield from _pace("C8", label, setting.depth, setting, inputs, seed, few)


def _pace(
    claim: str,
    label: str,
    depth: int,
    setting: WidthSettings,
    inputs: Inputs,
    seed: int,
    paper_steps: Sequence[int],
) -> Iterator[Row]:
    """Rows with the steps until D = 1 at the rate 1/σ₁², κ, and D of the paper's descent.

    The number of steps is infinite if it is above `setting.most_steps`.
    """
    network = setting.linear(label, depth, seed)
    begin = _begin(claim, label, depth, CURVATURE, seed)
    needed = linear_mlp.steps_until(
        network.directions, inputs.errors, inputs.reference_distance, setting.most_steps
    )
    yield from _rows(begin, inputs, "steps to D = 1", needed)
    yield _condition_row(claim, label, depth, seed, network)
    for steps in paper_steps:
        path = _paper_descent(inputs, network.weights, steps)
        ratio = path.input_distance[-1] / inputs.reference_distance
        yield from _rows(begin | {"optimizer": PAPER}, inputs, "D", ratio, steps)


def relu_rows(setting: WidthSettings, inputs: Inputs, seed: int) -> Iterator[Row]:
    """C7, one layer of ReLUs of each width; a narrow one is the first units of the widest."""
    yield from _unit_rows("C7", "relu", (), setting.relu_widths, setting, inputs, seed)


def second_relu_rows(setting: WidthSettings, inputs: Inputs, seed: int) -> Iterator[Row]:
    """C19, a second layer of ReLUs of each width behind a first that is wide enough."""
    yield from _unit_rows("C19", "relu", (FIRST_WIDTH,), SECOND_WIDTHS, setting, inputs, seed)


def smooth_rows(setting: WidthSettings, inputs: Inputs, seed: int) -> Iterator[Row]:
    """C20, one layer of tanh, or of sigmoid units, of each width."""
    for activation in SMOOTH_UNITS:
        yield from _unit_rows("C20", activation, (), SMOOTH_WIDTHS, setting, inputs, seed)


def _unit_rows(
    claim: str,
    activation: str,
    before: Sequence[float],
    widths: Sequence[float],
    setting: WidthSettings,
    inputs: Inputs,
    seed: int,
) -> Iterator[Row]:
    """Where Gauss–Newton ends, for each width of the last layer.

    Args:
        claim: that the rows are about.
        activation: of all units.
        before: widths of the layers before the last, over inputs.
        widths: of the last, over inputs, rising.
        setting, inputs, seed: as in `parts_of`.
    """
    counts = [round(ratio * inputs.count) for ratio in (*before, *widths)]
    fixed, tried = counts[: len(before)], counts[len(before) :]
    model = build_model("mlp", widths=(*fixed, tried[-1], 1), activation=activation)
    size = inputs.targets.shape[1]
    variables = init_variables(model, jax.random.key(seed), size)["params"]
    layers = [variables[f"fc{number}"] for number in range(1, len(fixed) + 2)]
    config = InversionConfig(
        steps=setting.relu_steps,
        optimizer="gauss_newton",
        optimizer_options={"iterations": setting.relu_iterations},
        learning_rate=1.0,
        schedule="constant",
        pixels="none",
        record_every=setting.relu_steps,
    )
    layer = unit_layers(activation)
    for ratio, count in zip(widths, tried, strict=True):
        weights = first_units(layers, count)
        target = embed(layer, weights, inputs.targets)
        starts = inputs.several_starts(setting.relu_starts)
        found = invert(layer, weights, target, starts, config, compare_to=inputs.targets).trajectory
        distances = found.embedding_distance[-1]  # [restarts, B]
        nearest = distances.argmin(0)[None]
        far, near = (
            np.take_along_axis(each, nearest, 0)[0]
            for each in (found.input_distance[-1], distances)
        )
        name = width_name(ratio, activation)
        begin = _begin(claim, name, len(layers), "Gauss–Newton", seed)
        yield from _rows(begin, inputs, "D", far / inputs.reference_distance)
        yield from _rows(begin, inputs, MISSED, near / np.linalg.norm(target, axis=1))
        if activation == "relu":
            active = np.asarray(target > 0).sum(1)
            yield from _rows(begin, inputs, "active units", active)
            yield from _rows(begin, inputs, "active units / n", active / inputs.count)


def width_name(ratio: float, activation: str = "relu") -> str:
    """The name of a layer of units, such as `1.5 n` of ReLUs or `tanh, 1.5 n`."""
    return f"{ratio:g} n" if activation == "relu" else f"{activation}, {ratio:g} n"


def _begin(claim: str, network: str, layers: int, optimizer: str, seed: int) -> Row:
    """The columns that all rows of a descent share."""
    where: Row = {"claim": claim, "network": network, "layers": layers}
    return where | {"optimizer": optimizer, "seed": seed}


def _rows(
    begin: Row, inputs: Inputs, quantity: str, values: Any, steps: int | str = ""
) -> list[Row]:
    """A row for each image."""
    return [
        begin | {"image": name, "steps": steps, "quantity": quantity, "value": float(value)}
        for name, value in zip(inputs.names, values, strict=True)
    ]


def _condition_row(claim: str, label: str, depth: int, seed: int, network: LinearNetwork) -> Row:
    """The row with κ, which is the same for all images."""
    begin = _begin(claim, label, depth, "", seed)
    kappa = network.directions.condition_number
    return begin | {"image": "", "steps": "", "quantity": "κ", "value": kappa}


def _paper_descent(inputs: Inputs, weights: Any, steps: int) -> linear_mlp.DescentPath:
    """The distances on the way of the paper's recipe for MLPs, on the network as one map."""
    config = InversionConfig.paper("mlp", steps=steps, record_every=max(1, steps // 400))
    target = embed(linear_mlp.affine_layer, weights, inputs.targets)
    path = invert(
        linear_mlp.affine_layer, weights, target, inputs.starts, config, compare_to=inputs.targets
    ).trajectory
    return linear_mlp.DescentPath(path.step, path.embedding_distance, path.input_distance)


def _nearest(wanted: set[int], recorded: np.ndarray) -> set[int]:
    """For each wanted step, the recorded one that is nearest."""
    return {int(recorded[np.abs(recorded - step).argmin()]) for step in wanted}
