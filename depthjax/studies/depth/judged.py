"""Claims C1 to C3: what untrained residual networks keep, block by block.

C1: the deeper the block, the worse the recovered image. C2: this is no failure of the optimiser,
and it is worse in deeper networks. C3: matching the embedding better does not bring the image back.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from depthjax.inversion.metrics import RECOVERED_ELASTICITY
from depthjax.statistics import Finding, Interval, bootstrap, bootstrap_ratio
from depthjax.studies.depth.measured import Blocks

MATCHED_RATIO = 0.1
"""ρ at which blocks are compared (C1)."""

MATCHED_ENOUGH = 0.3
"""ρ from which on an embedding counts as matched (C2)."""


def findings(networks: Sequence[Blocks], *, draws: int = 2_000) -> list[Finding]:
    """What the numbers say of C1 to C3.

    Args:
        networks: of any kinds; all with the same seeds and images.
        draws: of the bootstrap.
    """
    found: list[Finding] = []
    for network in networks:
        found += _deeper_is_worse(network, draws)
        found += _matched_and_missed(network, draws)
    for kind in dict.fromkeys(network.kind for network in networks):
        alike = [network for network in networks if network.kind == kind]
        for shallow, deep in pairwise(sorted(alike, key=lambda network: network.depth)):
            if deep.depth > shallow.depth:
                found += _deeper_networks_are_worse(shallow, deep, draws)
    for network in networks:
        found += _no_way_back(network, draws)
    return found


def slopes(
    values: Float[np.ndarray, "s l b"],
    index: Float[np.ndarray, " l"],
    groups: Sequence[int],
) -> Float[np.ndarray, "s b"]:
    """The slope of each seed's and image's values on `index`, with an intercept for each group.

    `Σ (x − x̄_g)(y − ȳ_g) / Σ (x − x̄_g)²` over the values there are; blocks of one stage, whose
    embeddings have equal dimensions, are a group, or all of them are. NaN where no group has two.
    """
    known = np.isfinite(values)
    above, below = np.zeros(values.shape[::2]), np.zeros(values.shape[::2])
    for group in dict.fromkeys(groups):
        members = np.array([other == group for other in groups])
        there = known[:, members]
        count = np.maximum(there.sum(1, keepdims=True), 1)
        x = np.where(there, index[members][None, :, None], 0.0)
        y = np.where(there, values[:, members], 0.0)
        centred = np.where(there, x - x.sum(1, keepdims=True) / count, 0.0)
        above += (centred * y).sum(1)
        below += np.square(centred).sum(1)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _deeper_is_worse(network: Blocks, draws: int) -> list[Finding]:
    """C1: within stages, where dimensions are equal, and over all; each stage as a contrast."""
    name = f"input_ratio_at_{MATCHED_RATIO:g}"
    with np.errstate(divide="ignore"):
        values = np.log(network.values[name])
    values = np.where(np.isfinite(values), values, np.nan)
    stages = [block.stage for block in network.blocks]
    index = np.array([block.index for block in network.blocks], np.float64)
    statistic = f"slope of log D at ρ = {MATCHED_RATIO:g} per block{_reached(values)}"
    found = []
    if len(set(stages)) < len(stages):
        within = bootstrap(slopes(values, index, stages), draws=draws)
        found.append(Finding("C1", f"{network.network}, within stages", statistic, "> 0", within))
    if len(set(stages)) > 1:
        over = bootstrap(slopes(values, index, [0] * len(stages)), draws=draws)
        found.append(Finding("C1", f"{network.network}, over stages", statistic, "> 0", over))
    for stage in dict.fromkeys(stages):
        members = [place for place, other in enumerate(stages) if other == stage]
        if len(members) > 1:
            part = values[:, members]
            interval = bootstrap(slopes(part, index[members], [0] * len(members)), draws=draws)
            statistic = f"slope of log D at ρ = {MATCHED_RATIO:g} per block{_reached(part)}"
            where = f"{network.network}, within layer{stage}"
            found.append(Finding("C1, contrast", where, statistic, "> 0", interval))
    return found


def _matched_and_missed(network: Blocks, draws: int) -> list[Finding]:
    """C2: of the image recovered from the last stage."""
    if network.last is None:
        return []
    where = f"{network.network}, layer{network.stages}"
    rho, d, flat = (
        network.of(name, network.last)
        for name in ("embedding_ratio", "input_ratio", "flat_input_ratio")
    )
    return [
        Finding(
            "C2",
            where,
            "ρ of the recovered image",
            f"<= {MATCHED_ENOUGH:g}",
            bootstrap_ratio(rho, np.ones_like(rho), draws=draws),
        ),
        Finding(
            "C2",
            where,
            "D of the recovered image / D of the flat mean colour",
            "> 1",
            bootstrap_ratio(d, flat, draws=draws),
        ),
    ]


def _deeper_networks_are_worse(shallow: Blocks, deep: Blocks, draws: int) -> list[Finding]:
    """C2: at the end of the last stage, at the ρ that counts as matched."""
    if shallow.last is None or deep.last is None:
        return []
    name = f"input_ratio_at_{MATCHED_ENOUGH:g}"
    change = deep.of(name, deep.last) - shallow.of(name, shallow.last)
    return [
        Finding(
            "C2",
            f"{deep.network} − {shallow.network}, layer{deep.stages}",
            f"D at ρ = {MATCHED_ENOUGH:g}: deeper − shallower network{_reached(change)}",
            "> 0",
            _interval(change, draws),
        )
    ]


def _no_way_back(network: Blocks, draws: int) -> list[Finding]:
    """C3: at the end of the last stage; at all other blocks as a contrast."""
    found = []
    for place, block in enumerate(network.blocks):
        last = place == network.last
        values = network.of("elasticity", place)
        found.append(
            Finding(
                "C3" if last else "C3, contrast",
                f"{network.network}, layer{network.stages if last else block.layer[5:]}",
                f"elasticity d log D / d log ρ{_reached(values)}",
                f"< {RECOVERED_ELASTICITY}",
                _interval(values, draws),
            )
        )
    return found


def _interval(values: np.ndarray, draws: int) -> Interval:
    return bootstrap(np.where(np.isfinite(values), values, np.nan), draws=draws)


def _reached(values: np.ndarray) -> str:
    """Of how many values the statistic is, where some do not exist."""
    known = np.isfinite(values)
    return "" if known.all() else f" ({known.sum()} of {known.size})"
