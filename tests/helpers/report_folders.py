"""Small folders as the scripts leave them, made of random numbers, for tests of the page."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.figures.saving import save_figure
from depthjax.inversion.similarity import similarity
from depthjax.studies.comparison.setting import CONDITIONS

EVIL = "<script>alert('x')</script>&\"é"
ENVIRONMENT = {
    "command": [
        "/somewhere/experiments/invert.py",
        "--model=resnet18",
        "--trained_on=noise=noise/32@train[:2000]",
        "--overwrite",
    ],
    "versions": {"depthjax": "0.1.0", "jax": "0.10.2", "flax": "0.12.8"},
    "device": "cpu: cpu",
    "cores": 2,
    "git_revision": "0123456789ab",
}


def _finding(
    claim: str, part: str, network: str, layer: str, quantity: str, rule: str, *ends: float
) -> Finding:
    """Between which ends its interval lies, about: three seeds × five images."""
    middle, low, high = ends
    noise = np.random.default_rng(0).normal(size=(3, 5))
    noise -= noise.mean()
    width = (high - low) / 2 / Cells.of(noise).interval.high
    return Finding(
        claim=claim,
        part=part,
        network=network,
        layer=layer,
        quantity=quantity,
        bound=Bound.parse(rule),
        measured=Cells.of(middle + width * noise),
        aside="control" if network == "control" else "",
    )


_NAN = (float("nan"),) * 3
FINDINGS = (
    _finding("C10", "", "photos", EVIL, "elasticity", "< 0.05", -0.1, -0.2, 0.01),
    _finding("C10", "image_stays_lost", "photos", "layer4", "elasticity", "< 0.05", 0.9, 0.5, 1.3),
    _finding("C11", "early_clearer", "photos", "layer1", "SSIM", "> 0", 0.1, -0.1, 0.3),
    _finding("C12", "class_evidence_added", "photos", "layer4", "log-odds", "> 0", 2.0, 1.0, 3.0),
    _finding("C13", "early_no_clearer", "noise", "layer1", "SSIM", "<= 0", *_NAN),
    _finding("C15", "no_structure", "control", "layer4", "energy", "< 1.1", 5.0, 4.0, 6.0),
)


def write_inversion(
    folder: Path,
    images: tuple[str, ...] = ("astronaut", EVIL),
    layers: tuple[str, ...] = ("conv1", "layer1", "layer2"),
    size: int = 16,
    restarts: int = 1,
    frames: int = 5,
    missing: int = 0,
    **extra: Any,
) -> Path:
    """What `experiments/invert.py` leaves: the last `missing` layers are not done yet."""
    random = np.random.default_rng(len(images) + size)
    shape = (restarts, len(images))
    (folder / "layers").mkdir(parents=True, exist_ok=True)
    config = {
        "model": "resnet18",
        "weights": "untrained",
        "size": size,
        "start_seed": 1,
        "images": list(images),
        "layers": list(layers),
        "inversion": {"steps": 100, "optimizer": "adam"},
        "environment": ENVIRONMENT,
        **extra,
    }
    (folder / "config.json").write_text(json.dumps(config))
    targets = random.random((len(images), size, size, 3)).astype(np.float32)
    starts = random.random((*shape, size, size, 3)).astype(np.float32)
    np.savez(folder / "inputs.npz", targets=targets, starts=starts)
    step = np.arange(0, 101, 10)
    for depth, layer in enumerate(layers[: len(layers) - missing]):
        rho = np.geomspace(2, 0.01 + 0.01 * depth, 11)[:, None, None] * np.ones(shape)
        d = np.geomspace(7, 0.5 + 2 * depth, 11)[:, None, None] * np.ones(shape)
        share = np.linspace(0, 1, 11)[:, None, None, None, None, None]
        every = (1 - share) * starts + share * targets
        numbers = {name: np.full(shape, 0.5) for name in _NUMBERS}
        likeness = vars(similarity(targets, every[-1]))
        arrays: dict[str, Any] = {
            **numbers,
            **likeness,
            **{f"final_{name}": values for name, values in likeness.items()},
            "images": every[-1],
            "final_images": every[-1],
            "embedding_ratio": rho[-1],
            "input_ratio": d[-1],
            "final_embedding_ratio": rho[-1],
            "final_input_ratio": d[-1],
            "best_step": np.full(shape, 100),
            "stopped_step": np.full(shape, 100),
            "status": np.zeros(shape, int),
            "matched_input_ratio": np.full((4, *shape), np.nan),
            "baseline_start": np.full(shape, 7.0),
            "baseline_flat": np.full(len(images), 4.0),
            "baseline_blur": np.full(len(images), 3.0),
            "trajectory_step": step,
            "trajectory_embedding_ratio": rho,
            "trajectory_input_ratio": d,
            "trajectory_objective": rho,
        }
        if frames:
            kept = np.unique(np.linspace(0, 10, frames).astype(int))
            arrays["frames"] = np.rint(255 * every[kept]).astype(np.uint8)
            arrays["frame_step"] = step[kept]
        np.savez(folder / "layers" / f"{layer}.npz", **arrays)
    return folder


_NUMBERS = (
    "embedding_distance",
    "reference_embedding_distance",
    "reference_embedding_distance_std",
    "relative_embedding_distance",
    "input_distance",
    "reference_input_distance",
    "clipped_embedding_ratio",
    "clipped_input_ratio",
    "rounded_embedding_ratio",
    "rounded_input_ratio",
    "out_of_range",
    "objective",
    "seconds",
)


def write_comparison(
    folder: Path, networks: tuple[str, ...] = ("untrained", "photos", EVIL), **settings: Any
) -> Path:
    """What `experiments/compare.py` leaves."""
    for network in networks:
        for condition in CONDITIONS:
            label = network.replace("/", "_")
            write_inversion(folder / "descents" / f"{label}_0" / condition, **settings)
    inner = json.loads(next(folder.glob("descents/*/*/config.json")).read_text())
    config = {
        **{name: inner[name] for name in ("model", "size", "images", "layers", "environment")},
        "seeds": ["0", "1"],
        "networks": {name: [] for name in networks},
        "conditions": {name: {} for name in CONDITIONS},
    }
    random = np.random.default_rng(0)
    rows = [
        {
            "network": network,
            "seed": seed,
            "layer": layer,
            "depth": depth,
            "condition": condition,
            "image": image,
            "embedding_ratio": random.random(),
            "ssim": random.random(),
        }
        for network in networks
        for seed in (0, 1)
        for depth, layer in enumerate(inner["layers"])
        for condition in CONDITIONS
        for image in inner["images"]
    ]
    return write_results(folder, rows, config)


def write_results(
    folder: Path, rows: list[dict[str, Any]], config: dict[str, Any] | None = None
) -> Path:
    """What every script leaves that ends in findings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config or {"environment": ENVIRONMENT}))
    findings = [finding.record() for finding in FINDINGS]
    (folder / "findings.json").write_text(json.dumps(findings))
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def draw_figure(folder: Path) -> None:
    """A figure as the scripts draw them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    (folder / "figures").mkdir(exist_ok=True)
    save_figure(folder / "figures" / "depth", figure)
