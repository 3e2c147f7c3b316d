"""What a page shows of a run of inversions (`experiments/invert.py`): a gallery, charts, tables."""

from pathlib import Path
from typing import Any

import numpy as np

from depthjax.folders.inversions import Run, load_run
from depthjax.folders.result_rows import STATUS_NAMES
from depthjax.inversion.frames import on_screen
from depthjax.report import tabular
from depthjax.report.contents import Chart, Gallery, Recovered, Series, Table, View
from depthjax.statistics import finite_median

_BASELINES = {"start": "start", "flat": "mean colour", "blur": "blurred copy"}
_SIZES = {
    "luminance_r2": "all sizes",
    "luminance_r2_16_32": "16–32 px",
    "luminance_r2_8_16": "8–16 px",
    "luminance_r2_4_8": "4–8 px",
    "luminance_r2_2_4": "2–4 px",
}
_LEAST_RATIO = 0.01  # the least ρ at which D is drawn


def inversion_contents(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Fields of the `Section`: every start as a view of the gallery, charts, and the rows."""
    run = load_run(folder)
    settings = config["inversion"]
    contents: dict[str, Any] = {
        "kind": "images recovered from the layers of a network",
        "facts": [
            ("network", f"{config.get('model', '')}, weights: {config.get('weights', '')}"),
            (
                "images",
                f"{len(run.image_names)} of {'×'.join(map(str, run.targets.shape[1:3]))} px",
            ),
            ("descent", f"{settings['steps']} steps of {settings['optimizer']}"),
            ("seeds", f"start {config.get('start_seed', '–')}"),
            ("layers", f"{len(run.layers)} of {len(config['layers'])} finished"),
        ],
    }
    if not run.layers:
        return contents
    tables = [tabular.table("Every image, layer and restart", run.table)]
    if (folder / "ratio_matrix.npz").is_file():
        tables.append(ratio_table(folder / "ratio_matrix.npz"))
    return contents | {
        "gallery": _gallery(run),
        "charts": inversion_charts(run),
        "tables": tables,
    }


def _gallery(run: Run) -> Gallery:
    count = len(run.starts)
    options = [f"start {restart + 1}" for restart in range(count)]
    axes = {"start": options} if count > 1 else {}
    views = [
        View((options[restart],) if axes else (), cells(run, restart, "best"))
        for restart in range(count)
    ]
    return Gallery(
        run.image_names,
        run.config["layers"],
        run.targets,
        run.starts[0],
        axes,
        views,
        note="Shown are the iterates with the smallest objective; the descent never sees the"
        " target image.",
    )


def cells(run: Run, restart: int, which: str) -> list[list[Recovered | None]]:
    """The pictures of one restart, `[image][layer]`; None where a layer is not finished.

    Args:
        run: the run.
        restart: its index.
        which: the iterate that is shown, `best` or `last`.
    """
    return [
        [
            _recovered(run, run.layers[layer], restart, index, which)
            if layer in run.layers
            else None
            for layer in run.config["layers"]
        ]
        for index in range(len(run.image_names))
    ]


def _recovered(
    run: Run, arrays: dict[str, np.ndarray], restart: int, index: int, which: str
) -> Recovered:
    """One picture of a gallery, of image `index`."""
    at = restart, index
    prefix = "final_" if which == "last" else ""
    step = arrays["trajectory_step"]
    rho = arrays["trajectory_embedding_ratio"][:, restart, index].astype(np.float64)
    d = arrays["trajectory_input_ratio"][:, restart, index].astype(np.float64)
    frames, frame_step = _frames(run, arrays, restart, index)
    nearest = np.clip(np.searchsorted(step, frame_step), 0, len(step) - 1)
    records = _some_records(step, frame_step)
    return Recovered(
        image=arrays[f"{prefix}images"][at],
        input_ratio=float(arrays[f"{prefix}input_ratio"][at]),
        luminance_r2=float(arrays[f"{prefix}luminance_r2"][at]),
        embedding_ratio=float(arrays[f"{prefix}embedding_ratio"][at]),
        best_step=int(arrays["best_step"][at]),
        stopped=STATUS_NAMES[int(arrays["status"][at])],
        step=step[records],
        rho=rho[records],
        d=d[records],
        frames=frames,
        frame_step=frame_step,
        frame_rho=rho[nearest],
        frame_d=d[nearest],
    )


def _frames(
    run: Run, arrays: dict[str, np.ndarray], restart: int, index: int
) -> tuple[np.ndarray, np.ndarray]:
    """The iterates that a run has kept of a descent, and their steps.

    A run that has kept none still has three: the start, the best and the last.
    """
    at = restart, index
    best, stopped = int(arrays["best_step"][at]), int(arrays["stopped_step"][at])
    if "frames" not in arrays:
        ends = {0: run.starts[at], best: arrays["images"][at], stopped: arrays["final_images"][at]}
        order = sorted(ends)
        return np.stack([on_screen(ends[step]) for step in order]), np.array(order)
    frames, steps = arrays["frames"][:, restart, index], arrays["frame_step"]
    # A descent that stopped before the others stays as it was from there on.
    kept = steps <= max(stopped, 1)
    kept[min(int(kept.sum()), len(kept) - 1)] = True
    return frames[kept], np.minimum(steps[kept], stopped)


def _some_records(step: np.ndarray, wanted: np.ndarray, most: int = 48) -> np.ndarray:
    """Indices of about `most` records, evenly spaced on a logarithmic axis of steps.

    The record at each `wanted` step, or the first one after it, is always among them.
    """
    last = len(step) - 1
    if last < most:
        return np.arange(last + 1)
    spaced = np.rint(np.geomspace(1, last, most)).astype(int)
    at_wanted = np.clip(np.searchsorted(step, wanted), 0, last)
    return np.unique(np.concatenate([[0], spaced, at_wanted]))


def inversion_charts(run: Run) -> list[Chart]:
    """r², D and ρ against depth, and D against ρ along the descents."""
    count = len(run.image_names) * len(run.starts)
    note = f"Thick: median; thin: each of {count} (images × starts)." if count > 1 else ""
    baselines = {
        words: float(np.median(run.stack(f"baseline_{name}")[0]))
        for name, words in _BASELINES.items()
    }
    charts = [
        _seen_against_depth(run),
        _against_depth(run, "input_ratio", "Distance to the target", baselines, note),
        _against_depth(run, "embedding_ratio", "Distance of the embedding", {}, note),
    ]
    lines = []
    for name, arrays in run.layers.items():
        rho, d = (
            np.nanmedian(_flat(arrays[f"trajectory_{what}_ratio"]), axis=1)
            for what in ("embedding", "input")
        )
        records = _some_records(arrays["trajectory_step"], np.array([]))
        records = records[rho[records] >= _LEAST_RATIO]
        lines.append(Series(name, rho[records].tolist(), d[records].tolist()))
    charts.append(
        Chart(
            "Does a better match bring the image back?",
            "embedding ratio ρ, falling",
            "input ratio D",
            lines,
            log_x=True,
            log_y=True,
            reversed_x=True,
            note="Medians along the descents, from left to right: where a line stays level, D does"
            " not fall though the embedding comes nearer.",
        )
    )
    return charts


def _seen_against_depth(run: Run) -> Chart:
    """r² of all details, and of each octave of their sizes that the images have."""
    names = list(run.layers)
    depth = list(map(float, range(len(names))))
    values = {
        words: run.stack(quantity).reshape(len(names), -1) for quantity, words in _SIZES.items()
    }
    lines = [
        Series(words, depth, list(map(finite_median, table)))
        for words, table in values.items()
        if np.isfinite(table).any()
    ]
    return Chart(
        "What share of the picture comes back?",
        "layer",
        "r² of luminance",
        lines,
        ticks=names,
        note=f"Medians over {len(run.image_names) * len(run.starts)} (images × starts), by the"
        " period of details. 1: all of it, whatever the brightness and contrast; 0: nothing, or a"
        " negative.",
    )


def _against_depth(
    run: Run, quantity: str, title: str, marks: dict[str, float], note: str
) -> Chart:
    names = list(run.layers)
    values = run.stack(quantity).reshape(len(names), -1).astype(np.float64)
    depth = list(map(float, range(len(names))))
    label = {"input_ratio": "input ratio D", "embedding_ratio": "embedding ratio ρ"}[quantity]
    lines = [Series("median", depth, list(map(finite_median, values)))]
    if values.shape[1] > 1:
        descents = [
            f"{image}, start {restart + 1}"
            for restart in range(len(run.starts))
            for image in run.image_names
        ]
        lines += [
            Series(name, depth, column.tolist(), thin=True, of="median")
            for name, column in zip(descents, values.T, strict=True)
        ]
    marks = {"noisy copy": 1.0} | marks
    return Chart(title, "layer", label, lines, ticks=names, log_y=True, marks=marks, note=note)


def _flat(trajectory: np.ndarray) -> np.ndarray:
    """`[T, restarts, images]` as `[T, descents]`; infinite at records without any value."""
    values = trajectory.reshape(len(trajectory), -1).astype(np.float64)
    # NumPy would warn of the median of an empty row.
    values[np.isnan(values).all(1)] = np.inf
    return values


def ratio_table(path: Path) -> Table:
    """The table of a run's `ratio_matrix.npz`: median ρ at every layer, a row a layer inverted."""
    with np.load(path, allow_pickle=False) as file:
        ratio, layers = file["ratio"], [str(name) for name in file["layers"]]
    flat = ratio.reshape(*ratio.shape[:2], -1)
    rows = [
        {"recovered from": name}
        | {f"ρ at {other}": finite_median(cell) for other, cell in zip(layers, row, strict=True)}
        for name, row in zip(layers, flat, strict=True)
    ]
    return tabular.table(
        "ρ at every layer of what was recovered from every layer",
        rows,
        note="Medians over images and starts. A layer that is matched (at most 1) where another"
        " was inverted knows no more than that one.",
    )
