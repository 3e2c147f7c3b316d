"""What a page shows of networks compared (`experiments/compare.py`)."""

from pathlib import Path
from typing import Any

from depthjax.folders.inversions import Run, load_run
from depthjax.report import tabular
from depthjax.report.contents import Gallery, View
from depthjax.report.inversions import cells
from depthjax.studies.comparison.setting import BLURRED, PLAIN
from depthjax.studies.descents import CONVERGING

_DESCENTS = {
    CONVERGING: "converging",
    BLURRED: "paper's recipe",
    PLAIN: "paper's, no blur",
}
_CHARTS = (
    ("embedding_ratio", {"condition": CONVERGING}, "ρ, converged"),
    ("input_ratio_at_0.1", {"condition": CONVERGING}, "D at ρ = 0.1"),
    ("elasticity", {"condition": CONVERGING}, "Elasticity"),
    ("luminance_r2_at_ratio", {"condition": CONVERGING}, "r² of luminance at one ρ"),
    ("contrast_r2_at_ratio", {"condition": CONVERGING}, "r² of local contrast at one ρ"),
    ("ssim_at_ratio", {"condition": CONVERGING}, "SSIM at one ρ"),
    ("ssim_at_natural", {"condition": CONVERGING}, "SSIM at one fraction of natural distance"),
    ("ssim", {"condition": BLURRED}, "SSIM, paper's recipe with blur"),
    ("embedding_ratio", {"condition": BLURRED}, "ρ, paper's recipe with blur"),
    ("embedding_ratio", {"condition": PLAIN}, "ρ, paper's recipe without blur"),
    ("natural_ratio", {"condition": PLAIN}, "m_g over natural pairs' distance, without blur"),
    ("spectral_distance", {"condition": PLAIN}, "Spectrum against the training noise's"),
    ("target_log_odds", {"condition": CONVERGING}, "The target's class, by another network"),
    ("class_log_odds", {"condition": CONVERGING}, "The top class, by another network"),
    ("photograph_probability", {"condition": CONVERGING}, "Taken for a photograph"),
    ("mean_between", {"condition": CONVERGING}, "D between solutions"),
    ("solutions", {"condition": CONVERGING}, "Solutions that differ"),
)
"""Quantity, what its rows have in common, and title of each chart."""


def is_comparison(folder: Path, config: dict[str, Any]) -> bool:
    """Whether a folder is that of a comparison."""
    return (folder / "descents").is_dir() and {"networks", "conditions"} <= config.keys()


def comparison_contents(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Fields of the `Section`: a gallery of every network and kind of descent, charts, the rows."""
    first = config["seeds"][0]
    contents: dict[str, Any] = {
        "kind": "networks compared",
        "facts": [
            ("network", config["model"]),
            ("networks", ", ".join(config["networks"])),
            ("seeds", f"{len(config['seeds'])}, shown {first}"),
            ("images", f"{len(config['images'])} of {config['size']}×{config['size']} px"),
        ],
    }
    gallery = _gallery(folder, config, first)
    if gallery is not None:
        contents["gallery"] = gallery
    if (folder / "results.csv").is_file():
        rows = tabular.read_csv(folder / "results.csv")
        contents["charts"] = tabular.depth_charts(rows, _CHARTS)
        contents["tables"] = [tabular.table("Every network, layer, descent and image", rows)]
    return contents


def _gallery(folder: Path, config: dict[str, Any], seed: str) -> Gallery | None:
    """The descents of one seed that are there; None if there are none."""
    networks, conditions = list(config["networks"]), list(config["conditions"])
    views = []
    shown: Run | None = None
    for network in networks:
        for condition in conditions:
            label = network.replace("/", "_")
            descent = folder / "descents" / f"{label}_{seed}" / condition
            if not (descent / "config.json").is_file():
                continue
            shown = load_run(descent)
            which = "last" if condition in (BLURRED, PLAIN) else "best"
            choice = network, _DESCENTS.get(condition, condition)
            views.append(View(choice, cells(shown, 0, which)))
    if shown is None:
        return None
    return Gallery(
        config["images"],
        config["layers"],
        shown.targets,
        shown.starts[0],
        {"network": networks, "descent": [_DESCENTS.get(name, name) for name in conditions]},
        views,
        note=f"Weights of seed {seed}. The converging descents show the iterate with the"
        " smallest objective, the paper's recipe the last one.",
    )
