"""The paper's claims C10 to C13, of what training changes, as data; see `depthjax.claims.paper`.

Wherever networks are compared they are matched three ways: at one ρ (read off between iterates of
the same descent), at one fraction of the distance between natural pairs, and after the paper's
fixed steps at rates that the objective alone has chosen. The paper's untrained networks leave
BatchNorm as it is initialised; parts that name another control, or another measure, have no vote.

The bounds of C10 to C13 are younger than results of small networks at 32×32 pixels, and than a look
at two photographs recovered from EfficientNet-Lite0; they are older than any other run of a network
that was trained on ImageNet.
"""

from depthjax.claims.claim import Claim, Part

CONTROLS = {
    "calibrated": "an untrained network with BatchNorm's statistics of natural crops",
    "shuffled": "the trained network, each kernel permuted",
}
"""Other networks that a trained one is compared with, by label; what they say has no vote."""

_TENTH = "a tenth, the least that one would report"
_LOST = "D then follows ρ with a power below 1/40"
_SSIM = "differences in SSIM below 0.02 are not seen"
_SHARE = "a twentieth of the picture's variance"
_ORDER = "a tenth of an order of magnitude in power"
_ODDS = "odds twice as high"


def _beside_controls(
    name: str, says: str, rule: str, effect: float, because: str
) -> dict[str, Part]:
    return {
        f"{name}_than_{label}": Part(f"{says} than of {what}", rule, effect, because, votes=False)
        for label, what in CONTROLS.items()
    }


TRAINING = (
    Claim(
        "C10",
        "Training does not remove non-uniqueness; after a fixed number of steps without blur"
        " it brings the embedding nearer.",
        "of networks trained on photographs: elasticity log₁₀ D(ρ = 0.3) − log₁₀ D(ρ = 0.03) by"
        " first crossings at the last layer < 0.05; after fixed steps without blur, at the rate of"
        " a small grid that ends at the least objective: log ρ, and log of m_g over the median"
        " distance of natural pairs, minus the untrained network's, mean over layers, < 0",
        {
            "image_stays_lost": Part(
                "D does not follow ρ at the last layer", "< 0.05", 0.025, _LOST
            ),
            "ratio_lower": Part("ρ is lower", "< 0", 0.1, _TENTH),
            "natural_distance_lower": Part(
                "m_g over the distance of natural pairs is lower", "< 0", 0.1, _TENTH
            ),
            **_beside_controls("ratio_lower", "ρ is lower", "< 0", 0.1, _TENTH),
            **_beside_controls(
                "natural_distance_lower",
                "m_g over the distance of natural pairs is lower",
                "< 0",
                0.1,
                _TENTH,
            ),
        },
    ),
    Claim(
        "C11",
        "Training on photographs makes early and middle representations clearer, late ones not.",
        "trained − untrained, at layers of lower resolution than the network's first: SSIM and r²"
        " of luminance at one ρ, and SSIM after the paper's recipe with blur at tuned rates: > 0 at"
        " the first half of these layers; SSIM at one ρ < 0.02 at the other half",
        {
            "early_clearer": Part("early and middle layers are clearer", "> 0", 0.02, _SSIM),
            "early_explained": Part("they show more of the luminance", "> 0", 0.05, _SHARE),
            "early_clearer_with_blur": Part(
                "they are clearer by the paper's recipe with blur", "> 0", 0.02, _SSIM
            ),
            "late_not_clearer": Part("late layers are not clearer", "< 0.02", 0.02, _SSIM),
            "early_clearer_naturally": Part(
                "early and middle layers are clearer at one fraction of natural pairs' distance",
                "> 0",
                0.02,
                _SSIM,
                votes=False,
            ),
            # Chosen after two photographs had been looked at.
            "early_contrast": Part(
                "they show more of where contrast is", "> 0", 0.05, _SHARE, votes=False
            ),
            **_beside_controls("early_clearer", "they are clearer", "> 0", 0.02, _SSIM),
            **_beside_controls(
                "early_explained", "they show more of the luminance", "> 0", 0.05, _SHARE
            ),
        },
    ),
    Claim(
        "C12",
        "Late layers of trained networks add to an image what their training suggests.",
        "of photographs of ImageNet's classes, at the last layer, converging and by the paper's"
        " recipe with blur: log-odds that another trained classifier gives to its class of the"
        " photograph, in a_g minus in a_0, and trained minus untrained; > 0",
        {
            "target_class_added": Part(
                "evidence of the target's class is added", "> 0", 0.7, _ODDS
            ),
            "more_than_untrained": Part("more than without training", "> 0", 0.7, _ODDS),
            "more_than_in_the_photograph": Part(
                "more than the photograph itself has", "> 0", 0.7, _ODDS, votes=False
            ),
            "any_class_added": Part(
                "of photographs of no class: evidence of some class, trained − untrained",
                "> 0",
                0.7,
                _ODDS,
                votes=False,
            ),
            **_beside_controls("more", "evidence of the target's class, more", "> 0", 0.7, _ODDS),
        },
    ),
    Claim(
        "C13",
        "Trained on noise, a network's deep layers are not matched with blur, in contrast to one"
        " trained on photographs, but are without; they give back images like that noise, and"
        " early layers are no clearer.",
        "from the third layer: log ρ after the paper's recipe with blur at tuned rates, minus that"
        " of the network trained on photographs > 0; log of the least ρ of all descents without"
        " blur < 0; spectral distance to the training noise below the untrained network's; first"
        " two layers: SSIM at one ρ − untrained < 0.02",
        {
            "harder_with_blur": Part(
                "with blur ρ is higher than of the network trained on photographs",
                "> 0",
                0.1,
                _TENTH,
            ),
            "matched_without_blur": Part("without blur some descent has ρ < 1", "< 0", 0.1, _TENTH),
            "like_training_noise": Part("images like the training noise", "< 0", 0.1, _ORDER),
            "early_no_clearer": Part("early layers no clearer", "< 0.02", 0.02, _SSIM),
            # The untrained network's may be, too.
            "unmatched_with_blur": Part("ρ > 1 with blur", "> 0", 0.1, _TENTH, votes=False),
        },
        "m_g > m_r with blur, m_g < m_r without",
    ),
)
"""C10 to C13, in the paper's order."""
