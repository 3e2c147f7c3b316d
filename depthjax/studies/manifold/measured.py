"""How near inputs, and what is recovered of them, lie to training examples: a row for each."""

from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Float

from depthjax.analysis.nearness import embed_flat, neighbour_distance, principal_distance
from depthjax.inversion.autoencoding import autoencode
from depthjax.inversion.config import InversionConfig
from depthjax.studies.manifold.inputs import Arbitrary, Beside
from depthjax.studies.networks import Place
from depthjax.studies.rows import Row

NEIGHBOURS, PRINCIPAL = "neighbour_distance", "principal_distance"
EMBEDDED, RECOVERED = "embedding", "recovered image"
"""What lies near or far: the embedding of an input among embeddings of training examples, or the
image recovered from its embedding among training examples themselves."""


def places_by_training_set(
    places: Sequence[Place], untrained: str, trained_on: Mapping[str, str], dataset: str
) -> list[tuple[str, Place]]:
    """Training sets, each with the layers that are measured on it.

    These are the layers of the networks trained on it, and those of the untrained network.

    Args:
        places: the layers of all networks.
        untrained: the network that all others are compared with.
        trained_on: the training set of each other network.
        dataset: the training set if there is only the untrained network.
    """
    sets = list(dict.fromkeys(trained_on.values())) or [dataset]
    return [
        (spec, place)
        for spec in sets
        for place in places
        if place.network == untrained or trained_on[place.network] == spec
    ]


def rows_at(
    place: Place,
    training_set: str,
    beside: Beside,
    arbitrary: Mapping[str, Arbitrary],
    *,
    neighbours: int = 5,
    share: float = 0.9,
    max_batch: int = 256,
) -> Iterator[Row]:
    """The nearness of the embedding of every input at one layer, one row per input.

    Args:
        place: the layer.
        training_set: name of the set that the inputs are seen beside.
        beside: the images, from `images_beside`.
        arbitrary: inputs by kind.
        neighbours: k of `neighbour_distance`.
        share: of `principal_distance`.
        max_batch: the largest number of images that are embedded at once.

    Raises:
        ValueError: as the functions of `depthjax.analysis.nearness`, naming the layer.
    """
    images = [beside.training, *beside.inputs.values()]
    embedded = embed_flat(place.layer, place.variables, np.concatenate(images), max_batch=max_batch)
    training, others = np.split(embedded, [len(beside.training)])
    origins = [
        (kind, arbitrary[kind].origin[number] if kind in arbitrary else str(number), number)
        for kind, inputs in beside.inputs.items()
        for number in range(len(inputs))
    ]
    columns = _columns(place, training_set, EMBEDDED)
    near = _distances(place, training, others, neighbours, share)
    for index, (kind, origin, number) in enumerate(origins):
        where = {"input": kind, "origin": origin, "number": number, "embedding_ratio": np.nan}
        yield {**columns, **where, **{name: float(values[index]) for name, values in near.items()}}


def recovered_rows(
    place: Place,
    training_set: str,
    beside: Beside,
    arbitrary: Mapping[str, Arbitrary],
    *,
    count: int,
    steps: int,
    neighbours: int = 5,
    share: float = 0.9,
    max_batch: int = 256,
) -> Iterator[Row]:
    """Where the images lie that are recovered from embeddings of arbitrary inputs, one row each.

    Every network gets the same inputs and the same starts. Distances are of images in [0, 1], seen
    as the training set was.

    Args:
        place, training_set, beside, arbitrary, neighbours, share, max_batch: as for `rows_at`.
        count: so many inputs of each kind, the first ones.
        steps: of each descent.

    Raises:
        ValueError: as the functions of `depthjax.analysis.nearness`, naming the layer.
    """
    origins = [
        (kind, inputs.origin[number], number)
        for kind, inputs in arbitrary.items()
        for number in range(min(count, len(inputs.images)))
    ]
    targets = np.stack([beside.inputs[kind][number] for kind, _, number in origins])
    targets = np.clip(targets, 0.0, 1.0)  # some of Gaussian noise lies outside
    found = autoencode(
        jax.random.key(0),
        place.layer,
        place.variables,
        targets,
        InversionConfig(steps=steps),
        max_batch=max_batch,
    )
    seen = beside.as_seen(np.asarray(found.images))
    training, others = (each.reshape(len(each), -1) for each in (beside.training, seen))
    near = _distances(place, training, others, neighbours, share)
    near["embedding_ratio"] = np.asarray(found.measurement.embedding_ratio)
    columns = _columns(place, training_set, RECOVERED)
    for index, (kind, origin, number) in enumerate(origins):
        where = {"input": kind, "origin": origin, "number": number}
        yield {**columns, **where, **{name: float(values[index]) for name, values in near.items()}}


def _columns(place: Place, training_set: str, seen: str) -> Row:
    return {
        **{"network": place.network, "seed": place.seed, "training_set": training_set},
        **{"layer": place.name, "depth": place.depth, "seen": seen},
    }


def _distances(
    place: Place,
    training: Float[np.ndarray, "n features"],
    others: Float[np.ndarray, "m features"],
    neighbours: int,
    share: float,
) -> dict[str, Float[np.ndarray, " m"]]:
    """Both distances, by column."""
    try:
        return {
            NEIGHBOURS: neighbour_distance(training, others, neighbours),
            PRINCIPAL: principal_distance(training, others, share),
        }
    except ValueError as error:
        where = f"{place.network}, seed {place.seed}, {place.name}"
        raise ValueError(f"{where}: {error}") from error
