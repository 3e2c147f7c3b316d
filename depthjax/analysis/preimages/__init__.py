"""Square perceptrons inverted exactly: where do the pre-images of a nearby embedding lie?

A descent that misses the image does not prove that the layer lost it. An invertible layer can be so
ill-conditioned that embeddings which differ by rounding errors belong to images far apart. Here all
layers have as many outputs as inputs, so nothing is lost, and `O(x) = y` is solved layer by layer
in float64 (claim C6 of the paper).
"""

from depthjax.analysis.preimages.perturbed import Preimages, preimages

__all__ = ["Preimages", "preimages"]
