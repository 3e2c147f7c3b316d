"""The images recovered from every layer, as pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from depthjax.figures.style import BODY, EDGE, GREY, SMALL, TITLE, styled
from depthjax.figures.text import short_number, tallest, widest, wrapped, wrapped_title
from depthjax.figures.values import checked_labels, checked_table, displayable
from depthjax.tables import share

Pictures = npt.NDArray[np.float32]

_GAP = 5.0
"""Space between pictures, in points."""
_NAME_BREAKS = " ._-/:"
"""Long names may be broken after one of these."""
_MEANINGS = {
    "D": "D: distance of the images (1: as far as a lightly noised copy, 0:\u00a0recovered; "
    "D ≈ 18\u00a0×\u00a0RMSE).",
    "r²": "r²: the share of the target’s luminance that the picture shows, whatever its brightness "
    "and contrast.",
    "edges": "edges: the same of their strengths, whichever side is bright.",
    "ρ": "ρ: distance of the embeddings (1: as far as a lightly noised copy).",
}
"""What the signs of the numbers mean."""
_SHARES = ("r²", "edges")


def gallery(
    image_labels: Sequence[str],
    targets: ArrayLike,
    starts: ArrayLike | None,
    layer_labels: Sequence[str],
    recovered: ArrayLike,
    numbers: Mapping[str, ArrayLike],
    *,
    seen: Sequence[Sequence[str]] | None = None,
    note: str = "",
    title: str | None = None,
) -> Figure:
    """The targets, the starts, and the images recovered from every layer with their numbers.

    There is a row for each image and a column for each layer. Where the target is that of the row
    above, as in rows of several networks, it is not shown again, nor is the start. Many layers
    continue in further blocks of rows. Pixels are clipped to [0, 1]; those that are not finite
    are magenta.

    Args:
        image_labels: names of the B images.
        targets: `[B, H, W, 3]`, floats; or grey images, `[B, H, W, 1]`, and all others with them.
        starts: where the descents began, shaped like `targets`; None for no such column.
        layer_labels: names of the L layers, shallow to deep.
        recovered: `[L, B, H, W, 3]`.
        numbers: what stands below each of these, `[L, B]` by its sign: `{"D": …, "r²": …,
            "ρ": …}`. These and `edges` are explained at the foot of the figure. Empty for none.
        seen: words below the targets and below each of these, `[1 + L][B]`, such as the class that
            a network sees.
        note: at the foot of the figure, before what the signs mean.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together, or images are not of floats, RGB or grey.
    """
    images, layers = checked_labels(image_labels, "image"), checked_labels(layer_labels, "layer")
    heads = {"target": np.asarray(targets)}
    heads |= {} if starts is None else {"start": np.asarray(starts)}
    columns = _columns(images, layers, heads, np.asarray(recovered))
    words = _checked_words(seen, images, layers)
    tables = [checked_table(sign, values, layers, images) for sign, values in numbers.items()]
    each = [_texts(sign, table) for sign, table in zip(numbers, tables, strict=True)]
    texts = np.stack(each, axis=-1).tolist() if each else [[[]] * len(images)] * len(layers)
    meanings = [meaning for sign, meaning in _MEANINGS.items() if sign in numbers]
    note = " ".join(filter(None, [note, *meanings]))
    if not np.isfinite(columns).all():
        note += " Magenta: not finite."
    with styled():
        sheet = _Sheet(images, layers, tuple(heads), columns.shape[2:4], texts, words)
        return sheet.draw(displayable(columns), title, note)


def _texts(sign: str, values: np.ndarray) -> np.ndarray:
    """A number below each picture, with its sign: `D 6.63`."""
    as_text = share if sign in _SHARES else short_number
    return np.vectorize(lambda value: f"{sign} {as_text(value)}", otypes=[object])(values)


def _checked_words(
    seen: Sequence[Sequence[str]] | None, images: list[str], layers: list[str]
) -> list[list[str]]:
    """What stands below the targets and the images of each layer, `[1 + L][B]`."""
    if seen is None:
        return [[""] * len(images)] * (1 + len(layers))
    if [len(row) for row in seen] != [len(images)] * (1 + len(layers)):
        raise ValueError(
            f"seen must have {1 + len(layers)} rows of {len(images)}, the targets' first"
        )
    return [list(row) for row in seen]


def _columns(
    images: list[str],
    layers: list[str],
    heads: Mapping[str, np.ndarray],
    recovered: np.ndarray,
) -> Pictures:
    """All pictures of the gallery by column, `[K + L, B, H, W, 3]`, after those of K heads."""
    target = heads["target"]
    shape = target.shape
    if target.ndim != 4 or shape[-1] not in (1, 3) or 0 in shape:
        raise ValueError(f"targets must be [images, height, width, 3 or 1], got shape {shape}")
    if len(target) != len(images):
        raise ValueError(f"{len(images)} image labels, but targets has shape {shape}")
    for name, array, expected in (
        *((f"{name}s", head, shape) for name, head in heads.items()),
        ("recovered", recovered, (len(layers), *shape)),
    ):
        if array.shape != expected:
            raise ValueError(f"{name} must have shape {expected}, got {array.shape}")
        if array.dtype.kind in "iub":
            raise ValueError(f"{name} must be floats in [0, 1], got {array.dtype}; divide by 255")
    parts = [*(head[None] for head in heads.values()), recovered]
    columns = np.concatenate([part.astype(np.float32) for part in parts])
    return np.broadcast_to(columns, (*columns.shape[:-1], 3))  # grey ones too


def _in_lines(numbers: Sequence[str], each: int) -> str:
    return "\n".join("  ".join(numbers[at : at + each]) for at in range(0, len(numbers), each))


@dataclass(frozen=True)
class _Sheet:
    """The layout, in points from the top left corner.

    All pictures are drawn in one set of axes, because hundreds of axes would take many seconds.

    Fields:
        images, layers: their names.
        heads: names of the K columns before the layers: `target`, and mostly `start`.
        picture: height and width of a picture in pixels.
        numbers: texts, `[L][B][N]`.
        seen: texts below the targets and the images of the layers, `[1 + L][B]`.
    """

    images: list[str]
    layers: list[str]
    heads: tuple[str, ...]
    picture: tuple[int, int]
    numbers: list[list[list[str]]]
    seen: list[list[str]]

    @property
    def blocks(self) -> list[range]:
        """The layers of each block of rows; blocks have about the same number of layers."""
        most = 12 if len(self.images) <= 4 else 16
        count = -(-len(self.layers) // most)
        each = -(-len(self.layers) // count)
        starts = range(0, len(self.layers), each)
        return [range(start, min(start + each, len(self.layers))) for start in starts]

    @property
    def cell(self) -> float:
        """The width of a column."""
        return float(np.clip(470 / (len(self.heads) + len(self.blocks[0])), 56, 110))

    @property
    def picture_size(self) -> tuple[float, float]:
        height, width = self.picture
        scale = self.cell / max(width, height / 1.5)
        # A very narrow picture stays visible.
        return max(width * scale, 4.0), max(height * scale, 4.0)

    @property
    def heading_size(self) -> float:
        return BODY if self.cell > 70 else SMALL

    @property
    def captions(self) -> list[list[str]]:
        """What stands below each picture by column, `[K + L][B]`: numbers, then what is seen.

        As many numbers are in a line as fit everywhere.
        """
        for each in range(max(1, len(self.numbers[0][0])), 0, -1):
            texts = [[_in_lines(numbers, each) for numbers in row] for row in self.numbers]
            if widest((text for row in texts for text in row), SMALL) <= self.cell + _GAP - 2:
                break
        targets, *layers = (
            [wrapped(text, self.cell, SMALL, _NAME_BREAKS) for text in row] for row in self.seen
        )
        below = [
            ["\n".join(filter(None, pair)) for pair in zip(*rows, strict=True)]
            for rows in zip(texts, layers, strict=True)
        ]
        others = [[""] * len(self.images)] * (len(self.heads) - 1)
        return [targets, *others, *below]

    def draw(self, columns: Pictures, title: str | None, note: str) -> Figure:
        """Draws the pictures `[K + L, B, H, W, 3]`: those of the heads and of the layers."""
        names = [wrapped(name, 66.0, BODY, _NAME_BREAKS) for name in self.images]
        headings = [
            wrapped(name, self.cell, self.heading_size, _NAME_BREAKS) for name in self.layers
        ]
        captions, targets = self.captions, columns[0]
        left = EDGE + widest(names, BODY) + _GAP
        width = left + (len(self.heads) + len(self.blocks[0])) * (self.cell + _GAP) - _GAP + EDGE
        title = wrapped_title(title, width)
        note = wrapped(note, width - 2 * EDGE, SMALL)
        top = EDGE + (tallest([title], TITLE) + 4 if title else 0)
        heading = tallest(headings, self.heading_size) + 2
        row = self.picture_size[1] + tallest((c for row in captions for c in row), SMALL) + 8
        row = max(row, tallest(names, BODY) + 4)
        block = heading + len(self.images) * row + 6
        height = top + len(self.blocks) * block + tallest([note], SMALL) + EDGE

        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.text(EDGE, EDGE, title, fontsize=TITLE, va="top")
        for layers in self.blocks:
            before = len(self.heads)
            shown = dict(enumerate(self.heads))
            shown |= {before + layer: headings[layer] for layer in layers}
            for place, (column, name) in enumerate(shown.items()):
                x = left + place * (self.cell + _GAP)
                foot = top + heading - 2 - self.heading_size / 4
                self._text(axes, x, foot, name, "baseline", self.heading_size)
                for image, picture in enumerate(columns[column]):
                    if column < before and image and (targets[image] == targets[image - 1]).all():
                        continue
                    y = top + heading + image * row
                    self._picture(axes, x, y, picture)
                    below = y + self.picture_size[1] + 1.5
                    self._text(axes, x, below, captions[column][image], "top", SMALL)
            for image, name in enumerate(names):
                y = top + heading + image * row
                self._row_name(axes, left - _GAP, y, name)
            top += block
        axes.text(EDGE, top, note, fontsize=SMALL, va="top", color=GREY, linespacing=1.1)
        axes.set(xlim=(0, width), ylim=(height, 0))
        return figure

    def _picture(self, axes: Axes, x: float, y: float, picture: Pictures) -> None:
        width, height = self.picture_size
        x += (self.cell - width) / 2
        # Pixels that are as wide as a point are seen, and stay squares whatever the resolution.
        sharp = "nearest" if self.picture[1] <= width else None
        box = (x, x + width, y + height, y)
        axes.imshow(picture, extent=box, aspect="auto", interpolation=sharp)
        # A frame, since a white picture would have no visible edge on paper.
        frame = Rectangle((x, y), width, height, fill=False, edgecolor=GREY, linewidth=0.3)
        axes.add_patch(frame)

    def _text(self, axes: Axes, x: float, y: float, text: str, va: str, size: float) -> None:
        axes.text(x + self.cell / 2, y, text, fontsize=size, ha="center", va=va, linespacing=1.1)

    def _row_name(self, axes: Axes, x: float, y: float, name: str) -> None:
        middle = y + max(self.picture_size[1], tallest([name], BODY)) / 2
        axes.text(x, middle, name, fontsize=BODY, ha="right", va="center", linespacing=1.1)
