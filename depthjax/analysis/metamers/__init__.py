"""Is a recovered image a metamer of its target: does the network, up to a layer, take it for that?

The test of Feather, Leclerc, Mądry & McDermott (2023), "Model metamers reveal divergent invariances
between biological and artificial neural networks", Nature Neuroscience 26. A small ρ says that two
embeddings are near. The test says that they are nearer than those of any two photographs are.
"""

from depthjax.analysis.metamers.likeness import Likeness, likeness
from depthjax.analysis.metamers.natural import natural_images
from depthjax.analysis.metamers.null import Null, natural_null
from depthjax.analysis.metamers.verdict import MetamerTest, labels, metamer_test

__all__ = [
    "Likeness",
    "MetamerTest",
    "Null",
    "labels",
    "likeness",
    "metamer_test",
    "natural_images",
    "natural_null",
]
