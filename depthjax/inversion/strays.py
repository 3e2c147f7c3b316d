"""Descents that soft gates lead astray: back to the best image, with harder gates.

A soft gate has the true value and another derivative, so a step along it may go uphill. Where it
does so for long, units die that the descent needs, and it never comes back by itself.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from depthjax.devices.sharding import BY_EXAMPLE, on_each
from depthjax.inversion.config import Structure
from depthjax.inversion.parametrisations import parametrisation_of
from depthjax.inversion.state import RUNNING, State, fresh_optimizer
from depthjax.inversion.steps import select

LOOK_EVERY = 20
"""Steps after which strays are looked for."""

STRAY = 4.0
"""How many times its least objective a descent may have before it counts as gone astray."""

HARDER = 0.25
"""What the softness of its gates is then multiplied with."""


@partial(jax.jit, static_argnums=0, static_argnames="mesh", donate_argnums=1)
def bring_back(structure: Structure, state: State, *, mesh: Mesh | None = None) -> State:
    """The state with all that have gone astray at their best images again, without a memory.

    Args:
        structure: of the config.
        state: between two steps.
        mesh: the devices that share the batch; None for the one where the arrays lie.
    """
    back: State = on_each(partial(_bring_back, structure), mesh, BY_EXAMPLE, BY_EXAMPLE)(state)
    return back


def _bring_back(structure: Structure, state: State) -> State:
    above = state.objective > STRAY * state.best_objective
    strayed = above & (state.best_objective > 0) & (state.status == RUNNING)
    images, parameters = state.best_images, None
    if parametrisation := parametrisation_of(structure.moved, images.shape[1:]):
        parameters = parametrisation.encode(images)
        images = parametrisation.decode(parameters)
    fresh = fresh_optimizer(structure, images if parameters is None else parameters)
    back = partial(select, strayed)
    return state._replace(
        images=back(images, state.images),
        parameters=jax.tree.map(back, parameters, state.parameters),
        optimizer=jax.tree.map(back, fresh, state.optimizer),
        objective=jnp.where(strayed, state.best_objective, state.objective),
        softness=jnp.where(strayed, HARDER * state.softness, state.softness),
    )
