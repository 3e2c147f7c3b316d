"""C18 to C21: what the paper, or its code, says in passing, as claims of their own.

They were written down before any run that judges them. What theory lets one expect is not always
what the paper says: through random layers of ReLUs an input stays locally unique as long as as many
units are active as it has elements, at any depth, so that no layer after the first needs more; and
smooth units have an inverse, so that as many as there are inputs are enough.
"""

from depthjax.claims.beside import TENTH
from depthjax.claims.claim import Claim, Part

STATEMENTS = (
    Claim(
        "C18",
        "The general statistics of the gradient that a descent follows hardly change with depth.",
        "of the gradient of the paper's objective at the start: standard deviation, and kurtosis of"
        " its elements, at the last layer over those at the first; both within 0.5 to 2",
        {
            "same_size": Part("as large", "within 0.5 2", 0.1, TENTH),
            "same_shape": Part("as peaked", "within 0.5 2", 0.1, TENTH),
        },
    ),
    Claim(
        "C19",
        "Every further layer of ReLUs needs about twice the width of the one before, too.",
        "of two layers of ReLUs, the first 2.5 times as wide as the input: width of the second over"
        " that of the first from which an image is recovered, mean; within 1.8 to 2.2",
        {
            "doubles_again": Part(
                "twice the width again", "within 1.8 2.2", 0.1, "1.9 to 2.1 are about 2"
            )
        },
        "widths grow by 2 from layer to layer",
    ),
    Claim(
        "C20",
        "For tanh and sigmoid units about the same widths are needed as for ReLUs.",
        "width over the number of inputs from which an image is recovered from one layer, mean;"
        " within 1.8 to 2.2",
        {
            f"{activation}_twice_the_width": Part(
                f"twice the width, {activation}", "within 1.8 2.2", 0.1, "1.9 to 2.1 are about 2"
            )
            for activation in ("tanh", "sigmoid")
        },
        "approximately",
    ),
    Claim(
        "C21",
        "Training an invertible network, on photographs or on noise, does not make its exact"
        " inverse of use: pre-images of a slightly perturbed embedding stay far from the input.",
        "the square linear MLP of C6 (four layers, noise of 1/1000) with a linear classifier behind"
        " it, after 10 epochs of Adam on photographs, and on noise with random labels: share of"
        " pre-images' elements outside [0, 1] > 0.99; median distance over the m_i of gradient"
        " descent > 1",
        {
            f"{data}_{name}": Part(f"{says}, trained on {data}", rule, effect, because)
            for data in ("photographs", "noise")
            for name, says, rule, effect, because in (
                ("outside_range", "outside [0, 1]", "> 0.99", 0, "a share that is counted"),
                ("farther_than_descent", "farther than gradient descent", "> 1", 0.1, TENTH),
            )
        },
    ),
)
"""In their order."""
