"""What a network sees in recovered images: its classes, and its embeddings at every layer."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.metamers import MetamerTest, Null, metamer_test
from depthjax.analysis.perceptual import Judge
from depthjax.analysis.residual import Residual, residual_shares
from depthjax.devices.precision import matmul_precision
from depthjax.folders.inversions import Run
from depthjax.inversion.metrics import embedding_distances
from depthjax.inversion.preparing import prepare_for_measuring
from depthjax.models import Network, labels
from depthjax.models.embeddings import embed, embedding_shape
from depthjax.models.layers import Layer
from depthjax.studies.classifier import head_of
from depthjax.typing import Images, LayerFn, Variables
from depthjax.weights import Weights

Recovered: TypeAlias = Float[jax.Array, "*batch h w c"]


def imagenet_head(model: Network, weights: Weights) -> Layer | None:
    """The logits of a network if its weights know ImageNet's classes, else None."""
    if not weights.has_trained_head:
        return None
    head = head_of(model, weights.normalization)
    biases = weights.variables["params"].get(head.node, {}).get("bias", ())
    return head if len(biases) == labels.IMAGENET_CLASSES else None


def top_classes(
    head: LayerFn, variables: Variables, images: Float[jax.Array | np.ndarray, "*batch h w c"]
) -> labels.TopClasses:
    """The five likeliest classes of each image, `[…, 5]`.

    Args:
        head: the logits, from `imagenet_head`.
        variables: its weights.
        images: in [0, 1].
    """
    *batch, height, width, channels = images.shape
    logits, weights = prepare_for_measuring(head, variables)
    with matmul_precision():
        together = jnp.asarray(images).reshape(-1, height, width, channels)
        top = labels.top_classes(logits(weights, together))
    return labels.TopClasses(*(array.reshape(*batch, -1) for array in top))


def what_networks_see(
    head: Layer | None,
    variables: Variables,
    judge: Judge | None,
    targets: Images,
    test: Callable[[str, Recovered], MetamerTest] | None = None,
) -> Callable[[str, Recovered], dict[str, Any]]:
    """What is seen in recovered images, as `RunWriter.save_layer` takes it.

    Args:
        head: the logits of the network, from `imagenet_head`; None if it knows no classes.
        variables: its weights.
        judge: another network, which compares images with the targets; None for no comparison.
        targets: a.
        test: whether images recovered from a layer are metamers, from `metamers_of`; None for no
            test.

    Returns:
        A function of a layer's name and images `[B, H, W, C]` or `[R, B, H, W, C]`.
    """
    of_targets = {} if head is None else {"target_top": top_classes(head, variables, targets)}

    def look(layer: str, recovered: Recovered) -> dict[str, Any]:
        seen: dict[str, Any] = dict(of_targets)
        if head is not None:
            seen["recovered_top"] = top_classes(head, variables, recovered)
        if judge is not None:
            seen["perceptual_distance"] = judge.distance(targets, recovered)
        if test is not None:
            seen["metamer"] = test(layer, recovered)
        return seen

    return look


def metamers_of(
    layers: Mapping[str, Layer],
    model: Network,
    variables: Variables,
    targets: Images,
    null: Null | None,
    quantile: float,
) -> Callable[[str, Recovered], MetamerTest] | None:
    """A test of images that were recovered from a layer; None without a null distribution.

    Args:
        layers: of the network, by name.
        model: the network, whose last layer says the class.
        variables: its weights.
        targets: a.
        null: of all these layers.
        quantile: of it that must be exceeded.

    Raises:
        ValueError: for a null distribution of another network, layer or size.
    """
    if null is None:
        return None
    for name, layer in layers.items():
        null.check(name, layer, variables, targets.shape)
    normalization = next(iter(layers.values())).normalization
    classifier = head_of(model, normalization)

    def test(layer: str, recovered: Recovered) -> MetamerTest:
        only = {layer: layers[layer]}  # the ratio matrix says how near the others are
        asked = only, variables, classifier, layer, recovered, targets, null
        return metamer_test(*asked, quantile=quantile)

    return test


def ratio_matrix(
    layers: Mapping[str, Layer], variables: Variables, run: Run
) -> Float[np.ndarray, "recovered measured restarts images"]:
    """ρ at every layer, of the images recovered from every layer.

    Args:
        layers: all layers of the run, by name.
        variables: their weights.
        run: finished.
    """
    columns, targets = [], jnp.asarray(run.targets)
    for name, layer in layers.items():
        prepared = prepare_for_measuring(layer, variables)
        distances = [
            embedding_distances(*prepared, targets, jnp.asarray(recovered))
            for recovered in run.stack("images")
        ]
        columns.append(np.stack(distances) / run.layers[name]["reference_embedding_distance"])
    return np.stack(columns, axis=1)


def residuals(layers: Mapping[str, Layer], variables: Variables, run: Run) -> dict[str, Residual]:
    """Where the residuals of the images of the first restart sit, at layers that are maps.

    Args:
        layers: all layers of the run, by name.
        variables: their weights.
        run: finished.
    """
    found = {}
    for name, layer in layers.items():
        if embedding_shape(layer, variables, jnp.asarray(run.targets)).ndim == 4:
            prepared = prepare_for_measuring(layer, variables)
            images = (run.layers[name]["images"][0], run.targets)
            pair = [embed(*prepared, jnp.asarray(each)) for each in images]
            found[name] = residual_shares(*pair)
    return found
