"""The set of images that a layer takes for one: some solutions of each layer, side by side."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.studies.uniqueness.measured import Solutions

MOST = 6
"""Solutions that are shown of each layer."""
SPREAD = "where they differ"
FULL = 0.3
"""Standard deviation of a pixel that is drawn white."""


def draw(gathered: Sequence[Solutions]) -> Iterator[tuple[str, Figure]]:
    """A figure of each image and network, of its first weight seed: `uniqueness_NETWORK_IMAGE`."""
    first: dict[str, Solutions] = {}
    for solutions in gathered:
        first.setdefault(solutions.network, solutions)
    for network, solutions in first.items():
        for index, image in enumerate(solutions.run.image_names):
            yield f"uniqueness_{network}_{image}", _figure(solutions, index)


def _figure(solutions: Solutions, index: int) -> Figure:
    """A row for each layer: the target, solutions, and where they differ."""
    run, compared = solutions.run, solutions.compared
    shown = min(MOST, len(run.starts))
    kinds = run.config["inversion"]["start"]
    labels = [f"from {kinds[restart % len(kinds)]}" for restart in range(shown)]
    images = [run.stack("images")[:, restart, index] for restart in range(shown)]
    spread = np.stack([found.spread[index] for found in compared.values()])
    grey = np.clip(np.nan_to_num(spread) / FULL, 0, 1)[..., None]
    channels = run.targets.shape[-1]
    images.append(np.repeat(grey, channels, -1).astype(np.float32))
    rho = run.stack("embedding_ratio")[:, :, index]
    matched = np.stack([found.matched[:, index] for found in compared.values()])
    between = [found.mean_between[index] for found in compared.values()]
    largest = np.where(matched.any(1), np.where(matched, rho, 0).max(1), np.nan)
    numbers = {
        "D": np.stack([*run.stack("input_ratio")[:, :shown, index].T, between]),
        "ρ": np.stack([*rho[:, :shown].T, largest]),
    }
    targets = np.repeat(run.targets[index][None], len(compared), 0)
    return figures.gallery(
        [_counted(layer, int(found.solutions[index])) for layer, found in compared.items()],
        targets,
        None,
        [*labels, SPREAD],
        np.nan_to_num(np.stack(images)),
        numbers,
        title=f"What layers of “{solutions.network}” take for one image; last column: white where"
        " matched solutions differ, their mean D, their largest ρ",
    )


def _counted(layer: str, solutions: int) -> str:
    return f"{layer}, {solutions} solution{'s' * (solutions != 1)}"
