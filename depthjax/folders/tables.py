"""Tables of a run of inversions, in Markdown."""

import numpy as np

from depthjax.folders.environment import where_it_ran
from depthjax.folders.inversions import Run
from depthjax.folders.layer_arrays import top_of
from depthjax.folders.result_rows import STATUS_NAMES
from depthjax.inversion.metrics import MATCHED_RATIOS
from depthjax.models.labels import describe
from depthjax.tables import markdown_table, median_and_range, number, share


def inversion_table(run: Run) -> str:
    """What a run of `experiments/invert.py` found: a row a layer, medians (range) over images.

    D, r² and ρ are those of the best iterate; `D at ρ = 0.1` is read off the trajectory.
    """
    columns = {
        "D = m_i/m_i'": lambda arrays: median_and_range(arrays["input_ratio"]),
        "r²": lambda arrays: median_and_range(arrays["luminance_r2"], share),
        "ρ = m_g/m_r": lambda arrays: median_and_range(arrays["embedding_ratio"]),
        "D at ρ = 0.1": lambda arrays: median_and_range(arrays["matched_input_ratio"][_AT]),
        "best step": lambda arrays: number(np.median(arrays["best_step"])),
        "stopped by": lambda arrays: ", ".join(
            STATUS_NAMES[status] for status in np.unique(arrays["status"])
        ),
    }
    if any("perceptual_distance" in arrays for arrays in run.layers.values()):
        columns["perceptual distance"] = lambda arrays: median_and_range(
            arrays["perceptual_distance"]
        )
    rows = [
        [layer, *(text_of(arrays) for text_of in columns.values())]
        for layer, arrays in run.layers.items()
    ]
    for name, what in _BASELINES.items():
        baseline = median_and_range(run.stack(f"baseline_{name}")[0])
        rows.append([what, baseline, *[""] * (len(columns) - 1)])
    return markdown_table(["layer", *columns], rows)


def class_table(run: Run) -> str:
    """What the network's head sees in each target and in what was recovered (first restart)."""
    rows = []
    first = next(iter(run.layers.values()))
    for index, image in enumerate(run.image_names):
        rows.append([image, "(the target)", describe(top_of(first, "target_top", index))])
        for layer, arrays in run.layers.items():
            rows.append([image, layer, describe(top_of(arrays, "top", (0, index)))])
    return markdown_table(["image", "recovered from", "top-5 classes, probability"], rows)


_AT = MATCHED_RATIOS.index(0.1)
_BASELINES = {
    "start": "(the start)",
    "flat": "(flat mean colour)",
    "blur": "(target blurred, σ = 8 px)",
}


def provenance(run: Run) -> str:
    """A paragraph that says what a run's table shows, how it was made, and where it ran."""
    minutes = sum(float(arrays["seconds"]) for arrays in run.layers.values()) / 60
    config = run.config["inversion"]
    return (
        f"Medians (smallest–largest) over {len(run.image_names)} photographs"
        f" ({', '.join(run.image_names)}) at {run.config['size']}×{run.config['size']};"
        f" {config['steps']} steps of {config['optimizer']}, one weight seed.\n"
        "Made by `python experiments/invert.py"
        f" --flagfile=experiments/flags/{run.folder.name}.flags` in {minutes:.0f} minutes"
        f"{where_it_ran(run.config['environment'])}."
    )
