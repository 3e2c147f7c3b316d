"""The names of ImageNet's classes, and which of them a network sees in an image."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

IMAGENET_CLASSES = 1000


class TopClasses(NamedTuple):
    """The most probable classes, best first: their indices and probabilities `[…, k]`."""

    classes: Int[np.ndarray, "*batch k"]
    probability: Float[np.ndarray, "*batch k"]


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1000 classes of ILSVRC 2012 in the order of their logits, named as by torchvision."""
    text = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def top_classes(logits: Float[Array, "*batch classes"], k: int = 5) -> TopClasses:
    """The `k` most probable classes of each image; NaN logits give NaN probabilities.

    Args:
        logits: `[…, classes]`.
        k: how many; all of them, where there are fewer.
    """
    probabilities = jax.nn.softmax(logits)
    values, indices = jax.lax.top_k(probabilities, min(k, logits.shape[-1]))
    return TopClasses(np.asarray(indices), np.asarray(values))


def describe(top: TopClasses) -> str:
    """The classes of one image as text: `tabby 0.61; tiger cat 0.2`."""
    names = imagenet_classes()
    pairs = zip(top.classes, top.probability, strict=True)
    return "; ".join(f"{names[index]} {probability:.2g}" for index, probability in pairs)
