"""Pairs of 8-bit images that show what a layer does not keep, and what it keeps best.

That the Jacobian of a layer has a null space is an argument. Two picture files that differ visibly
and have the same embedding are evidence that anybody can check.

    far = null_space_witness(key, layer, variables, images)     # as far from the images as possible
    near = null_space_witness(key, layer, variables, images, towards=photographs)
    best = eigendistortions(layer, variables, images, k=3)      # the opposite: what is seen best

All images are rounded to 8 bits before they are measured, so that all numbers are those of the
files that `depthjax.images.save_png` writes. ρ and D are those of `depthjax.inversion.metrics`.
"""

from depthjax.analysis.witnesses.eigendistortion import Eigendistortions, eigendistortions
from depthjax.analysis.witnesses.null_space import WITNESS_RATIO, Witness, null_space_witness

__all__ = [
    "WITNESS_RATIO",
    "Eigendistortions",
    "Witness",
    "eigendistortions",
    "null_space_witness",
]
