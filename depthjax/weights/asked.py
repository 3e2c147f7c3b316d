"""The weights that a word asks for: untrained, pretrained, a file, or one of these shuffled."""

from typing import Any, NamedTuple

import jax

from depthjax.models.initialization import init_variables
from depthjax.models.normalization import NORMALIZATIONS, Normalization, as_normalization
from depthjax.models.specifications import Specified, variables_sha256
from depthjax.typing import Variables
from depthjax.weights.download import Report
from depthjax.weights.loading import LoadedWeights, find_and_load
from depthjax.weights.shuffling import shuffled
from depthjax.weights.sources import WeightsFile, fetch


class Weights(NamedTuple):
    """The weights of a network for one seed.

    Fields:
        variables: the weights.
        normalization: of the pixels, as these weights expect it.
        has_trained_head: whether the outputs are trained classes.
        record: where the weights came from, for the config of a run (JSON).
    """

    variables: Variables
    normalization: Normalization | None
    has_trained_head: bool
    record: dict[str, Any]


def weights_of(
    found: Specified,
    source: str,
    seed: int,
    image_size: int | tuple[int, int],
    *,
    drop_head: bool = False,
    normalization: Any = "auto",
    prefix: str | None = None,
    on_progress: Report | None = None,
) -> Weights:
    """The weights of one source, with the normalisation that goes with them.

    Args:
        found: the model that they are for.
        source: `untrained`; `untrained:7`, from seed 7; `pretrained`, the weights that come with
            the model; `shuffled:SOURCE`, those of another source with the entries of each kernel
            permuted; or what `fetch` takes.
        seed: of untrained weights whose source names no seed, and of permutations.
        image_size: height and width of the images, in pixels.
        drop_head: whether to leave out the weights of a file for the head, and initialise it.
        normalization: as for `Layer`; "auto" for what the weights expect: nothing if untrained.
        prefix: of the names in a file, as `load_weights` takes it.
        on_progress: as `fetch` takes it.

    Raises:
        ValueError: for weights that do not exist or do not fit.
    """
    kind, _, rest = source.partition(":")
    automatic = normalization == "auto"
    stated = None if automatic else as_normalization(normalization)
    expected = found.normalization if automatic else stated
    origin = {"model": dict(found.origin)} if found.origin else {}
    if kind == "shuffled":
        if not rest:
            raise ValueError("shuffled weights are of some source: write shuffled:pretrained")
        settings = {"drop_head": drop_head, "normalization": normalization, "prefix": prefix}
        of = weights_of(found, rest, seed, image_size, on_progress=on_progress, **settings)
        record = {**of.record, "source": source, "seed": seed}
        return Weights(shuffled(of.variables, seed), of.normalization, False, record)
    if kind == "untrained":
        variables = _untrained(found, source, rest, seed, image_size)
        hashed = {"sha256": variables_sha256(variables)} if found.initialize else {}
        return Weights(variables, stated, False, {"source": source, **hashed, **origin})
    if source == "pretrained":
        variables = found.pretrained()
        record = {"source": source, "sha256": variables_sha256(variables), **origin}
        return Weights(variables, expected, found.has_trained_head, record)
    assumed = found.normalization if found.origin else NORMALIZATIONS["imagenet"]
    file = fetch(source, on_progress=on_progress, normalization=normalization, assumed=assumed)
    loaded = _of_file(found, file, prefix, drop_head=drop_head, image_size=image_size)
    place = {"prefix": loaded.prefix} if loaded.prefix else {}
    record = {**file.record(), "drop_head": drop_head, **place, **origin}
    trained = file.path is not None and not drop_head
    return Weights(loaded.variables, file.normalization, trained, record)


def _of_file(
    found: Specified, file: WeightsFile, prefix: str | None, **settings: Any
) -> LoadedWeights:
    if found.fill is None or file.path is None or file.network is not None:
        return find_and_load(found.model, file, prefix=prefix, **settings)
    state = file.read()
    if prefix is not None:
        state = {n.removeprefix(prefix): a for n, a in state.items() if n.startswith(prefix)}
    return LoadedWeights(found.fill(file.path.name, state, settings["drop_head"]), prefix or "")


def _untrained(
    found: Specified, source: str, own_seed: str, seed: int, image_size: int | tuple[int, int]
) -> Variables:
    if own_seed and not own_seed.isdecimal():
        raise ValueError(f"{source!r} has no whole number for a seed; write untrained:10{{seed}}")
    number = int(own_seed or seed)
    if found.initialize is not None:
        return found.initialize(number)
    return init_variables(found.model, jax.random.key(number), image_size)
