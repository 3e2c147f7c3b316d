"""The settings of a comparison: the same optimisers for all networks."""

from depthjax.inversion.config import InversionConfig
from depthjax.studies.descents import CONVERGING

UNTRAINED, PHOTOS, NOISE = "untrained", "photos", "noise"
"""The labels of the networks that the claims are about."""

BLURRED, PLAIN = "paper", "paper_no_blur"
"""The kinds of descents beside `CONVERGING`: the paper's recipe with a fixed number of steps, with
its blur and without."""

CONDITIONS = (CONVERGING, BLURRED, PLAIN)


def conditions(chosen: InversionConfig, paper: InversionConfig) -> dict[str, InversionConfig]:
    """The settings of each of `CONDITIONS`, from the same starts.

    Args:
        chosen: of the converging descents.
        paper: the paper's recipe, with its blur.

    Raises:
        ValueError: for blur.
    """
    if chosen.blur:
        raise ValueError("networks are compared with blur=False")
    paper = paper.replace(restarts=chosen.restarts, start=chosen.start)
    return {
        # Recorded at every step, so that ρ is known of every iterate that is kept.
        CONVERGING: chosen.replace(record_every=1),
        BLURRED: paper,
        PLAIN: paper.replace(blur=False),
    }
