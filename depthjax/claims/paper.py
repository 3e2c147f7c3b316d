"""The paper's claims C1 to C21 as data: what each says, its parts, and what counts as support.

How findings become a verdict is in `depthjax.claims.judging`; arXiv 2211.06496 has the author's
words. Which rules came before which results:

- Statistics and thresholds of C1 to C9 and C16 were set before the runs that judge them, but that
  C4 is judged by conjugate gradients and C6 in the reading of the paper's text: both were chosen
  after results had been seen. That C4 asks for no less than what the null space holds, and not for
  as much to a hundredth, was chosen when a solver that had not converged had contradicted it.
- Statistics, thresholds and combining rules of C10 to C15 were settled after results of the same
  small networks (32×32) were known. That only the last layer counts in C10, C12 and C14, only
  log-odds in C12 and only the neighbours' distance in C14, are such choices. Those of C10 to C13
  were settled once more after these, see `depthjax.claims.training`.
- That C2 asks for the paper's recipe, with the published constants, was settled when a run of one
  seed and three photographs had shown that ρ stays above 1 at the last stage of ResNet-50; that
  it asks for r² instead of D over that of the flat mean colour, when the latter had left C2 open.
- That C16 asks for half of each layer's own rank bound, and not for one rank, came after runs that
  had supported it at one rank, where fewer dimensions make a slope by themselves.
- The brackets of C1, and the first crossings and the invertible control of C3, came after runs of
  small networks that had supported both claims by other statistics.
- What C14, C15 and C17 ask for was settled as `depthjax.claims.learned` says.
- C18 to C21 (`depthjax.claims.statements`) were written down before any run of theirs.
- Smallest effects of interest, the mean over places and the rule of decision are younger than all
  of these results.

From here on `depthjax.claims.frozen` writes into every run which claims it was begun under.
"""

from depthjax.claims.beside import BESIDE
from depthjax.claims.beside import EXACT as _EXACT
from depthjax.claims.beside import TENTH as _TENTH
from depthjax.claims.bound import Bound
from depthjax.claims.claim import Claim, Part
from depthjax.claims.learned import LEARNED
from depthjax.claims.statements import STATEMENTS
from depthjax.claims.training import TRAINING

_SLOPE = "a twentieth more with every block"
_LOST = "D then follows ρ with a power below 1/40"
_UNSEEN = "a tenth of the variance; means of 8×8 squares of a photograph explain more than half"

_PAPER = (
    Claim(
        "C1",
        "In an untrained ResNet, the deeper the layer, the worse the recovered input.",
        "slope of log D at ρ = 0.1 on the block index, within stages and over them, the least that"
        " descents that ended above ρ = 0.1 allow; > 0",
        {
            "worse_within_stages": Part(
                "worse within stages, at equal dimensions", "> 0", 0.05, _SLOPE
            ),
            "worse_over_stages": Part("worse over stages", "> 0", 0.05, _SLOPE),
        },
    ),
    Claim(
        "C2",
        "That is no failure of the optimiser: the paper's descent comes nearer to the embedding of"
        " a deep layer than a noisy copy does, others match it, and the image is still missed,"
        " more so in deeper networks.",
        "at the end of the last stage: ρ of the last iterate of the paper's recipe, with its"
        " constants, < 1; by a converging descent ρ <= 0.3 and r² of luminance < 0.5; D of a deeper"
        " minus that of a shallower network > 0, both at ρ = 0.3",
        {
            "recipe_matches": Part("the paper's recipe comes nearer", "< 1", 0.1, _TENTH),
            # The claim is of the paper's constants. Whether others do it tells why they do not.
            "tuned_recipe_matches": Part(
                "the same at the rate with the least objective", "< 1", 0.1, _TENTH, votes=False
            ),
            "embedding_matched": Part(
                "the embedding is matched", "<= 0.3", 0.05, "the descent then goes on to fall"
            ),
            "image_missed": Part("the image is missed", "< 0.5", 0.1, _UNSEEN),
            "worse_in_deeper_networks": Part(
                "more so in deeper networks", "> 0", 0.1, "a tenth of the noisy copy's distance"
            ),
        },
        "m_g < m_r at the last stage of ResNet-50 after 500 steps",
    ),
    Claim(
        "C3",
        "Matching a deep layer's embedding better does not bring the image back.",
        "[log D(0.3) − log D(0.03)] / log 10, with D where ρ first comes to each, at the end of the"
        " last stage < 0.05, while in an ill-conditioned invertible network it is > 0.05",
        {
            "image_stays_lost": Part("D does not follow ρ", "< 0.05", 0.025, _LOST),
            # Or what is only slow could not be told from what is lost.
            "invertible_control_follows": Part(
                "in an invertible network it does", "> 0.05", 0.025, "as far on the other side"
            ),
            # The same number, by its sign.
            "image_recedes": Part(
                "D rises as ρ falls", "< 0", 0.01, "2 % more where ρ falls tenfold", votes=False
            ),
        },
        "m_i rises while m_g falls",
    ),
    Claim(
        "C4",
        "A linear MLP narrower than its input cannot be inverted, not even in one layer; a"
        " wider one can.",
        "by a descent that converges (conjugate gradients): final m_i over the null space's"
        " part of the start >= 0.99 where narrow; m_i <= 0.1, scaled to 2523 inputs, where wide",
        {
            "narrow_stays_lost": Part(
                "narrow: what the null space holds is never recovered", ">= 0.99", 0, _EXACT
            ),
            "wide_recovered": Part("wide: recovered", "<= 0.1", 0, _EXACT),
            # It needs up to 200,000 steps: cut off before, it says nothing of the network.
            "papers_descent_narrow": Part(
                "narrow, by the paper's descent", ">= 0.99", 0, _EXACT, votes=False
            ),
            "papers_descent_wide": Part(
                "wide, by the paper's descent", "<= 0.1", 0, _EXACT, votes=False
            ),
        },
        "2523 inputs: width 2000 stalls; width 3000 reaches m_i ≈ 0.1 by 2·10⁵ steps",
    ),
    Claim(
        "C5",
        "MLPs that are wide enough everywhere still get worse with depth at a fixed number of"
        " steps, and recover with more.",
        "slope of log steps to D = 1 on depth, at the rate 1/σ₁², > 0, and all get there",
        {
            "slower_with_depth": Part(
                "the deeper the slower", "> 0", 0.1, "a tenth more steps with every layer"
            ),
            "all_recover": Part("all get there", ">= 1", 0, _EXACT),
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
            f"{prefix}{name}": Part(f"{says}{reading}", rule, effect, because, votes=not prefix)
            # Three matrices and noise of 1e-7: the paper describes the other.
            for prefix, reading in (("", ""), ("code_", ", in the author's code"))
            for name, says, rule, effect, because in (
                (
                    "as_far_as_predicted",
                    "as far as the singular values say",
                    "within 0.5 2",
                    0.1,
                    _TENTH,
                ),
                ("outside_range", "outside [0, 1]", "> 0.99", 0, _EXACT),
                (
                    "farther_than_descent",
                    "farther than gradient descent",
                    "> 1",
                    1,
                    "twice as far, a visible difference",
                ),
            )
        },
        "median above 40,000; gradient descent 2.84 with m_g = 0.52 after 220 steps",
    ),
    Claim(
        "C7",
        "ReLU about doubles the width that recovery takes.",
        "width over the number of inputs from which an image is recovered, mean; within 1.8 to 2.2",
        {
            "twice_the_width": Part(
                "twice the width", "within 1.8 2.2", 0.1, "1.9 to 2.1 are about 2"
            )
        },
        "about 2",
    ),
    Claim(
        "C8",
        "Widening late layers makes recovery faster, though it adds no information.",
        "steps of the widened network over those of its base, paired; < 1",
        {"fewer_steps": Part("fewer steps", "< 1", 0.1, _TENTH)},
    ),
    Claim(
        "C9",
        "The first convolution keeps everything; pooling breaks that.",
        "smallest singular value at conv1 > 0; distinct active inputs over all inputs >= 1"
        " before the pooling and < 1 after it",
        {
            "conv1_injective": Part("conv1 is injective", "> 1e-13", 0, _EXACT),
            "enough_before_pooling": Part("enough is active before pooling", ">= 1", 0, _EXACT),
            "too_little_after_pooling": Part("too little after it", "< 1", 0, _EXACT),
        },
        "268,203 inputs, over a million outputs at conv1",
    ),
    Claim(
        "C16",
        "Composed layers contract some directions far more than others, the deeper the more.",
        "least slope of log(σ₁ / σ) per block that the brackets of σ allow, at half of each layer's"
        " rank bound; > 0",
        {
            "contract_with_depth": Part("the deeper, the farther apart", "> 0", 0.05, _SLOPE),
            "contract_within_stages": Part(
                "also at equal dimensions", "> 0", 0.05, _SLOPE, votes=False
            ),
        },
    ),
)
_NUMBERED = sorted((*_PAPER, *TRAINING, *LEARNED, *STATEMENTS), key=lambda claim: int(claim.id[1:]))
CLAIMS = {claim.id: claim for claim in _NUMBERED}
"""The claims of the paper by id, in its order."""


def bound_of(claim: str, part: str) -> Bound:
    """The bound of a part of one of `CLAIMS` or `BESIDE`."""
    return {**CLAIMS, **BESIDE}[claim].parts[part].bound
