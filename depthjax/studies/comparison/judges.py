"""Other networks that classify recovered images: which class, and whether it is a photograph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from depthjax.analysis.nearness import embed_flat
from depthjax.data.augmentation import Augmentation, augment
from depthjax.images.classes import IN_IMAGENET
from depthjax.models.labels import IMAGENET_CLASSES
from depthjax.models.network import Network
from depthjax.studies.classifier import Classifier, classifier_of
from depthjax.studies.comparison.numbers import IN_CLASS
from depthjax.studies.comparison.setting import PHOTOS
from depthjax.studies.networks import Networks, weight_records
from depthjax.weights import Weights, fetch, load_weights


@dataclass(frozen=True)
class Judges:
    """The networks that classify recovered images.

    Fields:
        classes: a classifier for each weight seed; empty if there is none.
        photographs: a classifier of photographs and noise; None if there is none.
        photograph_class: which of its classes is "photograph".
        grey: whether the classifiers get images without colour, as in their training.
    """

    classes: Sequence[Classifier] = ()
    photographs: Classifier | None = None
    photograph_class: int = 0
    grey: bool = False

    def of_targets(
        self, targets: Float[np.ndarray, "b h w c"], starts: Float[np.ndarray, "b h w c"]
    ) -> Callable[[int], list[Float[np.ndarray, "b classes"]]]:
        """What the classifiers see in targets and starts: each looks once, when it is first asked.

        Args:
            targets, starts: a and a_0, of several restarts the first.

        Returns:
            By the index of a weight seed, the logits of the targets and of the starts.
        """
        seen = [self._as_seen(each) for each in (targets, starts)]
        return cache(lambda seed: [embed_flat(*self.classes[seed], each) for each in seen])

    def read(
        self,
        seed: int,
        names: Sequence[str],
        of_targets: Callable[[int], list[Float[np.ndarray, "b classes"]]],
        recovered: Float[np.ndarray, "l b h w c"],
    ) -> dict[str, Float[np.ndarray, "l b"]]:
        """The classifications of images, which are clipped to [0, 1].

        Args:
            seed: index of the weight seed of the network that the images came from.
            names: of the photographs.
            of_targets: from the method of this name.
            recovered: the images of each layer; pixels that are not finite become 0.

        Returns:
            `class_probability` and `class_log_odds` (see `class_evidence`), and
            `photograph_probability`, if there are classifiers for them. Of a classifier with
            ImageNet's classes also `target_log_odds`, those of its class of the target, in a_g; the
            same in a_0 and in the target with the endings `_start` and `_target`; and
            `in_imagenet`, 1 where the photograph is one of `IN_IMAGENET`, else 0.
        """
        shape = recovered.shape[:2]
        columns: dict[str, np.ndarray] = {}
        images = self._as_seen(recovered.reshape(-1, *recovered.shape[2:]))
        if self.classes:
            logits = embed_flat(*self.classes[seed], images)
            columns["class_probability"], columns["class_log_odds"] = class_evidence(logits)
        if self.classes and logits.shape[1] == IMAGENET_CLASSES:
            in_targets, in_starts = of_targets(seed)
            classes = np.tile(in_targets.argmax(1), shape[0])
            repeated = (shape[0], 1)
            columns |= {
                "target_log_odds": log_odds(logits, classes),
                "target_log_odds_start": log_odds(np.tile(in_starts, repeated), classes),
                "target_log_odds_target": log_odds(np.tile(in_targets, repeated), classes),
                IN_CLASS: np.tile([float(name in IN_IMAGENET) for name in names], shape[0]),
            }
        if self.photographs is not None:
            probability = jax.nn.softmax(embed_flat(*self.photographs, images))
            columns["photograph_probability"] = np.asarray(probability)[:, self.photograph_class]
        return {name: value.reshape(shape) for name, value in columns.items()}

    def _as_seen(self, images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n h w c"]:
        seen = np.clip(np.nan_to_num(images), 0, 1)
        return np.asarray(without_colour(seen)) if self.grey else seen


def without_colour(photographs: Float[np.ndarray, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    """Three equal channels, as networks trained on photo_crops have seen them."""
    return augment(None, jnp.asarray(photographs), Augmentation(grey=True))


def class_evidence(
    logits: Float[np.ndarray, "b classes"],
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    """How sure a classifier is: the largest probability, and its log-odds `log p / (1 − p)`.

    The log-odds still tell images apart whose probabilities are all rounded to 1.
    """
    odds = log_odds(logits, np.argmax(logits, axis=1))
    return np.exp(-np.logaddexp(0, -odds)), odds


def log_odds(
    logits: Float[np.ndarray, "b classes"], classes: Int[np.ndarray, " b"]
) -> Float[np.ndarray, " b"]:
    """`log p / (1 − p)` of one class of each image, p by softmax; exact also where p is near 1.

    Args:
        logits: of each image.
        classes: the class that is asked for, of each.
    """
    exact = np.asarray(logits, np.float64)
    others = exact.copy()
    at = np.arange(len(exact)), np.asarray(classes)
    others[at] = -np.inf
    return exact[at] - np.logaddexp.reduce(others, axis=1)


def class_judges(model: Network, networks: Networks, source: str, size: int) -> list[Classifier]:
    """For each seed the third network that reads the classes of its images.

    Args:
        model: its architecture, that of the networks if `source` is "".
        networks: those that are compared.
        source: its weights; "" for the network trained on photographs of the next seed.
        size: height and width of the images.

    Returns:
        Nothing where there is no third network.

    Raises:
        ValueError: if it is one of the networks that are compared.
    """
    third = _third_networks(model, networks, source, size)
    return [classifier_of(model, weights) for weights in third]


def as_many_classes(network: Classifier, judge: Classifier, shape: tuple[int, ...]) -> bool:
    """Whether a network has as many classes as its judge; otherwise they are others for certain.

    Args:
        network: that is judged.
        judge: who reads the classes.
        shape: of the images that both see, `[B, H, W, C]`.
    """
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    own, others = (jax.eval_shape(*one, images).shape for one in (network, judge))
    return own == others


def _third_networks(model: Network, networks: Networks, source: str, size: int) -> list[Weights]:
    photos = list(networks.get(PHOTOS, ()))
    if not source:
        return photos[1:] + photos[:1] if len(photos) > 1 else []
    judge = _weights_of(model, source, size)
    compared = [record for records in weight_records(networks).values() for record in records]
    if judge.record["sha256"] in [record.get("sha256") for record in compared]:
        raise ValueError(f"judge={source} is one of the networks compared; take a third")
    return [judge] * max(map(len, networks.values()))


def photograph_judge(model: Network, source: str, size: int, photograph_class: int) -> Classifier:
    """A classifier of photographs against noise.

    Args:
        model: its architecture.
        source: its weights.
        size: height and width of the images.
        photograph_class: which of its classes are photographs.

    Raises:
        ValueError: for weights that do not fit, and a class that it does not have.
    """
    judge = classifier_of(model, _weights_of(model, source, size))
    classes = jax.eval_shape(*judge, jnp.zeros((1, size, size, 3))).shape[1]
    if photograph_class >= classes:
        raise ValueError(
            f"photograph_class={photograph_class}, but the judge of noise has {classes} classes,"
            " numbered from 0"
        )
    return judge


def _weights_of(model: Network, source: str, size: int) -> Weights:
    file = fetch(source)
    variables = load_weights(model, file, image_size=size)
    return Weights(variables, file.normalization, True, file.record())
