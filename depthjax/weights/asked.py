"""The weights that a word asks for: untrained, pretrained, a file, or a control made of these."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from depthjax.models.initialization import init_variables
from depthjax.models.normalization import NORMALIZATIONS, Normalization, as_normalization
from depthjax.models.specifications import Specified, variables_sha256
from depthjax.typing import Variables
from depthjax.weights.calibration import (
    calibrated,
    crops_for,
    folded_norms,
    unfolded,
)
from depthjax.weights.controls import (
    CALIBRATED,
    CONTROLS,
    ROTATED,
    SHUFFLED,
    UNNORMALIZED,
    controls_in,
)
from depthjax.weights.download import Report
from depthjax.weights.kernels import rotated, shuffled
from depthjax.weights.loading import LoadedWeights, find_and_load
from depthjax.weights.sources import WeightsFile, fetch

_DRAWN: dict[str, Callable[[Variables, int], Variables]] = {ROTATED: rotated, SHUFFLED: shuffled}


class Weights(NamedTuple):
    """The weights of a network for one seed.

    Fields:
        variables: the weights.
        normalization: of the pixels, as these weights expect it.
        has_trained_head: whether the outputs are trained classes.
        record: where the weights came from, for the config of a run (JSON). It has a `seed` if and
            only if they were drawn from one.
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
    grey: bool = False,
    on_progress: Report | None = None,
) -> Weights:
    """The weights of one source, with the normalisation that goes with them.

    Args:
        found: the model that they are for.
        source: `untrained`; `untrained:7`, from seed 7; `pretrained`, the weights that come with
            the model; what `fetch` takes; or one of these after one or more of `CONTROLS`.
        seed: of untrained weights whose source names no seed, and of controls that are drawn.
        image_size: height and width of the images, in pixels.
        drop_head: whether to leave out the weights of a file for the head, and initialise it.
        normalization: as for `Layer`; "auto" for what the weights expect: nothing if untrained.
        prefix: of the names in a file, as `load_weights` takes it.
        grey: whether the network is shown images without colour: statistics of controls are then of
            such crops, too.
        on_progress: as `fetch` takes it.

    Raises:
        ValueError: for weights that do not exist or do not fit, and for controls of nothing.
    """
    settings: dict[str, Any] = {
        "drop_head": drop_head,
        "prefix": prefix,
        "on_progress": on_progress,
    }
    kind, _, rest = source.partition(":")
    if kind not in CONTROLS:
        return _plain(found, source, seed, image_size, normalization=normalization, **settings)
    if not rest:
        raise ValueError(f"{kind} weights are of some source: write {kind}:pretrained")
    settings |= {"grey": grey, "normalization": normalization}
    if kind == UNNORMALIZED:
        settings["normalization"] = "none"
    of = weights_of(found, rest, seed, image_size, **settings)
    if kind == UNNORMALIZED:
        return of._replace(record={**of.record, "source": source})
    return _control(found, source, of, seed, image_size, grey)


def _control(
    found: Specified,
    source: str,
    of: Weights,
    seed: int,
    image_size: int | tuple[int, int],
    grey: bool,
) -> Weights:
    """The control that a source begins with, of the weights that the rest of it names."""
    kind = source.partition(":")[0]
    record = {**of.record, "source": source}
    variables = of.variables
    folded = folded_norms(found.model, variables)
    if folded or kind == CALIBRATED:
        images, record["crops"] = crops_for(found.model, image_size, grey=grey)
    if folded:
        variables = unfolded(found.model, variables, images, of.normalization)
    if kind == CALIBRATED:
        variables = calibrated(found.model, variables, images, of.normalization)
        return of._replace(variables=variables, record=record)
    return Weights(_DRAWN[kind](variables, seed), of.normalization, False, {**record, "seed": seed})


def _plain(
    found: Specified,
    source: str,
    seed: int,
    image_size: int | tuple[int, int],
    *,
    drop_head: bool,
    normalization: Any,
    prefix: str | None,
    on_progress: Report | None,
) -> Weights:
    """The weights of a source that is no control."""
    kind, _, rest = source.partition(":")
    automatic = isinstance(normalization, str) and normalization == "auto"
    stated = None if automatic else as_normalization(normalization)
    expected = found.normalization if automatic else stated
    origin = {"model": dict(found.origin)} if found.origin else {}
    if kind == "untrained":
        number = _seed_of(source, rest, seed)
        variables = _untrained(found, number, image_size)
        hashed = {"sha256": variables_sha256(variables)} if found.initialize else {}
        record = {"source": source, "seed": number, **hashed, **origin}
        return Weights(variables, stated, False, record)
    if source == "pretrained":
        variables = found.pretrained()
        record = {"source": source, "sha256": variables_sha256(variables), **origin}
        return Weights(variables, expected, found.has_trained_head, record)
    file = _file(found, source, normalization=normalization, on_progress=on_progress)
    loaded = _of_file(found, file, prefix, drop_head=drop_head, image_size=image_size)
    place = {"prefix": loaded.prefix} if loaded.prefix else {}
    record = {**file.record(), "drop_head": drop_head, **place, **origin}
    trained = file.path is not None and not drop_head
    return Weights(loaded.variables, file.normalization, trained, record)


def expected_normalization(found: Specified, source: str) -> Normalization | None:
    """What trained weights expect of their pixels, without loading them.

    Args:
        found: the model that they are for.
        source: as `weights_of` takes it. A file that is not here is downloaded.

    Raises:
        ValueError: for weights that do not exist.
    """
    base = controls_in(source)[1]
    return found.normalization if base == "pretrained" else _file(found, base).normalization


def _file(found: Specified, source: str, **settings: Any) -> WeightsFile:
    """The file of a source; one that says nothing of its pixels is taken to be as its model is."""
    assumed = found.normalization if found.origin else NORMALIZATIONS["imagenet"]
    return fetch(source, assumed=assumed, **settings)


def _of_file(
    found: Specified, file: WeightsFile, prefix: str | None, **settings: Any
) -> LoadedWeights:
    if found.fill is None or file.path is None or file.network is not None:
        return find_and_load(found.model, file, prefix=prefix, **settings)
    filled = found.fill(file.path.name, file.read(), settings["drop_head"], prefix)
    return LoadedWeights(*filled)


def _seed_of(source: str, own: str, seed: int) -> int:
    if own and not own.isdecimal():
        raise ValueError(f"{source!r} has no whole number for a seed; write untrained:10{{seed}}")
    return int(own or seed)


def _untrained(found: Specified, seed: int, image_size: int | tuple[int, int]) -> Variables:
    if found.initialize is not None:
        return found.initialize(seed)
    return init_variables(found.model, jax.random.key(seed), image_size)
