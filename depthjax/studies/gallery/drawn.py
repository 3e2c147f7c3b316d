"""The pictures recovered from several networks, a row for each of them."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.studies.gallery.measured import Recovery

_ROWS = 12  # of a figure
_SIGNS = {"D": "input_ratio", "r²": "luminance_r2", "ρ": "embedding_ratio"}


def draw(recoveries: Sequence[Recovery], eye: str) -> Iterator[tuple[str, Figure]]:
    """The figures with their names: `gallery`, or `gallery_1`, … where there are many images.

    Args:
        recoveries: of networks with the same images and layers.
        eye: the label of the network that says what is seen in the images; "" for nobody.
    """
    count = len(recoveries[0].run.image_names)
    each = max(1, _ROWS // len(recoveries))
    parts = [range(at, min(at + each, count)) for at in range(0, count, each)]
    for index, part in enumerate(parts, 1):
        yield "gallery" if len(parts) == 1 else f"gallery_{index}", _figure(recoveries, part, eye)


def _figure(recoveries: Sequence[Recovery], part: range, eye: str) -> Figure:
    """The images of a part, each with a row for every network."""
    first = recoveries[0].run
    several = {each.network for each in recoveries if each.seed != recoveries[0].seed}
    networks, conditions = ({one[at] for one in recoveries} for at in (0, 2))
    rows = [(index, recovery) for index in part for recovery in recoveries]
    labels = [
        ", ".join(
            [
                first.image_names[index],
                *([each.network] if len(networks) > 1 or len(conditions) == 1 else []),
                *([each.condition] if len(conditions) > 1 else []),
            ]
        )
        + (f" {each.seed}" if each.network in several else "")
        for index, each in rows
    ]
    numbers = {
        sign: np.stack([each.run.stack(name)[:, 0, index] for index, each in rows], axis=1)
        for sign, name in _SIGNS.items()
    }
    seen = [[each.seen[at][index] for index, each in rows] for at in range(1 + len(first.layers))]
    return figures.gallery(
        labels,
        np.stack([first.targets[index] for index, _ in rows]),
        None,
        list(first.layers),
        np.nan_to_num(np.stack([each.images[:, index] for index, each in rows], axis=1)),
        numbers,
        seen=seen if eye else None,
        title=f"Recovered from layers; beneath, the class that “{eye}” sees" if eye else None,
    )
