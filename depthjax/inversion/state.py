"""Where a descent stands: all that the compiled loop takes and gives back, and the first of it."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Int

from depthjax.devices.sharding import BY_EXAMPLE, on_each
from depthjax.inversion import gauss_newton
from depthjax.inversion.config import Structure
from depthjax.inversion.parametrisations import parametrisation_of
from depthjax.inversion.problem import optimizer_of
from depthjax.typing import Images, PerExample

RUNNING, PLATEAU, NON_FINITE, REACHED = 0, 1, 2, 3
"""Why an example stopped (`Inversion.status`): it did not stop, it converged, it overflowed, or its
embedding came as near as was asked for."""


class State(NamedTuple):
    """All that a descent needs to go on; B is images × restarts.

    Every device has a `step` of its own; within the loop of one it is a single number.
    """

    step: Int[Array, "*devices"]
    images: Images
    parameters: Any  # what is moved in their place; None: they are
    optimizer: Any
    objective: PerExample  # of the images before the last step
    softness: PerExample  # of gates, beside what the step prescribes; see `strays`
    best_images: Images
    best_objective: PerExample
    best_step: Int[Array, " batch"]
    plateau_objective: PerExample
    plateau_step: Int[Array, " batch"]
    status: Int[Array, " batch"]
    stopped_step: Int[Array, " batch"]
    stop_distance: PerExample


@partial(jax.jit, static_argnums=0, static_argnames="mesh")
def initial_state(
    structure: Structure,
    start: Images,
    stop_distance: PerExample | None = None,
    *,
    mesh: Mesh | None = None,
) -> State:
    """The state before the first step.

    Args:
        structure: of the config; only the optimiser and what it moves matter here.
        start: `[B, H, W, C]`; where something else is moved, the images that come nearest.
        stop_distance: m_g at which an example stops, `[B]`; None: it never does.
        mesh: the devices that share the batch, each of which makes its part; None for the one where
            the arrays lie.
    """
    if stop_distance is None:
        stop_distance = jnp.full(start.shape[0], -jnp.inf, start.dtype)
    make = on_each(partial(_initial, structure), mesh, BY_EXAMPLE, BY_EXAMPLE)
    made: State = make(start, stop_distance)
    return made


def _initial(structure: Structure, start: Images, stop_distance: PerExample) -> State:
    batch = start.shape[0]
    zeros = jnp.zeros(batch, jnp.int32)
    infinite = jnp.full(batch, jnp.inf, start.dtype)

    parametrisation = parametrisation_of(structure.moved, start.shape[1:])
    parameters = parametrisation.encode(start) if parametrisation else None
    if parametrisation:
        start = parametrisation.decode(parameters)

    return State(
        step=jnp.zeros(1, jnp.int32),
        images=start,
        parameters=parameters,
        optimizer=fresh_optimizer(structure, start if parameters is None else parameters),
        objective=infinite,
        softness=jnp.ones(batch, start.dtype),
        best_images=start,
        best_objective=infinite,
        best_step=zeros,
        plateau_objective=infinite,
        plateau_step=zeros,
        status=zeros,
        stopped_step=zeros,
        stop_distance=stop_distance,
    )


def fresh_optimizer(structure: Structure, moved: Any) -> Any:
    """What an optimiser remembers before its first step.

    Args:
        structure: names it.
        moved: what it moves, of all examples.
    """
    if structure.optimizer == "gauss_newton":
        options = gauss_newton.Options(**dict(structure.optimizer_options))
        return jnp.full(len(moved), options.damping, moved.dtype)
    # An optimiser's first state has the shape of its parameters, whatever the decay.
    return jax.vmap(optimizer_of(structure, 0.0).init)(jax.tree.map(jnp.zeros_like, moved))
