"""Numbers that follow from what was measured: ratios, rates, errors, times to a level."""

from collections.abc import Sequence
from typing import Any

import numpy as np

SPECTRUM = "spectrum"
"""The contender of part j that is ours."""


def ratios(race: dict[str, Any], name: str, over: str) -> np.ndarray:
    """Seconds of `name` over those of `over`, round by round; empty if either is absent."""
    pairs = [race["entries"].get(entry, {}).get("seconds", []) for entry in (name, over)]
    return np.divide(*map(np.asarray, pairs)) if all(pairs) else np.empty(0)


def ratios_said(race: dict[str, Any]) -> str:
    """The median ratio of everybody's seconds to ours, in one line."""
    said = []
    for name in race["entries"]:
        of_turns = ratios(race, name, "loop")
        if name != "loop":
            said.append(f"{name} {np.median(of_turns):.2f}" if of_turns.size else f"{name} absent")
    return f"seconds over ours: {', '.join(said) or 'nobody else took part'}"


def disturbed(races: Sequence[dict[str, Any]], most: float) -> tuple[int, int, float]:
    """How many turns others disturbed by more than `most`, of how many, and the largest share."""
    shares = [
        share
        for race in races
        for entry in race["entries"].values()
        for share in entry.get("others", [])
        if share is not None
    ]
    return sum(share > most for share in shares), len(shares), max(shares, default=0.0)


def images_per_second(race: dict[str, Any], name: str) -> np.ndarray:
    """Images · steps a second in every round; empty if it is absent."""
    seconds = race["entries"].get(name, {}).get("seconds", [])
    return race["batch"] / np.asarray(seconds) if seconds else np.empty(0)


def flops_per_second(race: dict[str, Any], name: str) -> np.ndarray:
    """Operations a second of the plain network's gradient; empty if they were not counted."""
    seconds = race["entries"].get(name, {}).get("seconds", [])
    flops = race["entries"].get("bare", {}).get("flops")
    return flops / np.asarray(seconds) if seconds and flops else np.empty(0)


def seconds_until(descent: dict[str, Any], level: float) -> float | None:
    """Seconds to the first record with every photograph at ρ ≤ `level`; None if there is none."""
    for step, row in zip(descent["step"], descent["ratio"], strict=True):
        if all(value is not None and value <= level for value in row):
            return step * descent["seconds"] / descent["steps"]
    return None


def best_ratio(descent: dict[str, Any]) -> np.ndarray:
    """The smallest ρ of each photograph; NaN if it never had one."""
    records = np.array(descent["ratio"], float)  # None becomes NaN
    return np.where(np.isnan(records).all(0), np.nan, np.fmin.reduce(records))


def eigenvalue_errors(race: dict[str, Any], name: str, k: int) -> np.ndarray:
    """Largest relative error of the k largest eigenvalues of JᵀJ, for each start.

    Empty if the contender is absent or was not asked.
    """
    ours = race["entries"][SPECTRUM]
    ((_, truth),) = ((q, answer) for q, answer in ours.items() if q.startswith("truth "))
    answers = [
        answer
        for question, answer in race["entries"].get(name, {}).items()
        if question.startswith(f"top {k} ")
    ]
    exact = np.asarray(truth)[:k]
    return np.array([np.abs(np.asarray(values) / exact - 1).max() for values in answers])


def absent(races: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The contenders that ran in no race, and why."""
    reasons: dict[str, str] = {}
    for race in races:
        for name, entry in race["entries"].items():
            if "absent" in entry:
                reasons.setdefault(name, entry["absent"])
    return {
        name: reason
        for name, reason in reasons.items()
        if all("absent" in race["entries"].get(name, {"absent": ""}) for race in races)
    }
