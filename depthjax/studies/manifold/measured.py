"""The nearness of arbitrary inputs to training examples, for every input and layer."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.analysis.nearness import embed, neighbour_ratio, principal_residual
from depthjax.studies.manifold.inputs import (
    Arbitrary,
)
from depthjax.studies.networks import Place
from depthjax.studies.rows import Row

NEIGHBOURS, RESIDUAL = "neighbour_ratio", "principal_residual"


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
    images: Sequence[Float[np.ndarray, "_ h w c"]],
    arbitrary: Mapping[str, Arbitrary],
    *,
    neighbours: int = 5,
    share: float = 0.9,
    max_batch: int = 256,
) -> Iterator[Row]:
    """The nearness of every arbitrary input at one layer, one row per input.

    Args:
        place: the layer.
        training_set: name of the set that the inputs are seen beside.
        images: from `images_beside`: examples, held-out examples, and each kind of input.
        arbitrary: inputs by kind.
        neighbours: k of `neighbour_ratio`.
        share: of `principal_residual`.
        max_batch: the largest number of images that are embedded at once.

    Raises:
        ValueError: as the functions of `depthjax.analysis.nearness`, naming the layer.
    """
    embedded = embed(place.layer, place.variables, np.concatenate(images), max_batch=max_batch)
    ends = np.cumsum([len(each) for each in images])[:-1]
    try:
        ratios = _ratios(np.split(embedded, ends), neighbours, share)
    except ValueError as error:
        where = f"{place.network}, seed {place.seed}, {place.name}"
        raise ValueError(f"{where}: {error}") from error
    columns: Row = {"network": place.network, "seed": place.seed, "training_set": training_set}
    columns |= {"layer": place.name, "depth": place.depth}
    for (kind, inputs), each in zip(arbitrary.items(), ratios, strict=True):
        for index, origin in enumerate(inputs.origin):
            yield {
                **columns,
                **{"input": kind, "origin": origin, "number": index},
                **{name: float(values[index]) for name, values in each.items()},
            }


def _ratios(
    embedded: Sequence[np.ndarray], neighbours: int, share: float
) -> list[dict[str, Float[np.ndarray, " m"]]]:
    """Both ratios of every arbitrary input: for each kind, arrays by column."""
    training, held_out, *arbitrary = embedded
    together = np.concatenate(arbitrary)
    ratios = {
        NEIGHBOURS: neighbour_ratio(training, held_out, together, neighbours),
        RESIDUAL: principal_residual(training, held_out, together, share),
    }
    ends = np.cumsum([len(images) for images in arbitrary])[:-1]
    split = {name: np.split(values, ends) for name, values in ratios.items()}
    return [dict(zip(split, values, strict=True)) for values in zip(*split.values(), strict=True)]
