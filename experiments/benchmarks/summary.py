"""The measurements as Markdown: a paragraph on the machine, and a table for each part."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from depthjax.folders.environment import command_line
from depthjax.tables import markdown_table, median_and_range, number

from . import convolutions, methods
from .contenders import COMPARED, CONTENDERS, PAIRS_A_STEP, PEERS, SPECTRA, SPECTRAL_PEERS
from .disturbance import MOST
from .quantities import (
    SPECTRUM,
    absent,
    best_ratio,
    disturbed,
    eigenvalue_errors,
    flops_per_second,
    images_per_second,
    ratios,
    seconds_until,
)

LEVELS = (1.0, 0.1)
"""The ρ that part d waits for."""
_OURS = "loop"


def summarise(results: dict[str, Any]) -> str:
    """Everything that was measured, as Markdown without headings.

    Args:
        results: the contents of `benchmark.json`.
    """
    parts = set(results["settings"]["parts"])
    races = results.get("races", [])
    blocks = []
    if races and parts & {"a", "e"}:
        blocks.append(_against_bare(races))
    if races and "b" in parts:
        blocks.append(_against_peers(races))
    if "curves" in results:
        blocks.append(_costs(results["curves"]))
    if "presets" in results:
        blocks.append(_presets(results["presets"], results["settings"]))
    if races and "g" in parts:
        blocks.append(_memory(races))
    if "startup" in results:
        blocks.append(_startup(results["startup"]))
    if "feeding" in results:
        blocks.append(_feeding(results["feeding"]))
    if "spectra" in results:
        blocks.append(_spectra(results["spectra"]))
    if "methods" in results:
        blocks.append(methods.table(results["methods"]))
    if "convolutions" in results:
        blocks.append(convolutions.table(results["convolutions"]))
    return "\n\n".join([*blocks, machine(results)])


_KEPT = {
    **{"c": "curves", "d": "presets", "f": "startup", "h": "feeding", "j": "spectra"},
    **{"k": "imported", "m": "methods", "n": "convolutions"},
}
"""Where the measurements of a part are, if not among the races."""

BLOCKS = {
    "races": "benchmark",
    "curves": "curves",
    "startup": "startup",
    "feeding": "feeding",
    "spectra": "spectra",
}
"""Parts of the measurements, and the blocks of a document that show them."""


def blocks_of(results: dict[str, Any]) -> dict[str, str]:
    """What each block of a document shows of these measurements; see `summarise`."""
    settings = results["settings"]

    def alone(part: str) -> dict[str, Any]:
        own = [letter for letter in settings["parts"] if _KEPT.get(letter, "races") == part]
        others = {"machine": results["machine"], "settings": settings | {"parts": own}}
        return {part: results[part], **others}

    return {block: summarise(alone(part)) for part, block in BLOCKS.items() if results.get(part)}


def presets_together(benchmarks: Sequence[dict[str, Any]]) -> str:
    """Part d of several benchmarks: a table for each network and size, and every command."""
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for results in benchmarks:
        alike.setdefault(_descended(results["settings"]), []).append(results)
    blocks = []
    for same in alike.values():
        descents = [descent for results in same for descent in results["presets"]]
        order = list(dict.fromkeys(descent["preset"] for descent in descents))
        descents.sort(key=lambda descent: order.index(descent["preset"]))
        table = _presets(descents, same[0]["settings"])
        blocks.append("\n\n".join([table, *map(machine, same)]))
    return "\n\n".join(blocks)


def _against_bare(races: list[dict[str, Any]]) -> str:
    headers = ["layer", "batch", "ms a step", "÷ bare gradient", "GFLOP/s", "of the peak"]
    rows = []
    # A product is slower where something else ran, so the fastest is the peak.
    peak = max((race["peak_flops"] for race in races if race.get("peak_flops")), default=None)
    for race in races:
        speed = flops_per_second(race, _OURS)
        share = f"{np.median(speed) / peak:.0%}" if speed.size and peak else "–"
        rows.append(
            [
                race["layer"],
                str(race["batch"]),
                median_and_range(1e3 * np.asarray(race["entries"][_OURS]["seconds"])),
                median_and_range(ratios(race, _OURS, "bare")),
                median_and_range(speed / 1e9),
                share,
            ]
        )
    note = (
        "A step with blur, best iterates and records, over loss and gradient alone. Operations are"
        " those of the plain network's gradient, however they are computed"
    )
    if peak:
        source = next(race["peak_source"] for race in races if race.get("peak_flops"))
        note += f"; the peak is {number(peak / 1e9)} GFLOP/s ({source})"
    elif any("peak_flops" in race for race in races):
        note += "; the peak of this device is unknown to us"
    return f"{markdown_table(headers, rows)}\n\n{note}."


def _against_peers(races: list[dict[str, Any]]) -> str:
    missing = absent(races)
    peers = [name for name in PEERS if name not in missing]
    headers = ["layer", "batch", "images · steps/s"]
    headers += [f"over {CONTENDERS[name].title}" for name in peers]
    rows = []
    for race in races:
        faster = [_times(ratios(race, name, _OURS)) for name in peers]
        own = median_and_range(images_per_second(race, _OURS))
        rows.append([race["layer"], str(race["batch"]), own, *faster])
    note = (
        "Images · steps a second of depthjax over those of each peer, same network, weights, images"
        " and start. The author's loop is the paper's code in PyTorch."
    )
    if missing:
        why = (f"{CONTENDERS[name].title} ({reason})" for name, reason in missing.items())
        note += f" Absent: {'; '.join(why)}."
    return f"{markdown_table(headers, rows)}\n\n{note}"


def _times(values: np.ndarray) -> str:
    if not values.size:
        return "–"
    return f"{np.median(values):.2f}× ({values.min():.2f}–{values.max():.2f})"


def _costs(curves: dict[str, list[dict[str, Any]]]) -> str:
    headers = ["against", "value", "ms a step", "ms an image and step"]
    rows = []
    for name, points in curves.items():
        for index, point in enumerate(points):
            milliseconds = 1e3 * np.asarray(point["seconds"])
            count = point["batch"] * point.get("restarts", 1)
            label = "" if index else name
            rows.append(
                [
                    label,
                    str(point[name]),
                    median_and_range(milliseconds),
                    median_and_range(milliseconds / count),
                ]
            )
    point = curves["batch"][0]
    note = f"One image and start at {point['layer']} and {point['size']}×{point['size']} otherwise."
    return f"{markdown_table(headers, rows)}\n\n{note}"


def _descended(settings: dict[str, Any]) -> tuple[str, str, int]:
    """The network of part d, its weights and the size of images."""
    return settings["model"], settings.get("weights", "untrained"), settings["preset_size"]


def _presets(descents: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    headers = ["preset", "layer", *(f"s to ρ ≤ {level:g}" for level in LEVELS), "best ρ", "steps"]
    headers += ["ms a step"]
    rows = []
    for descent in descents:
        reached = [seconds_until(descent, level) for level in LEVELS]
        rows.append(
            [
                descent["preset"],
                descent["layer"],
                *("never" if seconds is None else number(seconds) for seconds in reached),
                median_and_range(best_ratio(descent)),
                str(descent["steps"]),
                number(1e3 * descent["seconds"] / descent["steps"]),
            ]
        )
    model, weights, size = _descended(settings)
    note = (
        f"Until all of {settings['preset_images']} photographs at {size}×{size} are there; {model},"
        f" weights: {weights}. Compilation is not counted, preparing the weights is."
    )
    return f"{markdown_table(headers, rows)}\n\n{note}"


def _memory(races: list[dict[str, Any]]) -> str:
    missing = absent(races)
    present = [
        name
        for name in CONTENDERS
        if name not in missing and any(name in race["entries"] for race in races)
    ]
    rows = [
        [
            race["layer"],
            str(race["batch"]),
            *(_gigabytes(race["entries"].get(name, {}).get("memory")) for name in present),
        ]
        for race in races
    ]
    headers = ["layer", "batch", *(CONTENDERS[name].title for name in present)]
    note = "Peak memory in GB: of the device, or where it has none of its own, of the process."
    return f"{markdown_table(headers, rows)}\n\n{note}"


def _gigabytes(memory: int | None) -> str:
    return "–" if memory is None else f"{memory / 1e9:.2f}"


def _startup(startup: dict[str, Any]) -> str:
    imports = {name: np.asarray(seconds) for name, seconds in startup["imports"].items()}
    ours, theirs = imports.values()
    cold, warm = (startup["first_step"][kind] for kind in ("cold", "warm"))
    rows = [[f"`{name}`", median_and_range(seconds)] for name, seconds in imports.items()]
    rows += [["… their ratio", median_and_range(ours / theirs)]]
    for kind, seconds in (("no", cold), ("a warm", warm)):
        total = seconds["start_seconds"] + seconds["first_step_seconds"]
        rows += [
            [f"process to first step, {kind} compilation cache", number(total)],
            [f"… of it in the first call, {kind} cache", number(seconds["first_step_seconds"])],
            [f"… of it compiling, {kind} cache", number(seconds["compile_seconds"])],
        ]
    share = warm["compile_seconds"] / max(cold["compile_seconds"], 1e-9)
    rows += [["compiling with a warm cache over without", number(share)]]
    note = f"First steps at {startup['layer']}."
    return f"{markdown_table(['start', 'seconds'], rows)}\n\n{note}"


def _feeding(race: dict[str, Any]) -> str:
    speed = {name: images_per_second(race, name) for name in ("pipeline", "training")}
    rows = [[name, median_and_range(values)] for name, values in speed.items()]
    rows.append(["… their ratio", median_and_range(ratios(race, "training", "pipeline"))])
    note = (
        f"Crops of the embedded photographs, {race['size']}×{race['size']}, {race['batch']} a"
        " batch, augmented; training steps of a ResNet-18 of width 16."
    )
    return f"{markdown_table(['input', 'images/s'], rows)}\n\n{note}"


def _spectra(races: list[dict[str, Any]]) -> str:
    headers = ["layer", "image", "eigenvalues", "error", "plenoptic's", "÷ ours"]
    headers += ["ms a pair", "plenoptic's", "÷ ours"]
    rows = []
    for race in races:
        for name, k in COMPARED.items():
            ours, theirs = (eigenvalue_errors(race, who, k) for who in (SPECTRUM, name))
            entry = race["entries"].get(name, {})
            rows.append(
                [
                    race["layer"],
                    f"{race['size']}²",
                    f"{k}, by {SPECTRA[name].title.partition(', ')[2]}",
                    median_and_range(ours),
                    median_and_range(theirs),
                    f"{number(np.median(theirs) / np.median(ours))}×" if theirs.size else "–",
                    median_and_range(_milliseconds_a_pair(race["entries"][SPECTRUM])),
                    median_and_range(_milliseconds_a_pair(entry)),
                    _times(ratios(race, name, SPECTRUM)),
                ]
            )
    first = races[0]
    starts = max(len(eigenvalue_errors(race, SPECTRUM, 1)) for race in races)
    note = (
        "The largest eigenvalues of JᵀJ of the same network at the same photograph in float32:"
        f" largest relative error after {first['pairs']} pairs of J v and Jᵀ u (medians of"
        f" {starts} starts; the truth is converged, in float64), and what a pair costs."
    )
    if missing := absent(races):
        why = (f"{SPECTRA[name].title} ({reason})" for name, reason in missing.items())
        note += f" Absent: {'; '.join(why)}."
    return f"{markdown_table(headers, rows)}\n\n{note}"


def _milliseconds_a_pair(entry: dict[str, Any]) -> np.ndarray:
    return 1e3 * np.asarray(entry.get("seconds", [])) / PAIRS_A_STEP


def machine(results: dict[str, Any]) -> str:
    """One paragraph: what was run, where, and how often."""
    environment, settings = results["machine"], results["settings"]
    versions = {name: environment["versions"][name] for name in ("jax", "flax")} | peers(results)
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    what = settings["model"]
    if {"races", "curves", "feeding", "imported"} & set(results):
        what += f", {settings['size']}×{settings['size']}"
    if {"races", "curves", "feeding", "imported", "spectra"} & set(results):
        what += (
            f"; medians (smallest–largest) of {settings['rounds']} rounds in which the contenders"
            " take turns"
        )
    text = (
        f"{what}.\n"
        f"Made by `{command(environment['command'])}` on a {environment['device']}"
        f" ({environment['processor']}, {environment['cores']} cores,"
        f" {environment['memory_gb']:.0f} GB, huge pages {environment['huge_pages']}; {listed};"
        f" revision {environment['git_revision']})."
    )
    if missing := [p for p in settings["parts"] if _KEPT.get(p, "races") not in results]:
        text += f" It was cut off before part{'s' * (len(missing) > 1)} {', '.join(missing)}."
    if environment["load"] > 0.5:
        text += f" Something else ran too: the load was {number(environment['load'])} before."
    raced = ("races", "spectra", "methods", "convolutions")
    races = [race for name in raced for race in results.get(name, [])]
    count, turns, largest = disturbed(races, MOST)
    if turns:
        text += (
            f" In {count} of {turns} turns other processes took more than {MOST:.0%} of the"
            f" processors, at most {largest:.0%}."
        )
    return text


def command(arguments: Sequence[str]) -> str:
    """The command line without what is true of one machine only."""
    return command_line(arguments, without=("peers_python", "output"))


def peers(results: dict[str, Any]) -> dict[str, str]:
    """The versions that the peers ran with."""
    versions: dict[str, str] = {}
    for race in [*results.get("races", []), *results.get("spectra", [])]:
        for name in PEERS + SPECTRAL_PEERS:
            versions |= race["entries"].get(name, {}).get("about", {}).get("versions", {})
    return versions


def headline(results: dict[str, Any]) -> list[str]:
    """A line for each target that the measurements speak of: the worst of each."""
    lines = []
    races = results.get("races", [])
    bare = [(np.median(r), race) for race in races if (r := ratios(race, _OURS, "bare")).size]
    if bare:
        worst, race = max(bare, key=lambda pair: pair[0])
        lines.append(
            f"a step takes at most {worst:.2f}× the bare gradient ({race['layer']}, batch"
            f" {race['batch']}; aim 1.05)"
        )
    for name, aim in (("author", 1.8), ("tuned", 1.0)):
        faster = [(np.median(r), race) for race in races if (r := ratios(race, name, _OURS)).size]
        if faster:
            least, race = min(faster, key=lambda pair: pair[0])
            lines.append(
                f"at least {least:.2f}× {CONTENDERS[name].title} ({race['layer']}, batch"
                f" {race['batch']}; aim {aim})"
            )
    lines += _spectral_headline(results.get("spectra", []))
    if "startup" in results:
        ours, theirs = map(statistics.median, results["startup"]["imports"].values())
        lines.append(f"importing takes {ours / theirs:.2f}× jax, flax and optax (aim 1.5)")
    return lines


def _spectral_headline(races: list[dict[str, Any]]) -> list[str]:
    errors, seconds = [], []
    for race in races:
        for name, k in COMPARED.items():
            where = f"{k} at {race['layer']}, {race['size']}²"
            ours, theirs = (eigenvalue_errors(race, who, k) for who in (SPECTRUM, name))
            if theirs.size:
                errors.append((np.median(theirs) / np.median(ours), where))
            if (times := ratios(race, name, SPECTRUM)).size:
                seconds.append((np.median(times), where))
    if not errors or not seconds:
        return []
    (exact, at), (fast, there) = min(errors), min(seconds)
    return [
        f"eigenvalues at least {number(exact)}× as exact as plenoptic's at equal products ({at};"
        " aim 5)",
        f"a product at least {fast:.2f}× as fast as plenoptic's ({there}; aim 2)",
    ]
