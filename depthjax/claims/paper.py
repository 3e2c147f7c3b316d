"""The paper's claims C1 to C16 as data: what each says, its parts, and what counts as support.

All of this is fixed before any run. How findings become a verdict is in `depthjax.claims.judging`;
arXiv 2211.06496 has the author's words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """One of the things that a claim says. Findings name it in `Finding.part`.

    Fields:
        says: in words.
        votes: whether the claim needs it. Other parts are judged and shown beside the claim.
    """

    says: str
    votes: bool = True


@dataclass(frozen=True)
class Claim:
    """What the paper says, in our words.

    Fields:
        id: as in `Finding.claim`.
        sentence: what it says.
        statistic: what is computed, and when that counts as support.
        parts: what must hold, by name.
        paper: the number that the paper gives, if it gives one.
    """

    id: str
    sentence: str
    statistic: str
    parts: Mapping[str, Part] = field(hash=False)
    paper: str = ""


_PAPER = (
    Claim(
        "C1",
        "In an untrained ResNet, the deeper the layer, the worse the recovered input.",
        "slope of log D at ρ = 0.1 on the block index, within stages and over them; > 0",
        {
            "worse_within_stages": Part("worse within stages, at equal dimensions"),
            "worse_over_stages": Part("worse over stages"),
        },
    ),
    Claim(
        "C2",
        "That is no failure of the optimiser: deep layers match the embedding and still miss"
        " the image, more so in deeper networks.",
        "at the end of the last stage: ρ <= 0.3; D over that of the flat mean colour > 1;"
        " D of a deeper minus that of a shallower network > 0, both at ρ = 0.3",
        {
            "embedding_matched": Part("the embedding is matched"),
            "image_missed": Part("the image is missed"),
            "worse_in_deeper_networks": Part("more so in deeper networks"),
        },
    ),
    Claim(
        "C3",
        "Matching a deep layer's embedding better does not bring the image back.",
        "elasticity d log D / d log ρ, ρ from 0.03 to 0.3, at the end of the last stage; < 0.05",
        {"image_stays_lost": Part("D does not follow ρ")},
    ),
    Claim(
        "C4",
        "A linear MLP narrower than its input cannot be inverted, not even in one layer; a"
        " wider one can.",
        "by a descent that converges (conjugate gradients): final m_i over the null space's"
        " part of the start within 0.99 to 1.01 where narrow; m_i <= 0.1, scaled to 2523"
        " inputs, where wide",
        {
            "narrow_stays_lost": Part("narrow: what the null space holds is never recovered"),
            "wide_recovered": Part("wide: recovered"),
            # It needs up to 200,000 steps: cut off before, it says nothing of the network.
            "papers_descent": Part("by the paper's descent", votes=False),
        },
        "2523 inputs: width 2000 stalls; width 3000 reaches m_i ≈ 0.1 by 2·10⁵ steps",
    ),
    Claim(
        "C5",
        "MLPs that are wide enough everywhere still get worse with depth at a fixed number of"
        " steps, and recover with more.",
        "slope of log steps to D = 1 on depth, at the rate 1/σ₁², > 0, and all get there",
        {
            "slower_with_depth": Part("the deeper the slower"),
            "all_recover": Part("all get there"),
        },
        "500 steps do not recover, 10,000 do",
    ),
    Claim(
        "C6",
        "In an invertible network, exact pre-images of a slightly perturbed embedding lie far"
        " from the input and outside [0, 1]; what gradient descent finds lies closer.",
        "as the paper's text has it (four layers, noise of 1/1000): median distance over"
        " σ‖J⁻¹‖_F within 0.5 to 2; share outside [0, 1] > 0.99; median distance over the m_i"
        " of gradient descent > 1",
        {
            "as_far_as_predicted": Part("as far as the singular values say"),
            "outside_range": Part("outside [0, 1]"),
            "farther_than_descent": Part("farther than gradient descent"),
            # Three matrices and noise of 1e-7: the paper describes the other.
            "authors_code": Part("in the reading of the author's code", votes=False),
        },
        "median above 40,000; gradient descent 2.84 with m_g = 0.52 after 220 steps",
    ),
    Claim(
        "C7",
        "ReLU about doubles the width that recovery takes.",
        "width at which half of the runs recover over the number of inputs; within 1.8 to 2.2",
        {"twice_the_width": Part("twice the width")},
        "about 2",
    ),
    Claim(
        "C8",
        "Widening late layers makes recovery faster, though it adds no information.",
        "steps of the widened network over those of its base, paired; < 1",
        {"fewer_steps": Part("fewer steps")},
    ),
    Claim(
        "C9",
        "The first convolution keeps everything; pooling breaks that.",
        "smallest singular value at conv1 > 0; distinct active inputs over all inputs >= 1"
        " before the pooling and < 1 after it",
        {
            "conv1_injective": Part("conv1 is injective"),
            "enough_before_pooling": Part("enough is active before pooling"),
            "too_little_after_pooling": Part("too little after it"),
        },
        "268,203 inputs, over a million outputs at conv1",
    ),
    Claim(
        "C10",
        "Training does not remove non-uniqueness; after a fixed number of steps without blur"
        " it brings the embedding nearer.",
        "elasticity of trained networks at the last layer < 0.05; ρ and m_g/‖O(a)‖ below the"
        " untrained network's at every layer",
        {
            "image_stays_lost": Part("D does not follow ρ at the last layer"),
            "ratio_lower": Part("ρ is lower"),
            "relative_distance_lower": Part("m_g/‖O(a)‖ is lower"),
        },
    ),
    Claim(
        "C11",
        "Training on photographs makes early and middle representations clearer, late ones not.",
        "SSIM at ρ = 0.1, trained − untrained: > 0 at early and middle layers, <= 0 at late",
        {
            "early_clearer": Part("early and middle layers are clearer"),
            "late_not_clearer": Part("late layers are not"),
        },
    ),
    Claim(
        "C12",
        "Late layers of trained networks add to an image what their training suggests.",
        "log-odds of the top class by a third network, trained − untrained, at the last layer,"
        " converging and by the paper's recipe; > 0",
        {"class_evidence_added": Part("class evidence is added")},
    ),
    Claim(
        "C13",
        "Trained on noise, a network's deep layers are not matched with blur but are without,"
        " give back images like that noise, and early layers are no clearer.",
        "from the third stage: log ρ > 0 with blur, < 0 without; spectral distance to the"
        " training noise below the untrained network's; early layers: SSIM − untrained <= 0",
        {
            "unmatched_with_blur": Part("ρ > 1 with blur"),
            "matched_without_blur": Part("ρ < 1 without"),
            "like_training_noise": Part("images like the training noise"),
            "early_no_clearer": Part("early layers no clearer"),
        },
        "m_g > m_r with blur, m_g < m_r without",
    ),
    Claim(
        "C14",
        "Arbitrary inputs are mapped to the manifold learned in training.",
        "k-NN distance of arbitrary inputs over that of held-out ones, trained over untrained,"
        " at the last layer, for every kind of input; < 1",
        {"inputs_come_nearer": Part("arbitrary inputs come nearer")},
    ),
    Claim(
        "C15",
        "Filters of the last layers of a network trained on noise keep no structure.",
        "low-frequency energy of filters over that of untrained ones; < 1.1",
        {"no_structure": Part("no smoother than untrained filters")},
    ),
    Claim(
        "C16",
        "Composed layers contract some directions far more than others, the deeper the more.",
        "slope of log(σ₁ / σ at half rank) per block, at fixed rank; > 0",
        {"contract_with_depth": Part("the deeper, the farther apart")},
    ),
)
CLAIMS = {claim.id: claim for claim in _PAPER}
"""The claims of the paper by id, in its order."""

_BESIDE = (
    Claim(
        "controls",
        "Networks that keep everything give the image back; others end where theory says.",
        "largest D < 0.1; largest relative error of m_i < 0.01 where it is predicted",
        {"as_expected": Part("every control does what it must")},
    ),
    Claim(
        "theory",
        "Theory predicts where a descent ends.",
        "linear networks: largest relative error of m_i(t) < 0.01; others: R² of m_i > 0, and"
        " above that of the start's distance",
        {"predicted": Part("m_i is predicted")},
    ),
    Claim(
        "witness",
        "Images that look different have nearly the same embedding.",
        "D of the farthest image >= 3; ρ / D of the first eigendistortion > 1",
        {"visible": Part("the difference is seen")},
    ),
)
BESIDE = {claim.id: claim for claim in _BESIDE}
"""What our studies judge beside the paper's claims, by id."""
