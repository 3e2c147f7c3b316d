"""What the loop runs on: a layer and its weights, made fast and laid out on the devices."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from depthjax.devices.sharding import local_mesh, replicate
from depthjax.devices.spreading import Gathering, SpreadLayer, fits, spread
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.parts import PartedLayer
from depthjax.inversion.penalties import ask_the_layer
from depthjax.models.fast import fast_form
from depthjax.models.moments import observed_layer
from depthjax.typing import LayerFn, Variables


class Prepared(NamedTuple):
    """A layer as the loop runs it; `layer(weights, images)` is the embedding, as ever."""

    layer: LayerFn
    weights: Variables


def prepare_for_descent(
    layer: LayerFn,
    variables: Variables,
    config: InversionConfig,
    images: Any = None,
    *,
    spread: bool = False,
) -> Prepared:
    """The layer's fast form (`depthjax.models.fast`), not verified yet.

    Args:
        layer, variables: as in `invert`.
        config: whether to rematerialise.
        images: where a descent begins, or their shape and dtype; without any, a plain function
            stays as it is.
        spread: whether the weights will lie in parts on several devices. They are then prepared in
            the host's memory, and the layer gathers them while it runs.
    """
    if not spread or not hasattr(layer, "prepare"):
        return _prepare(layer, variables, config, images, spread)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return _prepare(layer, jax.device_get(variables), config, images, spread)


def _prepare(
    layer: LayerFn, variables: Variables, config: InversionConfig, images: Any, spread: bool
) -> Prepared:
    layer = _with_gradient(layer, config)
    own = getattr(layer, "prepare", None)
    by_operation = own is not None and "rematerialize" in inspect.signature(own).parameters
    if spread and not by_operation:
        fast, weights = (layer, variables) if own is None else own(variables)
        return Prepared(Gathering(fast), weights)
    # Where activations are computed again, weights are gathered again, and need not be kept.
    # Gauss–Newton makes many products with one linearisation, which keeps all that they take.
    again = (config.rematerialize or spread) and config.optimizer != "gauss_newton"
    settings = {"rematerialize": True} if again and by_operation else {}
    asks = images is not None and ask_the_layer(config.structure.penalties)
    form: Callable[..., tuple[LayerFn, Variables]] = observed_layer if asks else fast_form
    fast, weights = form(layer, variables, images, **settings)
    joined = hasattr(layer, "part_shapes") and images is not None
    shapes = layer.part_shapes(variables, images) if joined else ()  # type: ignore[attr-defined]
    return Prepared(PartedLayer(fast, shapes) if shapes else fast, weights)


def _with_gradient(layer: LayerFn, config: InversionConfig) -> LayerFn:
    """The layer with the gradient of its gates that a config asks for."""
    how, soft = config.relu_gradient, config.soft_gates
    if how == "true" and not soft:
        return layer
    method, asked, none, arguments = (
        ("with_soft_gates", f"soft_gates={soft:g}", "soft_gates=0", ())
        if soft
        else ("with_relu_gradient", f"relu_gradient={how!r}", "relu_gradient='true'", (how,))
    )
    change = getattr(layer, method, None)
    if change is None:
        raise ValueError(
            f"{asked} needs a depthjax.Layer of a network, whose gates are known; for a function of"
            f" your own set {none}, or change its gates there"
        )
    changed: LayerFn = change(*arguments)
    return changed


def prepared_shapes(
    layer: LayerFn,
    variables: Variables,
    config: InversionConfig,
    images: Any = None,
    *,
    spread: bool = False,
) -> Prepared:
    """`prepare_for_descent` without computing anything: its weights are shapes and dtypes."""
    layers: list[LayerFn] = []

    def prepare(variables: Variables) -> Variables:
        prepared = _prepare(layer, variables, config, images, spread)
        layers.append(prepared.layer)
        return prepared.weights

    weights = jax.eval_shape(prepare, variables)
    return Prepared(layers[0], weights)


def must_spread(
    layer: LayerFn,
    variables: Variables,
    config: InversionConfig,
    mesh: Mesh,
    free: int | None = None,
) -> bool:
    """Whether the weights have to lie in parts: one device of several has no room for all.

    Args:
        layer, variables, config: as in `invert`.
        mesh: the devices.
        free: bytes that a device may use; None: as many as it has.
    """
    return mesh.size > 1 and not fits(prepared_shapes(layer, variables, config).weights, free)


def prepare_for_measuring(
    layer: LayerFn,
    variables: Variables,
    *,
    mesh: Mesh | None = None,
    spread_weights: bool | None = None,
) -> Prepared:
    """What distances are measured with: the layer as it is, wherever a device has room for it.

    Args:
        layer, variables, mesh, spread_weights: as in `invert`. With weights in parts the layer's
            fast form runs on all devices and gathers the weights of one operation at a time; a
            layer without one gathers all of them, for as long as it runs.
    """
    if isinstance(layer, SpreadLayer):
        return Prepared(layer, variables)
    config, mesh = InversionConfig(), mesh or local_mesh()
    if spread_weights is None:
        spread_weights = must_spread(layer, variables, config, mesh)
    if not spread_weights:
        return Prepared(layer, variables)
    fast, weights = prepare_for_descent(layer, variables, config, spread=True)
    return Prepared(SpreadLayer(fast, mesh), place_weights(weights, mesh, in_parts=True))


def place_weights(weights: Variables, mesh: Mesh | None, *, in_parts: bool) -> Any:
    """Weights on the devices of a mesh, in parts or whole on each; without a mesh as they are."""
    if mesh is None:
        return weights
    return spread(weights, mesh) if in_parts else replicate(weights, mesh)
