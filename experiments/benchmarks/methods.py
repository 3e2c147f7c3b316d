"""Part m: methods of the field, by those who know them and by us: steps a second, and how near.

Each method is given the same network, layer, photographs, start and number of steps. Where a method
has settings of its own, they are those of its authors; ours are in `Method.ours`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from depthjax.tables import markdown_table, median_and_range, number

from .inputs import Inputs
from .job import Job
from .quantities import absent, ratios

STEPS = 100
"""After so many ρ is compared: plenoptic's default."""


class Method(NamedTuple):
    """One method in two implementations.

    Fields:
        title: as the table says it.
        ours: settings, as `InversionConfig.from_word` takes them.
        theirs: the contender.
        peer: what the table calls it.
        joined: whether the first layer is asked for, too.
    """

    title: str
    ours: str
    theirs: str
    peer: str
    joined: bool = False


METHODS = (
    Method("a metamer", "converging", "metamer", "plenoptic"),
    Method("of two layers", "converging", "metamer", "plenoptic", joined=True),
    Method(
        "Fourier",
        # 0.036: 0.05 for coefficients 4 · 0.346 times ours, see the preset lucid.
        "converging:parametrisation=fourier:1,decorrelated,sigmoid:learning_rate=0.036"
        ":schedule=constant",
        "fourier",
        "PyTorch",
    ),
)

Race = Callable[[dict[str, tuple[str, Job]], dict[str, tuple[str, ...]]], dict[str, Any]]
Keep = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]


def measure(
    inputs: Inputs,
    layers: tuple[str, ...],
    batches: tuple[int, ...],
    size: int,
    race: Race,
    keep: Keep,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Every method at every layer and batch, a race of two each.

    Args:
        inputs: makes the jobs.
        layers, batches, size: of the images.
        race: takes entries and questions, as `racing.race` does.
        keep, say: as in `parts.Bench`.
    """
    results = []
    for method in METHODS:
        for layer in layers[1:] if method.joined else layers:
            for batch in batches:

                def measured(
                    method: Method = method, layer: str = layer, batch: int = batch
                ) -> dict[str, Any]:
                    say(f"{method.title} at {layer}, batch {batch}: ours, {method.peer}")
                    name = f"{layers[0]}+{layer}" if method.joined else layer
                    job = inputs.job(name, batch, size, preset=method.ours)
                    asked = {"loop": (f"residuals {STEPS}", "reference")}
                    asked[method.theirs] = (f"residuals {STEPS}",)
                    entries = {name: (name, job) for name in asked}
                    place = {"method": method.title, "layer": name, "batch": batch}
                    return race(entries, asked) | place

                results.append(keep(f"method-{method.title}-{layer}-{batch}", measured))
    return results


def table(races: list[dict[str, Any]]) -> str:
    """The races as Markdown, and what they were about."""
    methods = {method.title: method for method in METHODS}
    rows = []
    for race in races:
        method = methods[race["method"]]
        ours, theirs = (race["entries"].get(name, {}) for name in ("loop", method.theirs))
        speed = ratios(race, method.theirs, "loop")
        rho = [
            number(float(np.median(np.divide(entry[question], ours["reference"]))))
            if (question := f"residuals {STEPS}") in entry
            else "–"
            for entry in (ours, theirs)
        ]
        rows.append(
            [
                *(method.title, method.peer, race["layer"], str(race["batch"])),
                median_and_range(1e3 * np.asarray(ours["seconds"])),
                *([median_and_range(speed)] if speed.size else ["–"]),
                *rho,
            ]
        )
    headers = ["method", "by", "layer", "batch", "ms a step", "theirs ÷ ours"]
    headers += [f"ρ after {STEPS} steps", "theirs"]
    missing = "".join(f" {name}: {reason}." for name, reason in absent(races).items())
    note = (
        "The same network, photographs, start and steps. plenoptic: its defaults, the mean squared"
        " error with a penalty of pixels outside of [0, 1], AMSGrad at 0.01, no rate that falls;"
        " ours: the default. Fourier: coefficients of uncorrelated colours behind a sigmoid, as"
        f" lucent writes them, Adam at a constant rate, in both.{missing}"
    )
    return f"{markdown_table(headers, rows)}\n\n{note}"
