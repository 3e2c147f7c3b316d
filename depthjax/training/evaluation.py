"""Loss and accuracy of a network over a data set."""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from depthjax.data import Augmentation, Dataset, augment
from depthjax.devices.precision import matmul_precision
from depthjax.devices.sharding import data_mesh, replicate, split_batch
from depthjax.models import Network
from depthjax.models.normalization import Normalization
from depthjax.training.step import Labels, Pixels, Structure, cross_entropy, logits
from depthjax.typing import Variables


class Evaluation(NamedTuple):
    """Means over a data set: cross-entropy in nats, and top-1 and top-5 accuracy."""

    loss: float
    top1: float
    top5: float
    examples: int


def evaluate(
    model: Network,
    variables: Variables,
    dataset: Dataset,
    *,
    batch_size: int = 256,
    normalization: Normalization | None = None,
    augmented: bool = True,
    key: Array | None = None,
    mesh: Mesh | None = None,
) -> Evaluation:
    """Loss and accuracy over a whole data set, in float32; BatchNorm and dropout do not train.

    Args:
        model, variables: the network.
        dataset: labelled images; examples with a negative label are ignored.
        batch_size: examples at once, over all devices; rounded up to a multiple of their number.
        normalization: of the pixels, inside the network.
        augmented: whether the deterministic part of the set's augmentation is applied (crop, grey).
        key: a `jax.random.key` for its random part (jitter, flips), which is otherwise left out.
        mesh: of the devices; by default all.
    """
    mesh = mesh or data_mesh()
    batch_size = -(-min(batch_size, len(dataset)) // mesh.size) * mesh.size
    augmentation = dataset.augmentation if augmented else Augmentation()
    check_classes(model, dataset, augmentation)
    structure = Structure("", "", False, False, "float32", augmentation, normalization)
    variables = replicate(variables, mesh)
    share = batch_size // jax.process_count()
    sums = np.zeros(4)
    for start in range(0, len(dataset), batch_size):
        # All batches have the same size, so that they share one compiled program. The last one is
        # filled up with examples that have no label.
        numbers = np.arange(start, start + batch_size)
        own = numbers[jax.process_index() * share :][:share]
        images, labels = dataset.read(np.minimum(own, len(dataset) - 1))
        labels = np.where(own < len(dataset), labels, -1).astype(np.int32)
        images, labels = (
            jax.make_array_from_process_local_data(split_batch(mesh), array)
            for array in (images, labels)
        )
        batch_key = None if key is None else jax.random.fold_in(key, start)
        batch = eval_step(model, structure, variables, images, labels, batch_key)
        sums += np.asarray(batch, np.float64)
    loss, top1, top5, count = sums.tolist()
    divisor = max(count, 1)
    return Evaluation(loss / divisor, top1 / divisor, top5 / divisor, int(count))


@partial(jax.jit, static_argnums=(0, 1))
def eval_step(
    model: Network,
    structure: Structure,
    variables: Variables,
    images: Pixels,
    labels: Labels,
    key: Array | None = None,
) -> Float[Array, "4"]:
    """Sums over a batch: cross-entropy, correct in top 1, correct in top 5, labelled examples."""
    pixels = augment(key, images, structure.augmentation)
    with matmul_precision(structure.precision):
        outputs, _ = logits(model, structure, variables, pixels, None)
    best = jax.lax.top_k(outputs, min(5, outputs.shape[-1]))[1]
    hits = best == labels[:, None]  # never where the label is negative
    losses = cross_entropy(outputs, labels, 0.0)
    known = labels >= 0
    return jnp.stack([losses.sum(), hits[:, 0].sum(), hits.sum(), known.sum()]).astype(jnp.float32)


def check_classes(model: Network, dataset: Dataset, augmentation: Augmentation) -> None:
    """Refuses a data set with more classes than the model has.

    Args:
        model: the network.
        dataset: labelled images.
        augmentation: of the images that the network is given.

    Raises:
        ValueError: naming both numbers; and for images of a size that the model does not take.
    """
    classes = _count_classes(model, augmentation.shape_of(dataset.image_shape))
    if classes < len(dataset.classes):
        raise ValueError(
            f"{dataset.name!r} has {len(dataset.classes)} classes and the model {classes}; build it"
            f" with num_classes={len(dataset.classes)}"
        )


@cache  # every evaluation asks, and tracing a deep network takes a second
def _count_classes(model: Network, image_shape: tuple[int, int, int]) -> int:
    images = jnp.zeros((1, *image_shape))
    (outputs, _), _ = jax.eval_shape(model.init_with_output, jax.random.key(0), images)
    return outputs.shape[-1]
