"""Witnesses and eigendistortions of photographs, with the distances of the picture files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.witnesses import WITNESS_RATIO, eigendistortions, null_space_witness
from depthjax.images import load_image
from depthjax.settings import check_settings, described, setting
from depthjax.studies.networks import Place
from depthjax.studies.rows import Row
from depthjax.typing import Images

FARTHEST, TOWARDS, EIGEN = "farthest", "towards the next", "eigendistortion"
"""The kinds of pictures: witnesses as far away as possible, towards another image, and others."""


@described
@dataclass(frozen=True)
class WitnessSettings:
    """How witnesses and eigendistortions of a layer are made."""

    ratio: float = setting(WITNESS_RATIO, "ρ that a witness may have")
    steps: int = setting(80, "strides of a walk", least=1)
    corrections: int = setting(2, "Gauss–Newton corrections after each stride of a walk", least=1)
    iterations: int = setting(8, "steps of conjugate gradients in each correction", least=1)
    directions: int = setting(1, "eigendistortions of each image", least=1)
    grey_levels: float = setting(4.0, "RMSE of pictures that are to look alike, of 255")
    start_seed: int = setting(1, "seed of the first direction, the same for all layers")
    reference_seed: int = setting(2, "seed of the reference noise, the same for all layers")

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.grey_levels > 0:
            raise ValueError(f"grey_levels must be positive, got {self.grey_levels}; try 4")


class WitnessPicture(NamedTuple):
    """A witness or an eigendistortion of an image.

    Fields:
        row: of the table.
        target: the image, on the 8-bit grid, `[H, W, C]`.
        picture: what was made of it, `[H, W, C]`.
    """

    row: Row
    target: Float[np.ndarray, "h w c"]
    picture: Float[np.ndarray, "h w c"]

    @property
    def files(self) -> dict[str, Float[np.ndarray, "h w c"]]:
        """The target and the picture by the names of their files."""
        return dict(zip(file_names(self.row), (self.target, self.picture), strict=True))


def file_names(row: Row) -> tuple[str, str]:
    """The files of a target and of the picture made of it, `NETWORK_SEED/LAYER/IMAGE_KIND.png`.

    Args:
        row: of the table.
    """
    kind = row["kind"].split()[0]
    if kind == EIGEN:
        kind += f"{row['direction']}{'+' if row['sign'] > 0 else '-'}"
    stem = f"{row['network']}_{row['seed']}/{row['layer']}/{row['image']}"
    return f"{stem}.png", f"{stem}_{kind}.png"


def read_pictures(folder: Path, rows: Sequence[Row]) -> list[WitnessPicture]:
    """Pictures as their files have them.

    Args:
        folder: of the files.
        rows: of the pictures.
    """
    return [
        WitnessPicture(row, *(load_image(folder / name) for name in file_names(row)))
        for row in rows
    ]


def pictures_of(
    place: Place,
    labels: Sequence[str],
    photographs: Float[np.ndarray, "b h w c"],
    settings: WitnessSettings,
) -> Iterator[WitnessPicture]:
    """All pictures that are made of photographs at one layer.

    For each photograph: the farthest witness; if there are several photographs, the witness closest
    to the next one; the eigendistortions, with both signs.

    Args:
        place: the layer.
        labels: of the photographs.
        photographs: `[B, H, W, C]`, in [0, 1].
        settings: of all layers.
    """
    layer, variables, where = place.layer, place.variables, place.columns
    reference_key = jax.random.key(settings.reference_seed)
    goals: dict[str, Images | None] = {FARTHEST: None}
    if len(photographs) > 1:
        goals[TOWARDS] = jnp.roll(jnp.asarray(photographs), -1, axis=0)
    for kind, goal in goals.items():
        witness = null_space_witness(
            jax.random.key(settings.start_seed),
            layer,
            variables,
            photographs,
            ratio=settings.ratio,
            towards=goal,
            steps=settings.steps,
            corrections=settings.corrections,
            iterations=settings.iterations,
            reference_key=reference_key,
        )
        for index, image in enumerate(labels):
            row = where | {"image": image, "kind": kind, "direction": 0, "sign": 1}
            pair = witness.targets[index], witness.rounded[index]
            yield WitnessPicture(row | _distances(witness, index), *pair)
    distorted = eigendistortions(
        layer,
        variables,
        photographs,
        k=settings.directions,
        rmse=settings.grey_levels / 255,
        reference_key=reference_key,
    )
    for side, k, index in np.ndindex(distorted.images.shape[:3]):
        row = where | {"image": labels[index], "kind": EIGEN}
        row |= {"direction": k + 1, "sign": (1, -1)[side]}
        pair = distorted.targets[index], distorted.images[side, k, index]
        yield WitnessPicture(row | _distances(distorted, (side, k, index)), *pair)


def _distances(pictures: Any, index: Any) -> Row:
    """ρ, D and PSNR of one picture."""
    columns = ("embedding_ratio", "input_ratio", "psnr")
    return {name: float(getattr(pictures, name)[index]) for name in columns}
