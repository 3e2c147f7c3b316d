"""Claims C1 to C3: what untrained residual networks keep, block by block.

C1: the deeper the block, the worse the recovered image. C2: this is no failure of the optimiser,
and it is worse in deeper networks. C3: matching the embedding better does not bring the image back.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Aside, Finding
from depthjax.claims.paper import bound_of
from depthjax.statistics import KNOWN, least_slopes
from depthjax.studies.depth.measured import Blocks

MATCHED_RATIO = 0.1
"""ρ at which blocks are compared (C1)."""

MATCHED_ENOUGH = bound_of("C2", "embedding_matched").high
"""ρ from which on an embedding counts as matched (C2)."""


def findings(networks: Sequence[Blocks]) -> list[Finding]:
    """What the numbers say of C1 to C3.

    Args:
        networks: of any kinds; all with the same seeds and images.
    """
    results: list[Finding] = []
    for network in networks:
        results += _deeper_is_worse(network)
        results += _matched_and_missed(network)
    for kind in dict.fromkeys(network.kind for network in networks):
        alike = [network for network in networks if network.kind == kind]
        for shallow, deep in pairwise(sorted(alike, key=lambda network: network.depth)):
            if deep.depth > shallow.depth:
                results += _deeper_networks_are_worse(shallow, deep)
    for network in networks:
        results += _no_way_back(network)
    return results


def matched_brackets(network: Blocks) -> tuple[np.ndarray, np.ndarray]:
    """Log D at the matched ρ, `[S, L, B]`, between two ends; they are one where ρ was reached.

    A descent that ended at a larger ρ has the D of its smallest ρ as the upper end, if D does not
    rise as ρ falls on. The lower end is as much smaller as ρ would still have to fall, since D
    falls no faster than ρ: what a descent matches first are the directions that the layer sees
    best, in which the same step of the image moves the embedding most.
    """
    rho = network.values["nearest_embedding_ratio"]
    with np.errstate(divide="ignore", invalid="ignore"):
        matched = np.log(network.values[f"input_ratio_at_{MATCHED_RATIO:g}"])
        high = np.log(network.values["nearest_input_ratio"])
        low = high + np.log(MATCHED_RATIO / rho)
    reached = np.isfinite(matched)
    return np.where(reached, matched, low), np.where(reached, matched, high)


def _deeper_is_worse(network: Blocks) -> list[Finding]:
    """C1: within stages, where dimensions are equal, and over all; each stage as a contrast."""
    low, high = matched_brackets(network)
    stages = [block.stage for block in network.blocks]
    index = np.array([block.index for block in network.blocks], np.float64)

    def slope(part: str, note: str, members: list[int], groups: list[int]) -> Finding:
        aside: Aside = "" if part else "contrast"
        ends = low[:, members], high[:, members]
        reached = ends[0] == ends[1]
        bounded = not bool(reached.all())
        return Finding(
            claim="C1",
            part=part,
            network=network.network,
            note=note,
            quantity=f"{'least ' if bounded else ''}slope of log D at ρ = {MATCHED_RATIO:g} per"
            " block",
            known=(int(reached.sum()), reached.size) if bounded else None,
            bound=bound_of("C1", part or "worse_within_stages"),
            measured=Cells.of(_slopes(*ends, index[members], groups)),
            aside=aside,
            search=bounded,
        )

    every, several = list(range(len(stages))), list(dict.fromkeys(stages))
    results = []
    if len(several) < len(stages):
        results.append(slope("worse_within_stages", "within stages", every, stages))
    if len(several) > 1:
        results.append(slope("worse_over_stages", "over stages", every, [0] * len(stages)))
    for stage in several:
        members = [place for place in every if stages[place] == stage]
        if len(members) > 1:
            results.append(slope("", f"within layer{stage}", members, [0] * len(members)))
    return results


def _slopes(low: np.ndarray, high: np.ndarray, index: np.ndarray, groups: list[int]) -> np.ndarray:
    """`least_slopes` of brackets `[S, L, B]`, `[S, B]`; NaN where more than a fifth are wide."""
    found = least_slopes(low.swapaxes(0, 1), high.swapaxes(0, 1), index.tolist(), groups)
    return np.where((low == high).mean(1) >= KNOWN, found, np.nan)


def _matched_and_missed(network: Blocks) -> list[Finding]:
    """C2, of the image recovered from the last stage."""
    if network.last is None:
        return []
    rho, shown = (network.of(name, network.last) for name in ("embedding_ratio", "luminance_r2"))
    layer = f"layer{network.stages}"
    return [
        Finding(
            claim="C2",
            part="embedding_matched",
            network=network.network,
            layer=layer,
            quantity="ρ of the recovered image",
            bound=bound_of("C2", "embedding_matched"),
            measured=Cells.of(rho, logarithmic=True),
        ),
        Finding(
            claim="C2",
            part="image_missed",
            network=network.network,
            layer=layer,
            quantity="r² of the recovered image",
            bound=bound_of("C2", "image_missed"),
            measured=Cells.of(shown),
        ),
    ]


def _deeper_networks_are_worse(shallow: Blocks, deep: Blocks) -> list[Finding]:
    """C2, at the end of the last stage, at the ρ that counts as matched."""
    if shallow.last is None or deep.last is None:
        return []
    name = f"input_ratio_at_{MATCHED_ENOUGH:g}"
    change = deep.of(name, deep.last) - shallow.of(name, shallow.last)
    return [
        Finding(
            claim="C2",
            part="worse_in_deeper_networks",
            network=f"{deep.network} − {shallow.network}",
            layer=f"layer{deep.stages}",
            quantity=f"D at ρ = {MATCHED_ENOUGH:g}",
            detail="deeper − shallower network",
            bound=bound_of("C2", "worse_in_deeper_networks"),
            measured=Cells.of(change),
        )
    ]


def _no_way_back(network: Blocks) -> list[Finding]:
    """C3, at the end of the last stage; every other block is a contrast."""
    results = []
    for place, block in enumerate(network.blocks):
        last = place == network.last
        values = network.of("elasticity", place)
        for part in ("image_stays_lost", "image_recedes") if last else ("",):
            results.append(
                Finding(
                    claim="C3",
                    part=part,
                    network=network.network,
                    layer=f"layer{network.stages if last else block.layer[5:]}",
                    quantity="elasticity d log D / d log ρ",
                    bound=bound_of("C3", part or "image_stays_lost"),
                    measured=Cells.of(values),
                    aside="" if last else "contrast",
                )
            )
    return results
