"""C4, C5, C7 and C8: where descents end, how long they take, and the width at which half recover.

An image is recovered where D = m_i / m_i' ≤ 1. m_i ≤ 0.1 of the paper is for 2523 inputs: at other
sizes the same for each input, `m_i √(2523/n)`.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.analysis import linear_mlp
from depthjax.statistics import Finding, bootstrap, bootstrap_ratio, depth_slopes
from depthjax.studies.rows import Row, among, seed_table
from depthjax.studies.widths.measured import CURVATURE, PAPER, width_name
from depthjax.studies.widths.setting import CLAIMS, WIDE, WIDER_LATE, Setting
from depthjax.tables import markdown_table, median_and_range

PAPER_INPUTS = 2523
STEPS = "steps to D = 1"
HALF_RECOVER = (1.8, 2.2)
"""Widths over n between which half recover, if C7 holds."""


def findings(setting: Setting, rows: Sequence[Row], inputs: int, relu_inputs: int) -> list[Finding]:
    """What the rows say of the claims asked for.

    Args:
        setting: what was asked for.
        rows: of one weight seed or more.
        inputs, relu_inputs: n of the linear networks, and of the layers of ReLUs.
    """
    judges = {
        "C4": partial(_stalled, inputs),
        "C5": partial(_slowed, setting),
        "C7": partial(_gated, setting, relu_inputs),
        "C8": partial(_widened, setting),
    }
    return [one for claim in CLAIMS if claim in setting.claims for one in judges[claim](rows)]


def descents_of(rows: Sequence[Row]) -> list[Row]:
    """The places of C4: networks, depths and optimisers, in the order in which they were run."""
    columns = ("claim", "network", "layers", "optimizer")
    keys = [tuple(row[name] for name in columns) for row in among(rows, claim="C4")]
    places = [dict(zip(columns, key, strict=True)) for key in dict.fromkeys(keys)]
    return [place for place in places if place["optimizer"]]


def recorded_steps(rows: Sequence[Row], place: Row) -> list[int]:
    """Of the records of a place, rising."""
    return sorted({row["steps"] for row in among(rows, **place, quantity="m_i")})


def _stalled(count: int, rows: Sequence[Row]) -> Iterator[Finding]:
    """C4: where m_i ends, over what no descent can bring back, or in the paper's units."""
    for place in descents_of(rows):
        steps = recorded_steps(rows, place)[-1]
        end = seed_table(rows, "value", **place, quantity="m_i", steps=steps)
        label = place["network"]
        where = f"{label}, {_layers(place['layers'])}, {place['optimizer']} ({steps} steps)"
        if label == WIDE:
            scaled = end * (PAPER_INPUTS / count) ** 0.5
            words = "final m_i" + ("" if count == PAPER_INPUTS else " √(2523/n)")
            yield Finding("C4", where, words, "<= 0.1", bootstrap(scaled))
        else:
            ratio = end / seed_table(rows, "value", **place, quantity="floor")
            words = "final m_i / ‖P_N(a − a_0)‖"
            yield Finding("C4", where, words, "within 0.99 1.01", bootstrap(ratio))


def _slowed(setting: Setting, rows: Sequence[Row]) -> Iterator[Finding]:
    """C5: steps against depth, and what the paper's numbers of steps come to."""
    steps = steps_by_depth(setting, rows)
    where = f"{WIDE}, {CURVATURE}"
    words = "slope of log steps to D = 1, per layer"
    yield Finding("C5", where, words, "> 0", bootstrap(depth_slopes(np.log(steps))))
    reached = np.isfinite(steps).all(0).astype(float)
    words = f"share that reaches D = 1 at every depth in {setting.most_steps:.0e} steps"
    yield Finding("C5", where, words, ">= 1", bootstrap(reached))
    few, many = setting.paper_steps[0], setting.paper_steps[-1]
    ends = _by_depth(setting, rows, quantity="D", steps=few)
    words = f"slope of log D at {few} steps, per layer"
    yield Finding("C5", f"{WIDE}, {PAPER}", words, "> 0", bootstrap(depth_slopes(np.log(ends))))
    if many > few:
        for depth, end in enumerate(_by_depth(setting, rows, quantity="D", steps=many), 1):
            where = f"{WIDE}, {_layers(depth)}, {PAPER}"
            yield Finding("C5", where, f"D after {many} steps", "<= 1", bootstrap(end))


def steps_by_depth(
    setting: Setting, rows: Sequence[Row]
) -> Float[np.ndarray, "layers seeds images"]:
    """C5: steps to D = 1 through 1, 2, … layers; inf where they are too many."""
    return _by_depth(setting, rows, quantity=STEPS)


def _by_depth(
    setting: Setting, rows: Sequence[Row], **place: Any
) -> Float[np.ndarray, "layers seeds images"]:
    depths = range(1, setting.depth + 1)
    return np.stack([seed_table(rows, "value", claim="C5", layers=d, **place) for d in depths])


def _gated(setting: Setting, count: int, rows: Sequence[Row]) -> Iterator[Finding]:
    """C7: the width at which half recover, by both criteria."""
    least, most = HALF_RECOVER
    for criterion, needed in needed_widths(setting, rows).items():
        words = f"width / n at which half recover: {criterion}"
        half = bootstrap(needed, lambda cells: float(np.median(cells)))
        where = f"one ReLU layer, {count} inputs"
        yield Finding("C7", where, words, f"within {least} {most}", half)


def needed_widths(
    setting: Setting, rows: Sequence[Row]
) -> dict[str, Float[np.ndarray, "seeds images"]]:
    """C7: for each criterion the width over n from which on an image is recovered."""
    at = np.array(setting.relu_widths, np.float64)
    found = {}
    for criterion, quantity in {"D ≤ 1": "D", "rank n": "active units / n"}.items():
        cells = np.stack(
            [
                seed_table(rows, "value", claim="C7", network=width_name(w), quantity=quantity)
                for w in at
            ],
            -1,
        )
        # n active units or more: n / active at most 1.
        ratios = cells if quantity == "D" else 1 / cells
        found[criterion] = np.apply_along_axis(partial(linear_mlp.width_needed, at), -1, ratios)
    return found


def recovered_shares(setting: Setting, needed: Float[np.ndarray, "seeds images"]) -> list[float]:
    """The share of images that are recovered at each of the widths tried."""
    return [float((needed <= width).mean()) for width in setting.relu_widths]


def _widened(setting: Setting, rows: Sequence[Row]) -> Iterator[Finding]:
    """C8: the network that widens over the one that does not, seed by seed, image by image."""
    for optimizer, quantity in ((CURVATURE, STEPS), (PAPER, "D")):
        wider, base = (
            seed_table(
                *(rows, "value"), claim="C8", network=label, optimizer=optimizer, quantity=quantity
            )
            for label in (WIDER_LATE, WIDE)
        )
        after = f" at {setting.paper_steps[0]} steps" if quantity == "D" else ""
        words = f"{quantity}{after}, {WIDER_LATE} / {WIDE}"
        yield Finding("C8", optimizer, words, "< 1", bootstrap_ratio(wider, base))


def _layers(depth: int) -> str:
    return "1 layer" if depth == 1 else f"{depth} layers"


def condition_table(rows: Sequence[Row]) -> str:
    """κ of every network, over seeds; nothing where there is none."""
    found: dict[tuple[str, int], dict[int, float]] = {}
    for row in among(rows, quantity="κ"):
        found.setdefault((row["network"], row["layers"]), {})[row["seed"]] = row["value"]
    if not found:
        return ""
    headers = ["network", "layers", "κ = σ₁ / σ_r (above 1e7 its order alone)"]
    cells = [
        [label, str(depth), median_and_range(np.array(list(values.values())))]
        for (label, depth), values in found.items()
    ]
    return markdown_table(headers, cells)
