"""One step of a descent, inside the compiled loop: where it leads, and who takes it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from depthjax.inversion import gauss_newton
from depthjax.inversion.config import Structure
from depthjax.inversion.coordinates import Coordinates, coordinates_of
from depthjax.inversion.problem import Data, Problem, optimizer_of
from depthjax.inversion.state import NON_FINITE, PLATEAU, REACHED, RUNNING, State
from depthjax.ops.examples import per_example
from depthjax.typing import Embedding, Images, PerExample


class Candidate(NamedTuple):
    """What a step found out about the images, and where it would take them.

    Fields:
        embedding, objective: of the images as the network sees them.
        images, parameters, optimizer: the next images, what is moved in their place if anything is,
            and the optimiser's next state.
    """

    embedding: Embedding
    objective: PerExample
    images: Images
    parameters: Any
    optimizer: Any


Step = Callable[[State], Candidate]


def make_step(structure: Structure, problem: Problem, data: Data) -> Step:
    """The step of an optimiser.

    Args:
        structure: names the optimiser.
        problem: what it minimises.
        data: of the batch.
    """
    kind = _gauss_newton_step if structure.optimizer == "gauss_newton" else _gradient_step
    return partial(kind, structure, problem, data)


def _gradient_step(structure: Structure, problem: Problem, data: Data, state: State) -> Candidate:
    decode = problem.decode
    place, point = (problem.move, state.parameters) if decode else (problem.place, state.images)

    def evaluate(point: Any) -> tuple[Array, tuple[PerExample, Embedding]]:
        images = decode(point) if decode else point
        seen = problem.view(images, state.step)
        observation = problem.observe(seen, state.step, state.softness)
        objective = problem.assess(images, observation)
        return objective.sum(), (objective, observation[0])

    (_, (objective, embedding)), gradient = jax.value_and_grad(evaluate, has_aux=True)(point)
    optimizer = optimizer_of(structure, data.numbers["fourier_decay"])
    change, memory = jax.vmap(optimizer.update)(gradient, state.optimizer, point)
    point = place(point, change, state.step)
    images, parameters = (decode(point), point) if decode else (point, None)
    return Candidate(embedding, objective, images, parameters, memory)


def _gauss_newton_step(
    structure: Structure, problem: Problem, data: Data, state: State
) -> Candidate:
    options = gauss_newton.Options(**dict(structure.optimizer_options))
    decay, shape = data.numbers["fourier_decay"], state.images.shape[1:]
    coordinates = coordinates_of(structure.coordinates, decay, shape)
    embedding, change = gauss_newton.change(
        lambda images: problem.observe(images, state.step, state.softness)[0],
        state.images,
        data.target,
        state.optimizer,
        Coordinates(*map(jax.vmap, coordinates)),
        options.iterations,
    )
    objective = problem.assess(state.images, (embedding, None))
    images = problem.place(state.images, change, state.step)
    there = problem.observe(images, state.step, state.softness)
    accepted = problem.assess(images, there) < objective
    images = select(accepted, images, state.images)
    damping = gauss_newton.adapted(state.optimizer, accepted)
    return Candidate(embedding, objective, images, None, damping)


def advance(
    numbers: dict[str, Array],
    state: State,
    candidate: Candidate,
    reached: Bool[Array, " batch"],
    final: Bool[Array, ""],
    *,
    latest: bool = False,
) -> State:
    """The next state: running examples move to their candidates, and the best are remembered.

    Args:
        numbers: of the config, from `numbers_of`.
        state: before the step.
        candidate: of the step.
        reached: which examples are as near to their targets as was asked for.
        final: whether all updates have been made: this step only evaluates.
        latest: whether the last image counts as the best, since objectives are random.
    """
    _, objective, images, parameters, optimizer = candidate
    running = state.status == RUNNING
    # A sum is finite only if all of its terms are, and takes one pass instead of three.
    finite = jnp.isfinite(objective) & jnp.isfinite(images.sum((1, 2, 3)))
    # Of an example that has come near enough, the image there is what was asked for.
    nearer = jnp.isfinite(objective) & (objective < state.best_objective)
    better = running & (reached | nearer | (latest & finite))
    least = numbers["plateau"] * jnp.abs(state.plateau_objective)
    wanted = jnp.where(jnp.isfinite(least), state.plateau_objective - least, jnp.inf)
    improved = running & (objective < wanted)
    plateau_step = jnp.where(improved, state.step, state.plateau_step)
    stalled = state.step - plateau_step >= numbers["patience"]
    status = jnp.where(stalled, PLATEAU, RUNNING)
    status = jnp.where(finite, status, NON_FINITE)
    status = jnp.where(reached, REACHED, status)
    # After the last update nothing stalls, and what the step would have led to does not count.
    told = reached | ~final | ~jnp.isfinite(objective)
    status = jnp.where(running & told, status, state.status)
    moved = (status == RUNNING) & ~final
    return State(
        step=state.step + 1,
        images=select(moved, images, state.images),
        parameters=jax.tree.map(partial(select, moved), parameters, state.parameters),
        optimizer=optimizer,
        objective=jnp.where(running, objective, state.objective),
        softness=state.softness,
        best_images=select(better, state.images, state.best_images),
        best_objective=jnp.where(better, objective, state.best_objective),
        best_step=jnp.where(better, state.step, state.best_step),
        plateau_objective=jnp.where(improved, objective, state.plateau_objective),
        plateau_step=plateau_step,
        status=status,
        stopped_step=state.stopped_step + moved,
        stop_distance=state.stop_distance,
    )


def select(chosen: Bool[Array, " batch"], new: Array, old: Array) -> Array:
    """Of some examples the new values, of all others the old ones."""
    return jnp.where(per_example(chosen, new), new, old)
