"""What trained networks expect of their pixels: `(pixel − mean) / std`, a channel at a time.

It is applied inside the layer, so that images stay in [0, 1] everywhere else and the zeros that
convolutions pad with are zeros of the normalised image, as they were in training.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from depthjax.errors import one_of
from depthjax.typing import Images


class Normalization(NamedTuple):
    """`(images − mean) / std`; hashable, compared by value."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Images) -> Images:
        """Images `[B, H, W, C]` in [0, 1] to what the network was trained on, same dtype."""
        mean, std = (jnp.asarray(values, images.dtype)[None, None, None] for values in self)
        return (images - mean) / std


NORMALIZATIONS: dict[str, Normalization | None] = {
    "none": None,
    "imagenet": Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""By name; `imagenet` is torchvision's and nearly all of timm's, `half` TensorFlow's."""


def as_normalization(value: Any) -> Normalization | None:
    """A normalisation from its name, from `(mean, std)`, from `{"mean": …, "std": …}`, or None.

    Raises:
        ValueError: for an unknown name, and unless there are as many means as positive standard
            deviations.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return NORMALIZATIONS[one_of("normalization", value, NORMALIZATIONS)]
    try:
        mean, std = (value["mean"], value["std"]) if isinstance(value, Mapping) else value
        result = Normalization(tuple(map(float, mean)), tuple(map(float, std)))
    except (TypeError, ValueError, KeyError):
        result = Normalization((), ())
    if not result.mean or len(result.mean) != len(result.std) or not min(result.std) > 0:
        raise ValueError(
            f"normalization must be one of {', '.join(NORMALIZATIONS)} or a pair (mean, std) with a"
            f" number for each channel and std positive, got {value!r}"
        )
    return result
