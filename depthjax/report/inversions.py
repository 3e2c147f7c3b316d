"""What descents brought back, as pictures of a gallery and as charts."""

from pathlib import Path

import numpy as np

from depthjax.folders.inversions import STATUS_NAMES, Run
from depthjax.inversion.frames import on_screen
from depthjax.report import tabular
from depthjax.report.contents import Chart, Recovered, Series, Table

_LEAST_RATIO = 0.01  # ρ to which D is drawn against it


def cells(run: Run, restart: int, which: str) -> list[list[Recovered | None]]:
    """`[image][layer]` of one restart; `which` iterate is the `best` or the `last`."""
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
    at = restart, index
    prefix = "final_" if which == "last" else ""
    step = arrays["trajectory_step"]
    rho = arrays["trajectory_embedding_ratio"][:, restart, index].astype(np.float64)
    d = arrays["trajectory_input_ratio"][:, restart, index].astype(np.float64)
    image = arrays[f"{prefix}images"][at]
    best, stopped = int(arrays["best_step"][at]), int(arrays["stopped_step"][at])
    if "frames" in arrays:
        frames, frame_step = arrays["frames"][:, restart, index], arrays["frame_step"]
        # An example that stopped before the others shows the same from there on.
        kept = frame_step <= max(stopped, 1)
        kept[min(int(kept.sum()), len(kept) - 1)] = True
        frames, frame_step = frames[kept], np.minimum(frame_step[kept], stopped)
    else:  # a run that kept none has three: the start, the best and the last
        ways = {0: run.starts[at], best: arrays["images"][at], stopped: arrays["final_images"][at]}
        frame_step = np.array(sorted(ways))
        frames = np.stack([on_screen(ways[int(one)]) for one in frame_step])
    nearest = np.clip(np.searchsorted(step, frame_step), 0, len(step) - 1)
    some = _spread_out(step, frame_step)
    return Recovered(
        image=image,
        input_ratio=float(arrays[f"{prefix}input_ratio"][at]),
        embedding_ratio=float(arrays[f"{prefix}embedding_ratio"][at]),
        best_step=best,
        stopped=STATUS_NAMES[int(arrays["status"][at])],
        step=step[some],
        rho=rho[some],
        d=d[some],
        frames=frames,
        frame_step=frame_step,
        frame_rho=rho[nearest],
        frame_d=d[nearest],
    )


def _spread_out(step: np.ndarray, wanted: np.ndarray, most: int = 48) -> np.ndarray:
    """Indices of records, evenly spaced on a logarithmic axis, and those of frames."""
    last = len(step) - 1
    if last < most:
        return np.arange(last + 1)
    some = np.rint(np.geomspace(1, last, most)).astype(int)
    frames = np.clip(np.searchsorted(step, wanted), 0, last)
    return np.unique(np.concatenate([[0], some, frames]))


def inversion_charts(run: Run) -> list[Chart]:
    """D and ρ against depth, and D against ρ along the descents."""
    names = list(run.layers)
    count = len(run.image_names) * len(run.starts)
    note = f"Thick: median; thin: each of {count} (images × starts)." if count > 1 else ""
    baselines = {
        words: float(np.median(run.stack(f"baseline_{name}")[0]))
        for name, words in (
            *(("start", "start"), ("flat", "mean colour")),
            *(("blur", "blurred copy"),),
        )
    }
    charts = [
        _against_depth(run, "input_ratio", "Distance to the target", baselines, note),
        _against_depth(run, "embedding_ratio", "Distance of the embedding", {}, note),
    ]
    lines = []
    for name in names:
        arrays = run.layers[name]
        rho, d = (
            np.nanmedian(_flat(arrays[f"trajectory_{what}_ratio"]), axis=1)
            for what in ("embedding", "input")
        )
        some = _spread_out(arrays["trajectory_step"], np.array([]))
        some = some[rho[some] >= _LEAST_RATIO]
        lines.append(Series(name, rho[some].tolist(), d[some].tolist()))
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


def _against_depth(
    run: Run, quantity: str, title: str, marks: dict[str, float], note: str
) -> Chart:
    names = list(run.layers)
    values = run.stack(quantity).reshape(len(names), -1).astype(np.float64)
    depth = list(map(float, range(len(names))))
    label = {"input_ratio": "input ratio D", "embedding_ratio": "embedding ratio ρ"}[quantity]
    lines = [Series("median", depth, _medians(values))]
    if values.shape[1] > 1:
        which = [f"{name}, start {r + 1}" for r in range(len(run.starts)) for name in _names(run)]
        lines += [
            Series(name, depth, column.tolist(), thin=True, of="median")
            for name, column in zip(which, values.T, strict=True)
        ]
    marks = {"noisy copy": 1.0} | marks
    return Chart(title, "layer", label, lines, ticks=names, log_y=True, marks=marks, note=note)


def _names(run: Run) -> list[str]:
    return list(run.image_names)


def _medians(values: np.ndarray) -> list[float]:
    known = [row[np.isfinite(row)] for row in values]
    return [float(np.median(row)) if row.size else float("nan") for row in known]


def _flat(trajectory: np.ndarray) -> np.ndarray:
    values = trajectory.reshape(len(trajectory), -1).astype(np.float64)
    # A median of nothing would warn.
    values[np.isnan(values).all(1)] = np.inf
    return values


def ratio_table(path: Path) -> Table:
    """Of a run's `ratio_matrix.npz`."""
    with np.load(path, allow_pickle=False) as file:
        ratio, layers = file["ratio"], [str(name) for name in file["layers"]]
    flat = ratio.reshape(*ratio.shape[:2], -1)
    rows = [
        {"recovered from": name}
        | {f"ρ at {other}": value for other, value in zip(layers, _medians(row), strict=True)}
        for name, row in zip(layers, flat, strict=True)
    ]
    return tabular.table(
        "ρ at every layer of what was recovered from every layer",
        rows,
        note="Medians over images and starts. A layer that is matched (at most 1) where another"
        " was inverted knows no more than that one.",
    )
