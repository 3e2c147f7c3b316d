"""Whether a recovered image is a metamer of its target at a layer: the test of Feather et al."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from depthjax.analysis.metamers.likeness import Likeness, likeness
from depthjax.analysis.metamers.null import Null
from depthjax.analysis.nearness import embed_flat, flat_embedder
from depthjax.errors import one_of
from depthjax.typing import LayerFn, Variables

_NO_LABEL = -1


@dataclass(frozen=True)
class MetamerTest:
    """Whether recovered images are metamers of their targets, and how alike they are elsewhere.

    Fields:
        layer: where they were matched.
        label: the class that the network's own classifier gives each image, `[…, B]`; -1 for one
            whose logits are not finite.
        target_label: the same of the targets, `[B]`.
        likeness: of the embeddings at every layer, by name; each statistic `[…, B]`, float64.
        bounds: what each statistic must exceed at `layer`, as a float.
    """

    layer: str
    label: Int[np.ndarray, "*leading batch"]
    target_label: Int[np.ndarray, " batch"]
    likeness: Mapping[str, Likeness]
    bounds: Likeness

    @property
    def same_label(self) -> Bool[np.ndarray, "*leading batch"]:
        """Whether the network gives the image the class that it gives the target."""
        return (self.label == self.target_label) & (self.label != _NO_LABEL)

    @property
    def exceeds(self) -> Likeness:
        """Whether each statistic at the matched layer exceeds its bound, `[…, B]`; NaN does not."""
        found = self.likeness[self.layer]
        pairs = zip(found, self.bounds, strict=True)
        return Likeness(*(np.asarray(value > bound) for value, bound in pairs))

    @property
    def passed(self) -> Bool[np.ndarray, "*leading batch"]:
        """Whether all of it holds: a metamer."""
        return np.logical_and.reduce([self.same_label, *self.exceeds])


def metamer_test(
    layers: Mapping[str, LayerFn],
    variables: Variables,
    classifier: LayerFn,
    layer: str,
    recovered: Float[Array | np.ndarray, "*leading batch height width channels"],
    targets: Float[Array | np.ndarray, "batch height width channels"],
    null: Null,
    *,
    quantile: float | int = 1.0,
) -> MetamerTest:
    """Tests whether images that were recovered from a layer are metamers of their targets there.

    An image passes if the network gives it the target's class, and if the rank correlation, the
    correlation and the signal-to-noise ratio of its embedding with the target's each exceed what
    pairs of unrelated photographs have (Feather et al. 2023, "Model metamers…", Methods, who take
    the maximum of 10⁶ pairs). Images are measured as they are, also outside [0, 1].

    Args:
        layers: of one network, by name: the matched one, and others whose likeness is measured too.
        variables: its weights.
        classifier: its logits, `[B, classes]`.
        layer: the name of the matched one.
        recovered: images `[B, H, W, C]` or `[restarts, B, H, W, C]`.
        targets: theirs, `[B, H, W, C]`, pixels in [0, 1].
        null: of this network, layer and size, from `natural_null`.
        quantile: of the null distribution that must be exceeded; 1 is its maximum.

    Raises:
        ValueError: for a layer that is not among them, and a null distribution that belongs to
            another network, layer or size.
    """
    one_of("layer", layer, layers)
    null.check(layer, layers[layer], variables, np.shape(targets))
    bounds = null.quantile(layer, quantile)
    found, wanted = np.asarray(recovered, np.float32), np.asarray(targets, np.float32)
    return MetamerTest(
        layer,
        labels(classifier, variables, found),
        labels(classifier, variables, wanted),
        {name: _likeness(one, variables, found, wanted) for name, one in layers.items()},
        bounds,
    )


def labels(
    classifier: LayerFn,
    variables: Variables,
    images: Float[np.ndarray, "*batch height width channels"],
) -> Int[np.ndarray, "*batch"]:
    """The class that a network gives each image, an index of its logits.

    Args:
        classifier: its logits, `[B, classes]`.
        variables: its weights.
        images: in [0, 1].

    Returns:
        -1 where the logits are not finite.
    """
    logits = embed_flat(classifier, variables, images.reshape(-1, *images.shape[-3:]))
    known = np.isfinite(logits).all(1)
    found = np.where(known, np.nan_to_num(logits).argmax(1), _NO_LABEL)
    return np.asarray(found.reshape(images.shape[:-3]))


def _likeness(
    layer: LayerFn, variables: Variables, found: np.ndarray, targets: np.ndarray
) -> Likeness:
    """At one layer, restart by restart: so many embeddings are in memory at once."""
    embed = flat_embedder(layer, variables, targets)
    wanted = embed(targets)
    restarts = found.reshape(-1, *targets.shape)
    each = [likeness(embed(one), wanted) for one in restarts]
    shape = found.shape[:-3]
    return Likeness(*(np.stack(values).reshape(shape) for values in zip(*each, strict=True)))
