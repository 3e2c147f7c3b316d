"""The set of images that a layer takes for one: some solutions of each layer, side by side."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.analysis.uniqueness import Uniqueness
from depthjax.studies.uniqueness.measured import Images, Solutions

MOST = 6
"""Solutions that are shown of each layer."""
SPREAD = "where they differ"
FULL = 0.3
"""Standard deviation of a pixel that is drawn white."""


_PALE, _PAPER = 0.25, 0.8
"""What is left of the contrast of an image that is no solution, and the grey it goes to."""


def draw(gathered: Sequence[Solutions], level: float) -> Iterator[tuple[str, Figure]]:
    """A figure of each image and network, of its first weight seed: `uniqueness_NETWORK_IMAGE`.

    Where solutions were pushed apart, also `apart_NETWORK_IMAGE`.

    Args:
        gathered: the solutions of all networks and seeds.
        level: the ρ up to which a restart is matched.
    """
    first: dict[str, Solutions] = {}
    for solutions in gathered:
        first.setdefault(solutions.network, solutions)
    for network, solutions in first.items():
        for index, image in enumerate(solutions.run.image_names):
            yield f"uniqueness_{network}_{image}", _figure(solutions, index, level)
            if solutions.pushed:
                yield f"apart_{network}_{image}", _pushed(solutions, index)


def _figure(solutions: Solutions, index: int, level: float) -> Figure:
    """A row for each layer: the target, solutions, and where they differ.

    Restarts that are not matched are no solutions: they come last, pale, and are called so.
    """
    run, compared = solutions.run, solutions.compared
    kinds = run.config["inversion"]["start"]
    matched = np.stack([found.matched[:, index] for found in compared.values()])
    restarts = np.argsort(~matched, 1, kind="stable")[:, :MOST].T
    layers = np.arange(len(compared))

    def shown(name: str) -> np.ndarray:
        return np.asarray(run.stack(name)[layers, restarts, index])

    found_at = shown("images")
    pale = _PALE * np.clip(found_at, 0, 1) + (1 - _PALE) * _PAPER
    solved = matched[layers, restarts]
    images = [*np.where(solved[..., None, None, None], found_at, pale)]
    words = [
        [
            f"from {kinds[restart % len(kinds)]}{'' if yes else f': not matched (ρ > {level:g})'}"
            for restart, yes in zip(*column, strict=True)
        ]
        for column in zip(restarts, solved, strict=True)
    ]
    none = [""] * len(compared)
    spread = np.stack([found.spread[index] for found in compared.values()])
    grey = np.clip(np.nan_to_num(spread) / FULL, 0, 1)[..., None]
    channels = run.targets.shape[-1]
    images.append(np.repeat(grey, channels, -1).astype(np.float32))
    rho = run.stack("embedding_ratio")[:, :, index]
    between = [found.mean_between[index] for found in compared.values()]
    largest = np.where(matched.any(1), np.where(matched, rho, 0).max(1), np.nan)
    numbers = {
        "D": np.stack([*shown("input_ratio"), between]),
        "ρ": np.stack([*shown("embedding_ratio"), largest]),
    }
    targets = np.repeat(run.targets[index][None], len(compared), 0)
    return figures.gallery(
        [_counted(layer, int(found.solutions[index])) for layer, found in compared.items()],
        targets,
        None,
        [*(str(n + 1) for n in range(len(restarts))), SPREAD],
        np.nan_to_num(np.stack(images)),
        numbers,
        seen=[none, *words, none],
        title=f"What layers of “{solutions.network}” take for one image; last column: white where"
        " matched solutions differ, their mean D, their largest ρ",
    )


def _pushed(solutions: Solutions, index: int) -> Figure:
    """A row for each layer: the two solutions that differ most, as found and pushed apart."""
    run = solutions.run
    pairs, numbers = [], []
    for layer in solutions.compared:
        found = run.layers[layer]["images"], solutions.compared[layer]
        pushed = solutions.pushed[layer], solutions.compared_pushed[layer]
        ends = [_farthest_pair(*each, index) for each in (found, pushed)]
        pairs.append(np.concatenate([images for images, _ in ends]))
        numbers.append(np.repeat([distance for _, distance in ends], 2))
    return figures.gallery(
        list(solutions.compared),
        np.repeat(run.targets[index][None], len(pairs), 0),
        None,
        ["one, as found", "another, as found", "one, pushed apart", "another, pushed apart"],
        np.nan_to_num(np.stack(pairs, 1)),
        {"D": np.stack(numbers, 1)},
        title=f"The two most different images that layers of “{solutions.network}” take for one;"
        " D: between the two",
    )


def _farthest_pair(
    images: Images, compared: Uniqueness, index: int
) -> tuple[Float[np.ndarray, "2 h w c"], float]:
    """The two matched solutions of one image with the largest D between them, and that D."""
    between = np.nan_to_num(compared.between[..., index], nan=-1.0)
    pair = np.unravel_index(between.argmax(), between.shape)
    distance = between[pair]
    return images[list(pair), index], float(distance) if distance > 0 else float("nan")


def _counted(layer: str, solutions: int) -> str:
    return f"{layer}, {solutions} solution{'s' * (solutions != 1)}"
