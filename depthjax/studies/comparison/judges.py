"""Other networks that classify recovered images: which class, and whether it is a photograph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.nearness import embed
from depthjax.data.augmentation import Augmentation, augment
from depthjax.models import layer_names
from depthjax.models.layers import Layer
from depthjax.models.network import Network
from depthjax.studies.comparison.setting import PHOTOS
from depthjax.studies.networks import Networks, weight_records
from depthjax.typing import LayerFn, Variables
from depthjax.weights import Weights, fetch, load_weights


class Judge(NamedTuple):
    """A classifier: its logits as a function of the images, and its weights."""

    head: LayerFn
    variables: Variables


@dataclass(frozen=True)
class Judges:
    """The networks that classify recovered images.

    Fields:
        classes: a classifier for each weight seed; empty if there is none.
        photographs: a classifier of photographs and noise; None if there is none.
        photograph_class: which of its classes is "photograph".
        grey: whether the classifiers get images without colour, as in their training.
    """

    classes: Sequence[Judge] = ()
    photographs: Judge | None = None
    photograph_class: int = 0
    grey: bool = False

    def read(
        self, seed: int, recovered: Float[np.ndarray, "n h w c"]
    ) -> dict[str, Float[np.ndarray, " n"]]:
        """The classifications of images, which are clipped to [0, 1].

        Args:
            seed: index of the weight seed of the network that the images came from.
            recovered: the images; pixels that are not finite become 0.

        Returns:
            `class_probability` and `class_log_odds` (see `class_evidence`), and
            `photograph_probability`, if there are classifiers for them.
        """
        seen = np.clip(np.nan_to_num(recovered), 0, 1)
        seen = np.asarray(without_colour(seen)) if self.grey else seen
        columns = {}
        if self.classes:
            logits = embed(*self.classes[seed], seen)
            columns["class_probability"], columns["class_log_odds"] = class_evidence(logits)
        if self.photographs is not None:
            probability = jax.nn.softmax(embed(*self.photographs, seen))
            columns["photograph_probability"] = np.asarray(probability)[:, self.photograph_class]
        return columns


def without_colour(photographs: Float[np.ndarray, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    """Three equal channels, as networks trained on photo_crops have seen them."""
    return augment(None, jnp.asarray(photographs), Augmentation(grey=True))


def class_evidence(
    logits: Float[np.ndarray, "b classes"],
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    """How sure a classifier is: the largest probability, and its log-odds `log p / (1 − p)`.

    The log-odds still tell images apart whose probabilities are all rounded to 1.
    """
    exact = np.sort(np.asarray(logits, np.float64), axis=1)
    top, others = exact[:, -1], np.logaddexp.reduce(exact[:, :-1], axis=1)
    odds = top - others
    return np.exp(-np.logaddexp(0, -odds)), odds


def class_judges(model: Network, networks: Networks, source: str, size: int) -> list[Judge]:
    """For each seed the third network that reads the classes of its images.

    Args:
        model: the architecture of the networks.
        networks: those that are compared.
        source: its weights; "" for the network trained on photographs of the next seed.
        size: height and width of the images.

    Returns:
        Nothing where there is no third network.

    Raises:
        ValueError: if it is one of the networks that are compared.
    """
    return [
        Judge(Layer(model, layer_names(model)[-1], weights.normalization), weights.variables)
        for weights in _third_networks(model, networks, source, size)
    ]


def _third_networks(model: Network, networks: Networks, source: str, size: int) -> list[Weights]:
    photos = list(networks.get(PHOTOS, ()))
    if not source:
        return photos[1:] + photos[:1] if len(photos) > 1 else []
    file = fetch(source)
    compared = [record for records in weight_records(networks).values() for record in records]
    if file.sha256 in [record.get("sha256") for record in compared]:
        raise ValueError(f"judge={source} is one of the networks compared; take a third")
    variables = load_weights(model, file, image_size=size)
    judge = Weights(variables, file.normalization, True, file.record())
    return [judge] * max(map(len, networks.values()))


def photograph_judge(model: Network, source: str, size: int, photograph_class: int) -> Judge:
    """A classifier of photographs against noise.

    Args:
        model: its architecture.
        source: its weights.
        size: height and width of the images.
        photograph_class: which of its classes are photographs.

    Raises:
        ValueError: for weights that do not fit, and a class that it does not have.
    """
    file = fetch(source)
    variables = load_weights(model, file, image_size=size)
    head = Layer(model, layer_names(model)[-1], file.normalization)
    classes = jax.eval_shape(head, variables, jnp.zeros((1, size, size, 3))).shape[1]
    if photograph_class >= classes:
        raise ValueError(
            f"photograph_class={photograph_class}, but the judge of noise has {classes} classes,"
            " numbered from 0"
        )
    return Judge(head, variables)
