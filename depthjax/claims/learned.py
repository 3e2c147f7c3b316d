"""What training leaves in inputs and filters: the claims C14, C15 and C17 as data.

- C14 was first asked of embeddings of inputs, over those of held-out examples, and was open; that
  it is asked of recovered images is a choice after that, and before any of these was measured.
- C15 was first asked of the power of filters with their means, which had grown and alone decided
  it; that it is asked without means is a choice after that, and before any other was known.
- C15 and C17 measure how directed filters are by the structure tensor since a Fourier transform
  was found not to see oblique edges; their verdicts did not change. Otherwise C17 is older than
  its results.
"""

from depthjax.claims.claim import Claim, Part

_TENTH = "a tenth, the least that one would report"
_ALIKE = "what differs by less than about a tenth counts as alike"
_OF_POWER = "a tenth of a filter's power"

LEARNED = (
    Claim(
        "C14",
        "Arbitrary inputs are mapped to the manifold learned in training.",
        "distance of the images recovered from the last layer's embeddings of arbitrary inputs to"
        " their k-th nearest training example, over the median distance of two training examples;"
        " trained over untrained, geometric mean over kinds of input; < 1",
        {"recovered_come_nearer": Part("recovered images come nearer", "< 1", 0.1, _TENTH)},
    ),
    Claim(
        "C15",
        "Filters of the last layers of a network trained on noise keep no structure.",
        "power at low frequencies, and preference of one direction, of filters without their means,"
        " over those of untrained ones; within 0.8 to 1.25",
        {
            "as_smooth": Part("as smooth as untrained filters", "within 0.8 1.25", 0.1, _ALIKE),
            "as_directed": Part("as directed as those", "within 0.8 1.25", 0.1, _ALIKE),
        },
    ),
    Claim(
        "C17",
        "Training on photographs makes filters of the first convolution wavelets.",
        "share of a filter, mean over filters, that the best Gabor function explains, minus that of"
        " untrained filters, and of the same filters shuffled; > 0",
        {
            "beyond_untrained": Part("more than of untrained filters", "> 0", 0.1, _OF_POWER),
            "beyond_shuffled": Part("more than of shuffled ones", "> 0", 0.1, _OF_POWER),
        },
    ),
)
"""In their order."""
