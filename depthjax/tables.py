"""Results as text: aligned tables that are Markdown too, so that a document can quote them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.claims import Judgement
from depthjax.data import Card
from depthjax.labels import describe
from depthjax.metrics import MATCHED_RATIOS
from depthjax.runs import STATUS_NAMES, Run, top_of
from depthjax.statistics import Finding
from depthjax.training_runs import Training
from depthjax.weights import ZooNetwork


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An aligned Markdown table: the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(headers), f"| {' | '.join(rule)} |", *map(line, rows)])


def spread(values: np.ndarray) -> str:
    """The median, with the smallest and largest where there are several: `0.52 (0.31–0.7)`.

    Where some values do not exist, it says how many do: `3.5 [1 of 3]`.
    """
    given = np.asarray(values, float).ravel()
    finite = given[np.isfinite(given)]
    if not finite.size:
        return "–"
    text = number(np.median(finite))
    if finite.size > 1:
        text += f" ({number(finite.min())}–{number(finite.max())})"
    if finite.size < given.size:
        text += f" [{finite.size} of {given.size}]"
    return text


def number(value: float) -> str:
    """Three significant digits at most."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def inversion_table(run: Run) -> str:
    """What a run of `experiments/invert.py` found: a row a layer, medians (range) over images.

    D and ρ are those of the best iterate; `D at ρ = 0.1` is read off the trajectory.
    """
    level = MATCHED_RATIOS.index(0.1)
    headers = ["layer", "D = m_i/m_i'", "ρ = m_g/m_r", "D at ρ = 0.1", "best step", "stopped by"]
    rows = []
    for layer, arrays in run.layers.items():
        statuses = [STATUS_NAMES[status] for status in np.unique(arrays["status"])]
        rows.append(
            [
                layer,
                spread(arrays["input_ratio"]),
                spread(arrays["embedding_ratio"]),
                spread(arrays["matched_input_ratio"][level]),
                number(np.median(arrays["best_step"])),
                ", ".join(statuses),
            ]
        )
    for name, what in _BASELINES.items():
        rows.append([what, spread(run.stack(f"baseline_{name}")[0]), "", "", "", ""])
    return markdown_table(headers, rows)


def training_table(training: Training) -> str:
    """Loss and accuracies of the last weights: a row a split."""
    rows = [
        [split, f"{found['examples']}", *(number(found[k]) for k in ("loss", "top1", "top5"))]
        for split, found in training.results.items()
    ]
    return markdown_table(["split", "examples", "cross-entropy", "top-1", "top-5"], rows)


def finding_table(findings: Sequence[Finding]) -> str:
    """What a run says of the paper's claims: a row a finding.

    The estimate stands before its interval; `n` is the weight seeds × images that it rests on.
    """
    headers = ["claim", "where", "statistic", "estimate [low, high]", "rule", "n", "verdict"]
    rows = []
    for finding in findings:
        estimate, low, high, seeds, images = finding.interval
        interval = "–" if np.isnan(estimate) else number(estimate)
        if not np.isnan(low):
            interval += f" [{number(low)}, {number(high)}]"
        rows.append(
            [
                *(finding.claim, finding.where, finding.statistic, interval, finding.rule),
                *(f"{seeds} × {images}", finding.verdict),
            ]
        )
    return markdown_table(headers, rows)


def judgement_table(judgements: Sequence[Judgement]) -> str:
    """The verdict on each claim and the number that decided it: a row a claim."""
    headers = ["claim", "verdict", "decided by"]
    rows = [
        [judgement.claim.id, judgement.verdict, deciding(judgement.record()["decisive"])]
        for judgement in judgements
    ]
    return markdown_table(headers, rows)


def claims_table(found: Mapping[str, Any]) -> str:
    """The verdicts of a whole reproduction for a document: a row a claim.

    Args:
        found: the contents of its `claims.json`.
    """
    headers = ["claim", "verdict", "our number [95 %]", "n", "detectable", "the paper's", "step"]
    rows = []
    for record in found["claims"]:
        decisive = record["decisive"]
        least = None if decisive is None else decisive["smallest_effect"]
        rows.append(
            [
                f"**{record['claim']}** {record['sentence']}",
                record["verdict"],
                deciding(decisive),
                "–" if decisive is None else f"{decisive['seeds']} × {decisive['images']}",
                "–" if least is None else number(least),
                record["paper"] or "–",
                record.get("step", "–"),
            ]
        )
    return markdown_table(headers, rows)


def steps_table(found: Mapping[str, Any]) -> str:
    """The commands of a whole reproduction, and what became of them.

    Args:
        found: the contents of its `claims.json`.
    """
    rows = [
        [
            record["step"],
            ", ".join(record["claims"]) or "–",
            record["state"],
            "–" if record["seconds"] is None else number(record["seconds"]),
            f"`{record['command']}`",
        ]
        for record in found["steps"]
    ]
    return markdown_table(["step", "claims", "state", "seconds", "command"], rows)


def deciding(record: Mapping[str, Any] | None) -> str:
    """One finding's record in a line: `slope … = 0.31 [0.2, 0.4], > 0, at resnet18`."""
    if record is None:
        return "–"
    low, high = record["low"], record["high"]
    text = "not reached" if record["estimate"] is None else number(record["estimate"])
    if low is not None:
        text += f" [{number(low)}, {number(high)}]"
    return f"{record['statistic']}: {text}; asked {record['rule']}, {record['where']}"


def dataset_table(cards: Sequence[Card]) -> str:
    """What data sets are: a row each."""
    headers = ["data set", "classes", "image", "examples", "licence", "source"]
    rows = [
        [
            f"`{card.name}`",
            str(len(card.classes)),
            card.image,
            ", ".join(f"{split} {count}" for split, count in card.counts.items()),
            card.licence,
            card.source,
        ]
        for card in cards
    ]
    return markdown_table(headers, rows)


def zoo_table(networks: Sequence[ZooNetwork]) -> str:
    """What the zoo has: a row a network, with the accuracies of the file's weights.

    The last column is the largest change that half precision has made to one of them.
    """
    if not networks:
        return "No network is packed yet."
    headers = ["`--weights=`", "model", "data set", "epochs", *ZOO_SPLITS, "half precision"]
    rows = []
    for network in networks:
        fields = "".join(f", {name}={value}" for name, value in network.model_fields.items())
        accuracy, full = network.half_accuracy, network.accuracy
        change = max((abs(accuracy[split] - full[split]) for split in accuracy), default=0.0)
        rows.append(
            [
                f"`zoo:{network.name}`",
                f"{network.model}{fields}",
                f"{network.dataset}, {network.splits['train']}",
                str(network.epochs),
                *(f"{accuracy[s]:.1%}" if s in accuracy else "–" for s in ZOO_SPLITS),
                f"{100 * change:.2f} points",
            ]
        )
    return markdown_table(headers, rows)


ZOO_SPLITS = ("train", "validation", "test")

_BASELINES = {
    "start": "(the start)",
    "flat": "(flat mean colour)",
    "blur": "(target blurred, σ = 8 px)",
}


def class_table(run: Run) -> str:
    """What the network's head sees in each target and in what was recovered (first restart)."""
    rows = []
    first = next(iter(run.layers.values()))
    for index, image in enumerate(run.image_names):
        rows.append([image, "(the target)", describe(top_of(first, "target_top", index))])
        for layer, arrays in run.layers.items():
            rows.append([image, layer, describe(top_of(arrays, "top", (0, index)))])
    return markdown_table(["image", "recovered from", "top-5 classes, probability"], rows)
