r"""Claims C4, C5, C7 and C8: how wide a multilayer perceptron must be to tell its input.

    python experiments/widths.py --flagfile=experiments/flags/widths_quick.flags
    python experiments/widths.py --size=29 --narrow=2000 --wide=3000 --output=runs/widths

C4 is of linear MLPs: where one layer is narrower than the input, m_i stalls at ‖P_N(a − a_0)‖;
where none is, it goes to nothing. C5: layers that are all wide enough still cost more steps the
deeper they are. C8: wider late layers cost fewer. C7 is of a layer of ReLUs, and of the width at
which half of the descents recover.

Fixed before any run: an image is recovered where D = m_i / m_i' ≤ 1, m_i' = σ_r √n. For C7 that is
what Gauss–Newton descents come to; beside it stands the exact criterion for local recovery, that
the Jacobian at the target has rank n, which for random weights is n active units or more. (They
need not agree: the units that are closed at the target bound where a descent ends, too.) Steps of
C5 and C8 are those of gradient descent on ½‖r‖² at the rate 1/σ₁² of each network. The paper's
recipe is the L1 descent of 500 steps and of many more, its rate what it is in the paper. m_i ≤ 0.1
of the paper is for 2523 inputs: at other sizes the same for each input, m_i √(2523/n).

Seen in the runs: through too few ReLUs, descents by Gauss–Newton, Adam and the paper's recipe alike
stop before they match the embedding; m_g stands beside D in the table.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from tqdm import tqdm

import depthjax
from depthjax import cli, figures, images, results, tables, widths
from depthjax.config import InversionConfig
from depthjax.errors import one_of
from depthjax.metrics import REFERENCE_STD
from depthjax.report import write_report
from depthjax.statistics import Finding, bootstrap, bootstrap_ratio

FLAGS = flags.FLAGS
cli.define_script_flags()
CLAIMS = ("C4", "C5", "C7", "C8")
flags.DEFINE_list("claims", list(CLAIMS), "which of them")
flags.DEFINE_list("photographs", ["astronaut", "chelsea", "coffee"], "paths, folders or names")
flags.DEFINE_integer("size", 10, "height and width of the images in pixels", lower_bound=4)
flags.DEFINE_integer("narrow", 240, "width of layers narrower than the input", lower_bound=1)
flags.DEFINE_integer("wide", 360, "width of layers wider than the input", lower_bound=1)
flags.DEFINE_integer("depth", 4, "layers of the linear MLPs", lower_bound=2)
flags.DEFINE_integer("weight_seeds", 3, "networks of each kind, seeds from 0", lower_bound=1)
flags.DEFINE_integer("start_seed", 1, "seed of the starts, shared by all networks")
flags.DEFINE_integer("descent_steps", 20_000, "C4: of the paper's descent", lower_bound=1)
flags.DEFINE_integer("cg_steps", 20_000, "C4: of conjugate gradients", lower_bound=1)
flags.DEFINE_list("paper_steps", ["500", "10000"], "C5: numbers of steps of the paper's descent")
flags.DEFINE_integer("most_steps", 10**9, "C5, C8: steps that count as never", lower_bound=1)
flags.DEFINE_integer("relu_size", None, "C7: height and width of its images (default: --size)")
flags.DEFINE_list("relu_widths", None, "C7: widths over inputs (default: 1.4, 1.5, …, 2.6)")
flags.DEFINE_integer("relu_steps", 20, "C7: of Gauss–Newton", lower_bound=1)
flags.DEFINE_integer("relu_iterations", 100, "C7: of conjugate gradients in each", lower_bound=1)
flags.DEFINE_string("output", "runs/widths", "folder for the numbers and the figures")
flags.DEFINE_boolean("overwrite", False, "replace the results that are already there")

PAPER, CG, CURVATURE = "paper's descent", "conjugate gradients", "rate 1/σ₁²"
PAPER_INPUTS = 2523
Row = dict[str, Any]


class Inputs(NamedTuple):
    """Photographs and where descents to them start, `[B, H, W, 3]`."""

    names: tuple[str, ...]
    targets: jax.Array
    starts: jax.Array

    @property
    def count(self) -> int:
        """n, the numbers of one image."""
        return self.targets[0].size

    @property
    def errors(self) -> np.ndarray:
        """`a_0 − a`, `[B, n]`, float64."""
        return widths.flattened(self.starts) - widths.flattened(self.targets)

    @property
    def reference_distance(self) -> float:
        """m_i', of noise of standard deviation σ_r."""
        return REFERENCE_STD * self.count**0.5


class Linear(NamedTuple):
    """So many layers of a linear MLP: as one map, and what it sees."""

    weights: Any
    seen: widths.Modes


def main() -> None:
    """Flags -> networks of every seed -> rows -> findings -> files."""
    output = results.checked_folder(FLAGS.output, overwrite=FLAGS.overwrite)
    for claim in FLAGS.claims:
        one_of("claim", claim, CLAIMS)
    inputs, relu_inputs = inputs_of(FLAGS.size), inputs_of(FLAGS.relu_size or FLAGS.size)
    check_widths(inputs.count)
    relu_widths()
    paper_steps()
    parts = {
        "C4": partial(stalled, inputs),
        "C5": partial(slowed, inputs),
        "C8": partial(widened, inputs),
        "C7": partial(gated, relu_inputs),
    }
    judged = {
        "C4": partial(judge_c4, inputs.count),
        "C5": judge_c5,
        "C7": partial(judge_c7, relu_inputs.count),
        "C8": judge_c8,
    }
    names = (
        *("claims", "photographs", "size", "narrow", "wide", "depth", "weight_seeds", "start_seed"),
        *("descent_steps", "cg_steps", "paper_steps", "most_steps", "relu_size", "relu_widths"),
        *("relu_steps", "relu_iterations"),
    )
    config = {name: FLAGS[name].value for name in names}
    rows: list[Row] = []
    for seed in tqdm(range(FLAGS.weight_seeds), unit="seed", disable=None):
        for claim, part in parts.items():
            rows += part(seed) if claim in FLAGS.claims else ()
        findings = [one for x in CLAIMS if x in FLAGS.claims for one in judged[x](rows)]
        # What is there is kept if a later seed is cut off; `n` says how many there were.
        results.write_results(output, config, rows, findings)
        draw(output, rows, findings, relu_inputs.count)
    print(tables.finding_table(findings))
    print()
    print(condition_table(rows))
    print(f"Numbers, findings and figures: {output}")
    print(f"All of it on one page: {write_report(output)}")


def inputs_of(size: int) -> Inputs:
    """The photographs at a size, with the paper's starts."""
    names, targets = images.load_images(images.find_images(FLAGS.photographs), size)
    starts = depthjax.initial_images(
        jax.random.key(FLAGS.start_seed), targets.shape, InversionConfig.paper("mlp")
    )
    return Inputs(tuple(names), jnp.asarray(targets), starts)


def check_widths(count: int) -> None:
    """Narrow is narrower than the input, wide is not."""
    if not FLAGS.narrow < count <= FLAGS.wide:
        raise ValueError(
            f"images of {FLAGS.size}×{FLAGS.size} have {count} inputs: --narrow={FLAGS.narrow} must"
            f" be below that, and --wide={FLAGS.wide} at least that"
        )


@lru_cache(maxsize=2)
def affine_maps(layers: tuple[int, ...], seed: int, size: int) -> list[widths.Affine]:
    """An untrained linear MLP up to each of its layers."""
    model = depthjax.build_model("mlp", widths=layers, activation="linear")
    return widths.affine_maps(depthjax.init_variables(model, jax.random.key(seed), size))


@lru_cache(maxsize=8)
def linear(layers: tuple[int, ...], depth: int, seed: int, size: int) -> Linear:
    """The first layers of an untrained linear MLP for images of a size."""
    maps = affine_maps(layers, seed, size)[:depth]
    return Linear(jax.tree.map(np.float32, maps[-1]), widths.modes(maps))


def networks() -> dict[str, tuple[int, ...]]:
    """Those of C4 and C8 by name: the width of every layer."""
    depth, narrow, wide = FLAGS.depth, FLAGS.narrow, FLAGS.wide
    early = depth // 2
    return {
        "narrow": (narrow,) * depth,
        "one narrow layer": (wide, narrow, *(wide,) * (depth - 2)),
        "wide": (wide,) * depth,
        "wider late": (*(wide,) * early, *(2 * wide,) * (depth - early)),
    }


# ------------------------------------------------------------------------------------- measured


def row_of(claim: str, network: str, layers: int, optimizer: str, seed: int) -> Row:
    """What all rows of a descent begin with."""
    return {
        "claim": claim,
        "network": network,
        "layers": layers,
        "optimizer": optimizer,
        "seed": seed,
    }


def rows_from(
    begin: Row, inputs: Inputs, quantity: str, values: Any, steps: int | str = ""
) -> list[Row]:
    """A row for each image."""
    return [
        begin | {"image": name, "steps": steps, "quantity": quantity, "value": float(value)}
        for name, value in zip(inputs.names, values, strict=True)
    ]


def paper_descent(inputs: Inputs, weights: Any, steps: int) -> widths.Path:
    """The paper's recipe for MLPs from the starts, on the network as one map."""
    config = InversionConfig.paper("mlp", steps=steps, record_every=max(1, steps // 400))
    target = widths.affine_layer(weights, inputs.targets)
    found = depthjax.invert(
        widths.affine_layer, weights, target, inputs.starts, config, compare_to=inputs.targets
    ).trajectory
    return widths.Path(found.step, found.embedding_distance, found.input_distance)


def stalled(inputs: Inputs, seed: int) -> Iterator[Row]:
    """C4: the last layer and the first of each network, by both optimisers."""
    for label in ("narrow", "one narrow layer", "wide"):
        for depth in (1, FLAGS.depth):
            if label == "one narrow layer" and depth == 1:
                continue
            network = linear(networks()[label], depth, seed, FLAGS.size)
            paths = {
                PAPER: paper_descent(inputs, network.weights, FLAGS.descent_steps),
                CG: widths.conjugate_gradients(
                    network.seen, inputs.errors, widths.log_steps(FLAGS.cg_steps)
                ),
            }
            floor = widths.null_distance(network.seen, inputs.errors)
            shown = set(widths.log_steps(FLAGS.descent_steps)) | {FLAGS.descent_steps}
            for optimizer, path in paths.items():
                begin = row_of("C4", label, depth, optimizer, seed)
                yield from rows_from(begin, inputs, "floor", floor)
                for step, near, far in zip(*path, strict=True):
                    if optimizer == CG or nearest(int(step), shown, path.step):
                        yield from rows_from(begin, inputs, "m_g", near, int(step))
                        yield from rows_from(begin, inputs, "m_i", far, int(step))
            yield condition_row("C4", label, depth, seed, network)


def nearest(step: int, wanted: set[int], recorded: np.ndarray) -> bool:
    """Whether a record is that nearest to one that is wanted."""
    return any(step == recorded[np.abs(recorded - one).argmin()] for one in wanted)


def slowed(inputs: Inputs, seed: int) -> Iterator[Row]:
    """C5: the wide network, layer by layer."""
    for depth in range(1, FLAGS.depth + 1):
        network = linear(networks()["wide"], depth, seed, FLAGS.size)
        begin = row_of("C5", "wide", depth, CURVATURE, seed)
        yield from rows_from(begin, inputs, "steps to D = 1", steps_of(network, inputs))
        yield condition_row("C5", "wide", depth, seed, network)
        for steps in paper_steps():
            path = paper_descent(inputs, network.weights, steps)
            ratio = path.input_distance[-1] / inputs.reference_distance
            yield from rows_from(begin | {"optimizer": PAPER}, inputs, "D", ratio, steps)


def widened(inputs: Inputs, seed: int) -> Iterator[Row]:
    """C8: the wide network and one whose late layers are twice as wide, at their last layer."""
    for label in ("wide", "wider late"):
        network = linear(networks()[label], FLAGS.depth, seed, FLAGS.size)
        begin = row_of("C8", label, FLAGS.depth, CURVATURE, seed)
        yield from rows_from(begin, inputs, "steps to D = 1", steps_of(network, inputs))
        yield condition_row("C8", label, FLAGS.depth, seed, network)
        steps = paper_steps()[0]
        path = paper_descent(inputs, network.weights, steps)
        ratio = path.input_distance[-1] / inputs.reference_distance
        yield from rows_from(begin | {"optimizer": PAPER}, inputs, "D", ratio, steps)


def steps_of(network: Linear, inputs: Inputs) -> np.ndarray:
    """Steps of gradient descent at the rate 1/σ₁² until D = 1; inf if they are too many."""
    return widths.steps_until(
        network.seen, inputs.errors, inputs.reference_distance, FLAGS.most_steps
    )


def condition_row(claim: str, label: str, depth: int, seed: int, network: Linear) -> Row:
    """κ, which no image changes."""
    begin = row_of(claim, label, depth, "", seed)
    return begin | {"image": "", "steps": "", "quantity": "κ", "value": network.seen.condition}


def relu_widths() -> list[float]:
    """Widths over the number of inputs, rising."""
    if FLAGS.relu_widths is None:
        return [round(1.4 + 0.1 * index, 1) for index in range(13)]
    return rising("relu_widths", least=2)


def paper_steps() -> list[int]:
    """Numbers of steps of the paper's descent, rising."""
    return [*map(int, rising("paper_steps", least=1))]


def rising(name: str, *, least: int) -> list[float]:
    """The numbers of a flag."""
    given = FLAGS[name].value
    try:
        found = [*map(float, given)]
    except ValueError:
        found = []
    if len(found) < least or sorted(set(found)) != found or found[0] <= 0:
        raise ValueError(
            f"--{name}={','.join(given)} must be rising numbers above 0, {least} or more"
        )
    return found


def gated(inputs: Inputs, seed: int) -> Iterator[Row]:
    """C7: one layer of ReLUs; narrower ones are the first units of the widest."""
    counts = [round(ratio * inputs.count) for ratio in relu_widths()]
    model = depthjax.build_model("mlp", widths=(counts[-1], 1), activation="relu")
    size = inputs.targets.shape[1]
    variables = depthjax.init_variables(model, jax.random.key(seed), size)["params"]["fc1"]
    config = InversionConfig(
        steps=FLAGS.relu_steps,
        optimizer="gauss_newton",
        optimizer_options={"iterations": FLAGS.relu_iterations},
        learning_rate=1.0,
        schedule="constant",
        pixels="none",
        record_every=FLAGS.relu_steps,
    )
    for ratio, count in zip(relu_widths(), counts, strict=True):
        weights = widths.first_units(variables, count)
        target = widths.relu_layer(weights, inputs.targets)
        found = depthjax.invert(
            widths.relu_layer, weights, target, inputs.starts, config, compare_to=inputs.targets
        )
        begin = row_of("C7", f"{ratio:g} n", 1, "Gauss–Newton", seed)
        last = found.trajectory
        distance = last.input_distance[-1] / inputs.reference_distance
        relative = last.embedding_distance[-1] / np.linalg.norm(target, axis=1)
        active = np.asarray(target > 0).sum(1)
        yield from rows_from(begin, inputs, "D", distance)
        yield from rows_from(begin, inputs, "m_g / ‖O(a)‖", relative)
        yield from rows_from(begin, inputs, "active units", active)
        yield from rows_from(begin, inputs, "active units / n", active / inputs.count)


# --------------------------------------------------------------------------------------- judged


def table(rows: list[Row], **place: Any) -> np.ndarray:
    """`[seeds, images]` of the rows of one place; empty where there are none."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if all(row[name] == value for name, value in place.items()):
            found.setdefault(row["seed"], []).append(row["value"])
    return np.array(list(found.values()))


def last_step(rows: list[Row], **place: Any) -> int:
    """Of the records of one place."""
    return max(
        row["steps"]
        for row in rows
        if row["quantity"] == "m_i" and all(row[name] == value for name, value in place.items())
    )


def c4_places(rows: list[Row]) -> list[tuple[str, int, str]]:
    """Networks, depths and optimisers, in the order in which they were run."""
    keys = ((row["network"], row["layers"], row["optimizer"]) for row in rows)
    chosen = (key for key, row in zip(keys, rows, strict=True) if row["claim"] == "C4")
    return [key for key in dict.fromkeys(chosen) if key[2]]


def judge_c4(count: int, rows: list[Row]) -> Iterator[Finding]:
    """Where m_i ends, over what no descent can bring back, or in the paper's units."""
    for label, depth, optimizer in c4_places(rows):
        place = {"claim": "C4", "network": label, "layers": depth, "optimizer": optimizer}
        steps = last_step(rows, **place)
        end = table(rows, **place, quantity="m_i", steps=steps)
        where = f"{label}, {layers_of(depth)}, {optimizer} ({steps} steps)"
        if label == "wide":
            scaled = end * (PAPER_INPUTS / count) ** 0.5
            words = "final m_i" + ("" if count == PAPER_INPUTS else " √(2523/n)")
            yield Finding("C4", where, words, "<= 0.1", bootstrap(scaled))
        else:
            ratio = end / table(rows, **place, quantity="floor")
            words = "final m_i / ‖P_N(a − a_0)‖"
            yield Finding("C4", where, words, "within 0.99 1.01", bootstrap(ratio))


def judge_c5(rows: list[Row]) -> Iterator[Finding]:
    """Steps against depth, and what the paper's numbers of steps come to."""
    depths = range(1, FLAGS.depth + 1)
    steps = [table(rows, claim="C5", layers=d, quantity="steps to D = 1") for d in depths]
    where = f"wide, {CURVATURE}"
    words = "slope of log steps to D = 1, per layer"
    yield Finding("C5", where, words, "> 0", bootstrap(slopes(steps)))
    reached = np.isfinite(np.stack(steps)).all(0).astype(float)
    words = f"share that reaches D = 1 at every depth in {FLAGS.most_steps:.0e} steps"
    yield Finding("C5", where, words, ">= 1", bootstrap(reached))
    few, many = paper_steps()[0], paper_steps()[-1]
    found = [table(rows, claim="C5", layers=d, quantity="D", steps=few) for d in depths]
    words = f"slope of log D at {few} steps, per layer"
    yield Finding("C5", f"wide, {PAPER}", words, "> 0", bootstrap(slopes(found)))
    for depth in depths if many > few else ():
        end = table(rows, claim="C5", layers=depth, quantity="D", steps=many)
        where = f"wide, {layers_of(depth)}, {PAPER}"
        yield Finding("C5", where, f"D after {many} steps", "<= 1", bootstrap(end))


def slopes(values: list[np.ndarray]) -> np.ndarray:
    """Of the logarithm on depth, `[seeds, images]`; NaN where a value is not finite."""
    logarithms = np.log(np.stack(values))
    depth = np.arange(len(values)) - (len(values) - 1) / 2
    with np.errstate(invalid="ignore"):
        found = np.tensordot(depth, logarithms, 1) / np.square(depth).sum()
    return np.where(np.isfinite(found), found, np.nan)


def judge_c7(count: int, rows: list[Row]) -> Iterator[Finding]:
    """The width at which half recover, by both criteria."""
    for criterion, needed in needed_widths(rows).items():
        words = f"width / n at which half recover: {criterion}"
        half = bootstrap(needed, lambda cells: float(np.median(cells)))
        where = f"one ReLU layer, {count} inputs"
        yield Finding("C7", where, words, "within 1.8 2.2", half)


def needed_widths(rows: list[Row]) -> dict[str, np.ndarray]:
    """For each criterion the width over n that each run needs, `[seeds, images]`."""
    at = np.array(relu_widths())
    quantities = {"D ≤ 1": "D", "rank n": "active units / n"}
    found = {}
    for criterion, quantity in quantities.items():
        cells = np.stack(
            [table(rows, claim="C7", network=f"{w:g} n", quantity=quantity) for w in at], -1
        )
        # n active units or more: n / active at most 1.
        ratios = cells if quantity == "D" else 1 / cells
        found[criterion] = np.apply_along_axis(partial(widths.width_needed, at), -1, ratios)
    return found


def judge_c8(rows: list[Row]) -> Iterator[Finding]:
    """The network that widens over the one that does not, seed by seed, image by image."""
    for optimizer, quantity in ((CURVATURE, "steps to D = 1"), (PAPER, "D")):
        wider, base = (
            table(rows, claim="C8", network=label, optimizer=optimizer, quantity=quantity)
            for label in ("wider late", "wide")
        )
        after = f" at {paper_steps()[0]} steps" if quantity == "D" else ""
        words = f"{quantity}{after}, wider late / wide"
        yield Finding("C8", optimizer, words, "< 1", bootstrap_ratio(wider, base))


def layers_of(depth: int) -> str:
    """In words."""
    return "1 layer" if depth == 1 else f"{depth} layers"


def condition_table(rows: list[Row]) -> str:
    """κ of every network, over seeds."""
    found: dict[tuple[str, int], dict[int, float]] = {}
    for row in rows:
        if row["quantity"] == "κ":
            found.setdefault((row["network"], row["layers"]), {})[row["seed"]] = row["value"]
    cells = [
        [label, str(depth), tables.spread(np.array(list(values.values())))]
        for (label, depth), values in found.items()
    ]
    return (
        tables.markdown_table(
            ["network", "layers", "κ = σ₁ / σ_r (above 1e7 its order alone)"], cells
        )
        if cells
        else ""
    )


# ---------------------------------------------------------------------------------------- drawn


def draw(output: Path, rows: list[Row], findings: list[Finding], relu_inputs: int) -> None:
    """A figure for each claim."""
    drawn = {"C4": draw_c4, "C5": draw_c5, "C8": draw_c8}
    for claim in FLAGS.claims:
        figure = draw_c7(rows, findings, relu_inputs) if claim == "C7" else drawn[claim](rows)
        figures.save_figure(output / "figures" / f"widths_{claim}", figure)


def draw_c4(rows: list[Row]) -> Any:
    """Distances on the way, at the last layer."""
    descents: dict[str, dict[str, Any]] = {}
    floors = {}
    for label, depth, optimizer in c4_places(rows):
        if depth != FLAGS.depth:
            continue
        place = {"claim": "C4", "network": label, "layers": depth, "optimizer": optimizer}
        steps = sorted({row["steps"] for row in rows if match(row, place, "m_i")})
        near, far = (
            [table(rows, **place, quantity=name, steps=step).ravel() for step in steps]
            for name in ("m_g", "m_i")
        )
        shown = f"{label} ({FLAGS.wide if label == 'wide' else FLAGS.narrow})"
        descents.setdefault(shown, {})[optimizer] = (steps, near, far)
        floors[shown] = table(rows, **place, quantity="floor").ravel()
    runs = next(iter(floors.values())).size
    return figures.stalling(descents, floors, note=f"medians, n = {runs}, {FLAGS.depth} layers")


def match(row: Row, place: Row, quantity: str) -> bool:
    """Whether a row is of a place and a quantity."""
    return row["quantity"] == quantity and all(row[name] == at for name, at in place.items())


def draw_c5(rows: list[Row]) -> Any:
    """Steps against depth."""
    depths = range(1, FLAGS.depth + 1)
    steps = [table(rows, claim="C5", layers=d, quantity="steps to D = 1").ravel() for d in depths]
    return figures.steps_needed(
        [str(depth) for depth in depths],
        steps,
        axis=f"layers, all {FLAGS.wide} wide",
        note=f"gradient descent at the {CURVATURE}",
    )


def draw_c8(rows: list[Row]) -> Any:
    """Steps of the same images through both networks."""
    labels = ("wide", "wider late")
    steps = [table(rows, claim="C8", network=x, quantity="steps to D = 1").ravel() for x in labels]
    names = ["-".join(map(str, networks()[label])) for label in labels]
    return figures.steps_needed(
        names, steps, axis="widths of the layers", note=f"at the {CURVATURE}"
    )


def draw_c7(rows: list[Row], findings: list[Finding], count: int) -> Any:
    """The share of runs that recover against the width."""
    at = np.array(relu_widths())
    needed = needed_widths(rows)
    halves = [finding.interval[:3] for finding in findings if finding.claim == "C7"]
    return figures.recovered_share(
        at,
        {name: [(cells <= width).mean() for width in at] for name, cells in needed.items()},
        dict(zip(needed, halves, strict=True)),
        expected=(1.8, 2.2),
        note=f"one ReLU layer on {count} inputs, n = {next(iter(needed.values())).size}",
    )


if __name__ == "__main__":
    cli.run(main)
