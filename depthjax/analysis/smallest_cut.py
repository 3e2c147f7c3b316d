"""The smallest cut of a network of pipes: the largest flow (Ford & Fulkerson 1956)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy


class Pipe(NamedTuple):
    """An edge between two vertices, and how much can flow along it."""

    tail: int
    head: int
    capacity: int


def smallest_cut(pipes: Sequence[Pipe], vertices: int) -> tuple[int, list[Pipe]]:
    """How much can flow from the first vertex to the last, and the pipes that allow no more.

    Args:
        pipes: between equal vertices they add up.
        vertices: how many there are; they are numbered from 0.

    Returns:
        The sum of the capacities of the smallest cut, and its pipes; of several such cuts the one
        nearest to the first vertex.
    """
    tails, heads, capacities = np.array(pipes, np.int32).T
    graph = scipy.sparse.csr_array((capacities, (tails, heads)), shape=(vertices, vertices))
    flow = scipy.sparse.csgraph.maximum_flow(graph, 0, vertices - 1)
    left = scipy.sparse.csr_array(graph - flow.flow)
    left.eliminate_zeros()
    near = set(
        scipy.sparse.csgraph.breadth_first_order(left, 0, return_predecessors=False).tolist()
    )
    cut = [pipe for pipe in pipes if pipe.tail in near and pipe.head not in near]
    return int(flow.flow_value), cut
