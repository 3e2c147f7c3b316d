"""What our studies judge beside the paper's claims, as data."""

from depthjax.claims.claim import Claim, Part

TENTH = "a tenth, the least that one would report"
EXACT = "it holds exactly or not at all"

_BESIDE = (
    Claim(
        "controls",
        "Networks that keep everything give the image back; others end where theory says.",
        "D < 0.1; relative error of m_i < 0.01 where it is predicted; for every seed and image",
        {
            "recovered": Part("what keeps everything is recovered", "< 0.1", 0, EXACT),
            "as_predicted": Part("others end where theory says", "< 0.01", 0, EXACT),
        },
    ),
    Claim(
        "theory",
        "Theory predicts where a descent ends.",
        "linear networks: relative error of m_i(t) < 0.01, for every seed and image; others: R²"
        " of m_i > 0, and above that of the start's distance",
        {
            "curve_predicted": Part("the curves of linear networks", "< 0.01", 0, EXACT),
            "predicted": Part("m_i is predicted", "> 0", 0.25, "a quarter of the variance"),
            "beyond_start": Part(
                "better than by the start's distance", "> 0", 0.05, "a twentieth of the variance"
            ),
        },
    ),
    Claim(
        "uniqueness",
        "Descents from far-apart starts match an embedding by images that differ.",
        "mean D between solutions of equal ρ > 1: farther than the noisy copy from its image",
        {"apart": Part("solutions of the last layer differ", "> 1", 0.1, TENTH)},
    ),
    Claim(
        "witness",
        "Images that look different have nearly the same embedding.",
        "D of the farthest image >= 3; ρ / D of the first eigendistortion > 1",
        {
            "visible": Part("the difference is seen", ">= 3", 0.3, TENTH),
            "above_noise": Part("it changes more than noise does", "> 1", 0.1, TENTH),
        },
    ),
)
BESIDE = {claim.id: claim for claim in _BESIDE}
"""What our studies judge beside the paper's claims, by id."""
