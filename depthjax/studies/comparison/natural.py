"""How far apart a layer keeps natural images, and where the embeddings of two are equally near."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from depthjax.analysis.nearness import embed_flat
from depthjax.images.crops import NaturalCrops
from depthjax.studies.descents import Descents


class Matching(NamedTuple):
    """At which distances of its embedding a network's images are compared, at one layer.

    Fields:
        ratio: ρ.
        fraction: of the distance between natural pairs.
        natural: that distance, the median of ‖O(x) − O(y)‖.
    """

    ratio: float
    fraction: float
    natural: float

    def levels(self, reference: Float[np.ndarray, " b"]) -> dict[str, Float[np.ndarray, " b"]]:
        """The ρ of each image at which it is compared, by what is then equal.

        Args:
            reference: m_r.
        """
        return {
            "ratio": np.full(len(reference), self.ratio),
            "natural": self.fraction * self.natural / reference,
        }


def natural_distances(
    descents: Sequence[Descents],
    images: Float[np.ndarray, "n h w c"],
    photographs: Sequence[str],
) -> dict[tuple[str, int, str], float]:
    """The median distance ‖O(x) − O(y)‖ of crops of different photographs, by network and layer.

    It is how far apart a layer keeps natural images: the length by which m_g can be compared
    between networks whose embeddings have a large part in common (as untrained ones have, for
    which ‖O(a)‖ is no such length), or that answer noise differently (for which m_r is none).

    Args:
        descents: of every network, seed and layer.
        images: natural crops.
        photographs: which one each crop is of.
    """
    found: dict[tuple[str, int, str], float] = {}
    for one in descents:
        for name, layer in one.layers.items():
            place = one.network, one.seed, name
            if place not in found:
                embeddings = embed_flat(layer, one.variables, images)
                found[place] = _median_distance(embeddings, np.asarray(photographs))
    return found


def natural_sentence(crops: NaturalCrops) -> str:
    """Of which photographs natural pairs are; few of one kind say little of others."""
    names = list(dict.fromkeys(crops.photographs))
    return (
        f"Natural pairs are of {len(crops.photographs)} crops of {len(names)} photographs:"
        f" {', '.join(names)}. No interval includes the error of this sample."
    )


def _median_distance(embeddings: np.ndarray, groups: np.ndarray) -> float:
    distances = [
        np.linalg.norm(embeddings[k + 1 :][groups[k + 1 :] != group] - embeddings[k], axis=1)
        for k, group in enumerate(groups)
    ]
    return float(np.median(np.concatenate(distances)))
