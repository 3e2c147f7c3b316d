"""Both ratios to held-out examples, for every arbitrary input at every layer."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from jaxtyping import Float

from depthjax.analysis.nearness import embed, neighbour_ratio, principal_residual
from depthjax.studies.manifold.inputs import (
    Arbitrary,
    Choice,
    prepare_images,
    training_and_held_out,
)
from depthjax.studies.networks import Place
from depthjax.studies.rows import Row

NEIGHBOURS, RESIDUAL = "neighbour_ratio", "principal_residual"


def places_by_training_set(
    places: Sequence[Place], untrained: str, trained_on: Mapping[str, str], dataset: str
) -> list[tuple[str, Place]]:
    """Training sets with the places that are seen beside each: its networks', and untrained ones.

    Args:
        places: of all networks.
        untrained: the network that all others are compared with.
        trained_on: the training set of each other network.
        dataset: the set for untrained networks if there are no others.
    """
    sets = list(dict.fromkeys(trained_on.values())) or [dataset]
    return [
        (spec, place)
        for spec in sets
        for place in places
        if place.network == untrained or trained_on[place.network] == spec
    ]


def rows_of(
    pairs: Sequence[tuple[str, Place]],
    choice: Choice,
    arbitrary: Mapping[str, Arbitrary],
    *,
    neighbours: int = 5,
    share: float = 0.9,
    max_batch: int = 256,
) -> Iterator[list[Row]]:
    """The rows of each pair of a training set and a place, one for each arbitrary input.

    Args:
        pairs: from `places_by_training_set`.
        choice: of the examples of training sets.
        arbitrary: inputs by kind.
        neighbours: which nearest neighbour's distance.
        share: of the variance that principal components hold.
        max_batch: images embedded at once.

    Raises:
        ValueError: as `depthjax.analysis.nearness`, naming the place.
    """
    for spec, group in groupby(pairs, itemgetter(0)):
        training, held_out, augmentation = training_and_held_out(choice, spec)
        together = [training, held_out, *(inputs.images for inputs in arbitrary.values())]
        images = [prepare_images(each, augmentation) for each in together]
        ends = np.cumsum([len(each) for each in images])[:-1]
        for _, place in group:
            embedded = embed(
                place.layer, place.variables, np.concatenate(images), max_batch=max_batch
            )
            try:
                ratios = _ratios(np.split(embedded, ends), neighbours, share)
            except ValueError as error:
                where = f"{place.network}, seed {place.seed}, {place.name}"
                raise ValueError(f"{where}: {error}") from error
            columns: Row = {"network": place.network, "seed": place.seed, "training_set": spec}
            columns |= {"layer": place.name, "depth": place.depth}
            yield [
                columns
                | {"input": kind, "origin": origin, "number": index}
                | {name: float(values[index]) for name, values in each.items()}
                for (kind, inputs), each in zip(arbitrary.items(), ratios, strict=True)
                for index, origin in enumerate(inputs.origin)
            ]


def _ratios(
    embedded: Sequence[np.ndarray], neighbours: int, share: float
) -> list[dict[str, Float[np.ndarray, " m"]]]:
    """For each kind of arbitrary input, both ratios of every one."""
    training, held_out, *arbitrary = embedded
    every = np.concatenate(arbitrary)
    found = {
        NEIGHBOURS: neighbour_ratio(training, held_out, every, neighbours),
        RESIDUAL: principal_residual(training, held_out, every, share),
    }
    ends = np.cumsum([len(images) for images in arbitrary])[:-1]
    split = {name: np.split(values, ends) for name, values in found.items()}
    return [dict(zip(split, values, strict=True)) for values in zip(*split.values(), strict=True)]
