"""One step of a descent, inside the compiled loop: where it leads, and who takes it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from depthjax.inversion import gauss_newton
from depthjax.inversion.config import Structure
from depthjax.inversion.optimizers import analyse, synthesise
from depthjax.inversion.problem import Data, Problem, optimizer_of
from depthjax.inversion.state import NON_FINITE, PLATEAU, REACHED, RUNNING, State
from depthjax.typing import Embedding, Images, PerExample


class Candidate(NamedTuple):
    """What a step found out about the images, and where it would take them.

    Fields:
        embedding, objective: of the images as the network sees them.
        images, optimizer: the next images, and the optimiser's next state.
    """

    embedding: Embedding
    objective: PerExample
    images: Images
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
    def evaluate(images: Images) -> tuple[Array, tuple[PerExample, Embedding]]:
        embedding = problem.embed(problem.view(images, state.step))
        objective = problem.assess(images, embedding)
        return objective.sum(), (objective, embedding)

    (_, (objective, embedding)), gradient = jax.value_and_grad(evaluate, has_aux=True)(state.images)
    optimizer = optimizer_of(structure, data.numbers["fourier_decay"])
    change, memory = jax.vmap(optimizer.update)(gradient, state.optimizer, state.images)
    return Candidate(embedding, objective, problem.place(state.images, change, state.step), memory)


def _gauss_newton_step(
    structure: Structure, problem: Problem, data: Data, state: State
) -> Candidate:
    options = gauss_newton.Options(**dict(structure.optimizer_options))
    embedding, change = gauss_newton.change(
        problem.embed,
        state.images,
        data.target,
        state.optimizer,
        _coordinates(structure, data.numbers["fourier_decay"], state.images.shape[2]),
        options.iterations,
    )
    objective = problem.assess(state.images, embedding)
    images = problem.place(state.images, change, state.step)
    accepted = problem.assess(images, problem.embed(images)) < objective
    images = _select(accepted, images, state.images)
    damping = gauss_newton.adapted(state.optimizer, accepted)
    return Candidate(embedding, objective, images, damping)


def _coordinates(structure: Structure, decay: Array, width: int) -> gauss_newton.Coordinates:
    if not structure.fourier:
        return gauss_newton.Coordinates(lambda images: images, lambda d: d)
    return gauss_newton.Coordinates(
        jax.vmap(lambda image: analyse(image, decay)),
        jax.vmap(lambda coefficients: synthesise(coefficients, decay, width)),
    )


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
    _, objective, images, optimizer = candidate
    running = state.status == RUNNING
    # A sum is finite only if all of its terms are, and takes one pass instead of three.
    finite = jnp.isfinite(objective) & jnp.isfinite(images.sum((1, 2, 3)))
    # Of an example that has come near enough, the image there is what was asked for.
    better = running & (reached | (objective < state.best_objective) | (latest & finite))
    improved = running & (objective < state.plateau_objective * (1 - numbers["plateau"]))
    plateau_step = jnp.where(improved, state.step, state.plateau_step)
    stalled = state.step - plateau_step >= numbers["patience"]
    status = jnp.where(stalled, PLATEAU, RUNNING)
    status = jnp.where(finite, status, NON_FINITE)
    status = jnp.where(reached, REACHED, status)
    status = jnp.where(running & (reached | ~final), status, state.status)
    moved = (status == RUNNING) & ~final
    return State(
        step=state.step + 1,
        images=_select(moved, images, state.images),
        optimizer=optimizer,
        best_images=_select(better, state.images, state.best_images),
        best_objective=jnp.where(better, objective, state.best_objective),
        best_step=jnp.where(better, state.step, state.best_step),
        plateau_objective=jnp.where(improved, objective, state.plateau_objective),
        plateau_step=plateau_step,
        status=status,
        stopped_step=state.stopped_step + moved,
        stop_distance=state.stop_distance,
    )


def _select(chosen: Bool[Array, " batch"], new: Images, old: Images) -> Images:
    return jnp.where(chosen[:, None, None, None], new, old)
