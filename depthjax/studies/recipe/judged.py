"""Claim C2 in the paper's own terms: does its descent come nearer than a noisy copy, m_g < m_r?

The paper says so of the last stage of untrained residual networks. What its constants do at other
layers, other rates and other networks is shown beside it.
"""

from collections.abc import Collection

import numpy as np

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Aside, Finding
from depthjax.claims.paper import bound_of
from depthjax.statistics import LEAST, Fixed
from depthjax.studies.networks import fixed_in
from depthjax.studies.recipe.measured import PUBLISHED, TUNED, LastIterates

_PARTS = {PUBLISHED: "recipe_matches", TUNED: "tuned_recipe_matches"}


def findings(
    found: LastIterates, model: str, spoken_of: Collection[str], single: Collection[str] = ()
) -> list[Finding]:
    """What the last iterates say of C2.

    A network has a vote at its last layer, from three weight seeds on. With fewer its interval is
    over photographs alone, and it is a contrast, as are other layers and other networks.

    Args:
        found: the numbers.
        model: the name of the architecture.
        spoken_of: the labels of networks that the claim is about, untrained residual networks whose
            last stage is the last layer.
        single: labels of networks that are one trained network, whatever the seed.
    """
    few: Fixed = "" if len(found.seeds) >= LEAST else "seeds"
    results = []
    for label in found.networks:
        for layer in found.layers:
            votes = label in spoken_of and layer == found.layers[-1] and not few
            for rate in found.rates:
                rho = found.of(rate, "embedding_ratio", label, layer)
                if np.isnan(rho).all():
                    continue
                fixed = few or fixed_in(rho, label in single)
                part = _PARTS.get(rate, "") if votes else ""
                aside: Aside = "" if part else "contrast"
                results.append(
                    Finding(
                        claim="C2",
                        part=part,
                        network=model if label == "untrained" else f"{model} {label}",
                        layer=layer,
                        note="over photographs alone" if few and label not in single else "",
                        quantity="ρ of the last iterate of the paper's recipe",
                        detail=_told(rate),
                        bound=bound_of("C2", part or "recipe_matches"),
                        measured=Cells.of(rho, fixed=fixed, logarithmic=True),
                        aside=aside,
                    )
                )
    return results


def _told(rate: str) -> str:
    if rate == TUNED:
        return "the rate with the least objective"
    return "as published" if rate == PUBLISHED else f"{rate} × the published rate"
