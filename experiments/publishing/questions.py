"""The paper's questions in plain words, and which claims and scripts answer each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from publishing import question_numbers as numbers
from publishing.told import Numbers


class Short(NamedTuple):
    """An answer in one sentence.

    Fields:
        word: the answer that it is written for, as the verdicts give it.
        sentence: with `{name}` in the places of numbers.
        numbers: claim and part of those that its verdicts rest on.
        told: the others.
    """

    word: str
    sentence: str
    numbers: Mapping[str, tuple[str, str]]
    told: Numbers = MappingProxyType({})


NO_SENTENCE = Short("", "", {})


@dataclass(frozen=True)
class Question:
    """One of the paper's questions.

    Fields:
        heading: of its section.
        asks: the question, so that a supported claim says yes.
        claims: ids of the claims that are shown with it.
        scripts: that measure what they rest on.
        figures: names of figures of these scripts; each is shown, with these words below it, of
            the kept runs with the largest images that have it. `{flag}` is what the run was asked.
        beyond: what runs showed that no claim asks for, and what is to be known about the numbers;
            in Markdown, with links.
        told: the numbers that `beyond` has in its sentences.
        beside: those of the claims that do not answer it: their support would not say yes.
        short: its answer in one sentence.
    """

    heading: str
    asks: str
    claims: tuple[str, ...]
    scripts: tuple[str, ...]
    figures: dict[str, str]
    beyond: tuple[str, ...] = ()
    told: Numbers = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    short: Short = NO_SENTENCE


QUESTIONS = (
    Question(
        "Does depth lose the image?",
        "We look for an input that has the same embedding as a photograph in a layer of an"
        " untrained network. Is what we find less like the photograph the deeper the layer, even"
        " where the embeddings match?",
        ("C1", "C2", "C3"),
        ("depth.py", "recipe.py", "uniqueness.py", "readouts.py", "invert.py"),
        {
            "depth": "Distance to the photograph, layer by layer.",
            "readouts_untrained": "What a descent finds in an untrained network, and what read-outs"
            " that have seen other photographs read from the same embeddings.",
            "uniqueness_untrained_chelsea": "What descents from starts that lie far apart"
            " find for layers of an untrained network: six of them. Those whose ρ is above"
            " {matched_ratio:g} are not matched and no solutions; at the left is how many different"
            " solutions all restarts gave.",
            "uniqueness_photos_chelsea": "The same of a network trained on photographs; those whose"
            " ρ is above {matched_ratio:g} are not matched.",
        },
        (
            "A descent that misses the image does not show that the layer has lost it. From"
            " embeddings of an untrained network of which a descent shows nothing, a decoder"
            " reads 0.64 of the luminance's variance at blocks.2 and 0.30 at blocks.4, next to"
            " nothing at blocks.6: [not represented, or not"
            " found](docs/bits.md#not-represented-or-not-found).",
            "What a descent shows depends on its prior: [what each preset makes of a"
            " photograph](docs/presets.md#what-each-makes-of-a-photograph).",
            "C2 and C3 are decided by ResNet-18 and by steps with the spectrum of photographs, and"
            " another network shows less. From layer4 of an untrained ResNet-50 of half width,"
            " without that prior, r² is {thin:interval} at ρ {thin_rho}, and the elasticity of D"
            " from ρ 0.3 to 0.1 {thin_elasticity:interval}"
            " ([run](results/compare_thin_224_accurate/README.md)); with the prior three"
            " photographs come back with r² {thin_with}"
            " ([run](results/gallery_thin_224/README.md)). ResNet-18 without it has not been run.",
            "C1's run was made because one without soft gates came to ρ 0.1 in too few descents"
            " of layer1, with much the same slope ({slope}). That of two runs of one place the"
            " one that came to more values judges was settled when both were known; by the rule"
            " before, C1 would be undecided and C3 not supported.",
            "With [soft gates](docs/objectives.md#closed-gates) more comes back from layer4 of"
            " ResNet-18: r² {soft} at ρ {soft_rho}, else {hard} at {hard_rho}. That is not only"
            " because they come nearer: at ρ 0.1 already, D at the last block is without them"
            " {hard_over_soft:interval} times what it is with them, more than a block adds. So D"
            " at one ρ belongs to the descent as well as to the layer.",
            "The paper's recipe (C2) comes to ρ {recipe18} in ResNet-18. In ResNet-50, which the"
            " paper's statement is of, the published rate diverges: {diverged} descents end farther"
            " away than they began, {farther} times (ρ {recipe50}). At a hundredth of it ρ is"
            " {hundredth:interval}, below 1 for {below} photographs: of one seed, in [a run that"
            " was not finished](results/recipe_resnet50_224/README.md), which decides nothing.",
        ),
        numbers.DEPTH,
        (),
        Short(
            "In part",
            "At ρ = 0.1, what is found for an untrained ResNet-18 is farther from the photograph"
            " with every block: D grows from {first} at the first to {end} at the last, log D by"
            " {slope} a block within stages and by {over} over all. Yet of the luminance's variance"
            " the last layer of this network still gives back {last}, where the first block gives"
            " {shown_first}.",
            {
                "slope": ("C1", "worse_within_stages"),
                "over": ("C1", "worse_over_stages"),
                "last": ("C2", "image_missed"),
            },
            numbers.SHORT_DEPTH,
        ),
    ),
    Question(
        "Trained, untrained, trained on noise",
        "Does training on photographs make layers keep more of an image, and training on noise"
        " not?",
        ("C10", "C11", "C12", "C13", "C14"),
        ("gallery.py", "compare.py", "manifold.py"),
        {
            "gallery": "Three photographs from layers of a trained network, of the same network"
            " untrained, and of two controls: untrained with BatchNorm's statistics of"
            " photographs, and trained with each kernel shuffled. EfficientNet-Lite0 was trained on"
            " ImageNet; the ResNet-50 of half width (thin) also, and then to tell two classes."
            " “Trained” here is the network that comparisons call “photos”.",
            "networks_matched_coffee": "One photograph, recovered from each network at the same"
            " distance from its embedding, or as near as the descent came.",
            "networks_converging_astronaut": "One photograph, recovered from layers of networks"
            " with different training.",
            "manifold": "How near arbitrary inputs come to the examples of training.",
        },
        (
            "C10 and C11 are decided by EfficientNet-Lite, trained on ImageNet, and by a ResNet-50"
            " of half width (`thin`), trained on ImageNet and then fine-tuned to two classes; C12"
            " by EfficientNet-Lite alone ([weights](docs/weights.md#trained-on-imagenet-by-pip)).",
            "EfficientNet-Lite1 was added when the verdicts on the other two were known, as a"
            " second network for C12. For C11 too few descents of the untrained one came to the"
            " common ρ, as it was with the other two before they were run with soft gates.",
            "What these runs say of fixed steps (C10, C11 with blur) is of 60, where the paper"
            " takes 500, at the best of four rates. Without blur this was the largest of the four"
            " at {edge} layers of these networks, so that a still larger one may be better; the"
            " descents end at a ρ of {edge_rho} in the mean.",
            "C11 compares at ρ {matched}, of descents without the spectral prior; C1 to C3 are at"
            " a ρ of 0.1, with it. At ρ {matched} late layers show nothing of the luminance in any"
            " network (r² at most {late} in the mean), so that “late layers are not clearer” says"
            " little. At the first layer, which the claim leaves out, two of the networks give back"
            " less once trained: the ResNet-50 SSIM {ssim_first:interval} and r²"
            " {r2_first:interval}, EfficientNet-Lite0 r² {r2_stem:interval}, trained − untrained;"
            " of EfficientNet-Lite1 r² is {r2_stem_of_lite1:interval}.",
            "C13 and C14 are of [small ResNets](docs/weights.md#a-small-zoo) at 32×32, trained"
            " on crops of photographs or on 2000 images of noise; no larger network trained on"
            " noise was run.",
            "C10: whether training removes non-uniqueness was not measured, since {trained_near}"
            " descents at last layers of trained networks came to ρ 0.03 ({untrained_near} of"
            " untrained ones). What is not supported is that fixed steps bring the embedding"
            " nearer, in units of how far apart [crops of different"
            " photographs](docs/claims.md#comparing-networks) (natural pairs) are kept; beside an"
            " untrained network with BatchNorm's statistics of photographs this is undecided"
            " (*Why, part by part*, below).",
            "C14's number is of pixels, after 200 steps and not at one ρ, so that it may tell of"
            " slower descents alone: from layer4 of networks trained on photographs these end at ρ"
            " {ends_photos}, of untrained ones at {ends_beside}; of networks trained on noise at"
            " {ends_noise}, beside {ends_beside_noise}. A flat grey image also lies nearer to"
            " training images than many a genuine one. Embeddings, of which C14 was asked first,"
            " lie nearer at layer4 for one of four kinds of input: 1/f noise {of_pink:interval}"
            " times as far as in the untrained network, photographs {of_photographs:interval},"
            " Gaussian noise {of_gaussian:interval}, uniform {of_uniform:interval} ([all"
            " numbers](results/manifold_resnet18_small/README.md)).",
        ),
        numbers.TRAINING,
        ("C10", "C12", "C14"),
        Short(
            "These runs do not tell",
            "At ρ = {matched}, early and middle layers of networks trained on photographs seem to"
            " give back more structure (SSIM {ssim} higher), and less surely more of the luminance"
            " (r² {r2} higher); of one of three untrained networks, and of those trained on noise,"
            " too few descents came near enough.",
            {"ssim": ("C11", "early_clearer"), "r2": ("C11", "early_explained")},
            numbers.SHORT_TRAINING,
        ),
    ),
    Question(
        "How wide must a layer be?",
        "Do layers that are wider than their input keep it, and narrower ones not?",
        ("C4", "C5", "C7", "C8", "C19", "C20"),
        ("widths.py",),
        {"widths_C5": "Steps until an image is recovered, against depth."},
        (
            "When these runs were made, C4 asked that a narrow MLP's result be what the null"
            " space holds of the start to within a hundredth, and was contradicted at the"
            " paper's size: by the solver. Through four narrow layers conjugate gradients have"
            " not converged after 20,000 steps, and end at {four} times that, with one narrow"
            " layer of four at {one}. Nothing ends nearer. That the input cannot be recovered"
            " says no more than this, so C4 now asks for no less than the null space holds, and"
            " its verdict is exploratory: [all numbers](results/widths_cpu/README.md).",
            "C5: within the 10,000 steps of the paper's descent, MLPs of four layers do not"
            " recover (D {descent:interval}); all do within a billion steps at the rate 1/σ₁²:"
            " [numbers](results/reproduce_quick/widths/README.md).",
            "C19: the second of two layers needs {second:interval} times the 2.5 n units that"
            " the first was given, where one layer alone needs {first} n (n: the inputs; C7,"
            " another size); no third layer was tried. Widths are read between those that were"
            " tried: of one layer images are missed up to {first_short:interval} n and come back"
            " from {first_enough:interval} n on, so that C7's support needs the interpolation; of"
            " the second layer these are {second_short:interval} n and {second_enough:interval} n.",
            "C20 is undecided only because its 18 values are all the same: every image came"
            " back from {tanh} n tanh or sigmoid units, the fewest that were tried, where the"
            " claim asks for 1.8 n to 2.2 n. Nothing here speaks for it"
            " ([numbers](results/widths_deep/README.md)).",
        ),
        numbers.WIDTHS,
        ("C19", "C20"),
        Short(
            "Yes",
            "Linear layers must be as wide as their input: what the null space of a narrower one"
            " takes from the image is still missing at the end ({narrow} times what it was). A"
            " layer of ReLUs must be about twice as wide ({relu} units for each input).",
            {"narrow": ("C4", "narrow_stays_lost"), "relu": ("C7", "twice_the_width")},
        ),
    ),
    Question(
        "Why depth forgets",
        "Is much of an image out of a descent's reach although the layer holds it, only weakened?",
        ("C6", "C21", "C9", "C16", "C18"),
        ("jacobian.py", "gradients.py", "controls.py", "witnesses.py", "prediction.py"),
        {
            "spectra": "Singular values of each layer.",
            "witnesses_photos": "A photograph, what layers of a network trained on photographs take"
            " for it, and what they see best.",
            "witnesses_untrained": "The same of an untrained network.",
        },
        (
            "C6: in a network that loses nothing, the paper's descent ended at m_i 2.84 with m_g"
            " 0.52, ours at m_i {m_i} (D {ended}) with m_g {m_g}: farther from the image, nearer to"
            " the embedding. The claim asks that the exact inverse lie farther still. It is of"
            " images of 32×32; the run's other controls are of 16×16, as which it is listed.",
            "C18: in ResNet-18 the gradient is as large at the last layer as at the first"
            " ({resnet18}), in ResNet-50 it is not ({resnet50}).",
        ),
        numbers.FORGETTING,
        ("C18",),
        Short(
            "Yes as far as decided",
            "In a network that loses nothing a descent ends at D {ended}, and the exact inverse of"
            " an embedding with a little noise lies {far} times as far from the image; a pooling"
            " leaves {pooled} active outputs for each input, which loses some for good. That"
            " singular values spread with depth is undecided.",
            {
                "far": ("C6", "farther_than_descent"),
                "pooled": ("C9", "too_little_after_pooling"),
            },
            numbers.SHORT_FORGETTING,
        ),
    ),
    Question(
        "What do filters show?",
        "Are filters of a network trained on photographs wavelets at the first layer, and those of"
        " one trained on noise without structure at the last?",
        ("C15", "C17"),
        ("filters.py",),
        {"filters": "Filters of one convolution."},
        (
            "C15's statistic replaced an earlier one, which the same three networks had"
            " contradicted, and its bound of a quarter is wide: filters trained on noise have"
            " {noise:interval} times the low-frequency power of untrained ones, those trained"
            " on photographs {photos:interval}"
            " ([numbers](results/filters_resnet18_small/README.md)). C17 is of another network"
            " and layer, and of no network trained on noise.",
        ),
        numbers.FILTERS,
        (),
        Short(
            "Yes",
            "A Gabor function explains {gabor} more of a first-layer filter trained on photographs"
            " than of the same filter with its weights shuffled; last-layer filters trained on"
            " noise have {smooth} times the low-frequency power of untrained ones: within the"
            " quarter that counts as none, but more than those trained on photographs ({photos}).",
            {"gabor": ("C17", "beyond_shuffled"), "smooth": ("C15", "as_smooth")},
            numbers.SHORT_FILTERS,
        ),
    ),
)


def figures() -> list[str]:
    """The names of all figures that the page may show."""
    return [name for question in QUESTIONS for name in question.figures]
