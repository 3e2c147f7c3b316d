"""The paper's questions in plain words, and which claims and scripts answer each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from publishing.told import Told


class Short(NamedTuple):
    """An answer in one sentence.

    Fields:
        word: the answer that it is written for, as the verdicts give it.
        sentence: with `{name}` in the places of numbers.
        numbers: claim and part of each.
    """

    word: str
    sentence: str
    numbers: Mapping[str, tuple[str, str]]


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
    told: Mapping[str, Told] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    short: Short = NO_SENTENCE


_LAYER4, _LAYER4_50 = ("C2", "resnet18, layer4"), ("C2", "resnet50, layer4")
_PUBLISHED = "ρ of the last iterate of the paper's recipe: as published"
_FAST, _ACCURATE = ("depth_resnet18_224", *_LAYER4), ("depth_resnet18_224_accurate", *_LAYER4)
_NOISE, _PHOTOS = (
    Told("filters_resnet18_small", "C15", f"{label}, layer4.1.conv2", "low-frequency power")
    for label in ("noise", "photos")
)
_MANIFOLD = ("manifold_resnet18_small", "C14")
_DISTANCE = "distance to training examples"
_WIDTH = "width / n from which an image is recovered"
_SOLVED = "conjugate gradients (20000 steps)"
_LAST_OVER_FIRST = ("C18", "untrained, layer4 / conv1, at the start", "standard deviation")

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
            "That ResNet-18 gives back {soft} of the luminance's variance from layer4 (C2)"
            " holds for steps with the spectrum of photographs; the same without that prior has"
            " not been run.",
            "C1's run was made because one without soft gates came to ρ 0.1 in too few descents"
            " of layer1, with much the same slope ({slope}). That of two runs of one place the"
            " one that came to more values judges was settled when both were known; by the rule"
            " before, C1 would be undecided and C3 not supported.",
            "With soft gates, which come nearer to the embedding, more of it comes back: {soft}"
            " at ρ {soft_rho}, else {hard} at {hard_rho}.",
            "The paper's recipe (C2) comes to ρ {recipe18} in ResNet-18 and to {recipe50} in"
            " ResNet-50, which the paper's statement is of.",
        ),
        {
            "slope": Told("depth_resnet18_224", "C1", "resnet18, within stages"),
            "soft": Told(*_ACCURATE, "r²"),
            "soft_rho": Told(*_ACCURATE, "ρ"),
            "hard": Told(*_FAST, "r²"),
            "hard_rho": Told(*_FAST, "ρ"),
            "recipe18": Told("recipe_resnet18_224", *_LAYER4, _PUBLISHED),
            "recipe50": Told("recipe_resnet50_layer4_224", *_LAYER4_50, _PUBLISHED),
        },
        (),
        Short(
            "In part",
            "At ρ = 0.1, what is found for an untrained ResNet-18 is farther from the photograph"
            " with every block (log D rises by {slope}); yet its last layer still gives back {last}"
            " of the variance of the luminance.",
            {"slope": ("C1", "worse_within_stages"), "last": ("C2", "image_missed")},
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
            "C10 to C12 are decided by two trained networks: EfficientNet-Lite0, trained on"
            " ImageNet, and a ResNet-50 of half width (`thin`), trained on ImageNet and then"
            " fine-tuned to two classes"
            " ([weights](docs/weights.md#trained-on-imagenet-by-pip)).",
            "Their runs take 60 steps where the paper takes 500, so what they say of fixed"
            " steps (C10, C11 with blur) is of 60.",
            "C13 and C14 are of [small ResNets](docs/weights.md#a-small-zoo) at 32×32, trained"
            " on crops of photographs or on 2000 images of noise; no larger network trained on"
            " noise was run.",
            "C10: that training does not remove non-uniqueness was not measured, since no"
            " descent at a last layer came to ρ 0.03. What is not supported is that the"
            " embedding comes nearer in fixed steps; beside an untrained network with"
            " BatchNorm's statistics of photographs, m_g over natural pairs' distance hardly"
            " differs (*Why, part by part*, below).",
            "C14's number is of pixels, after 200 steps and not at one ρ. A flat grey image"
            " lies nearer to training images than many a genuine one does, so the number does"
            " not say that inputs miss the manifold. Embeddings, of which C14 was asked first, go"
            " the other way at layer4: those of 1/f noise lie {embedded:interval} times as far"
            " from those of training photographs as in the untrained network ([all"
            " numbers](results/manifold_resnet18_small/README.md)).",
        ),
        {
            "embedded": Told(*_MANIFOLD, "photos, layer4, 1/f noise", f"embedding: {_DISTANCE}"),
        },
        ("C10", "C12", "C14"),
        Short(
            "These runs do not tell",
            "At one ρ, early and middle layers of two networks trained on photographs give back"
            " more structure (SSIM {ssim} higher), but not surely more of the luminance (r² {r2}"
            " higher); of networks trained on noise too few descents came near enough.",
            {"ssim": ("C11", "early_clearer"), "r2": ("C11", "early_explained")},
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
            " another size); no third layer was tried.",
            "C20 is undecided only because its 18 values are all the same: every image came"
            " back from {tanh} n tanh or sigmoid units, the fewest that were tried, where the"
            " claim asks for 1.8 n to 2.2 n. Nothing here speaks for it"
            " ([numbers](results/widths_deep/README.md)).",
        ),
        {
            "second": Told("widths_deep", "C19", "two ReLU layers, 108 inputs, the first 2.5 n"),
            "first": Told(
                "reproduce_quick/widths", "C7", "one ReLU layer, 300 inputs", f"{_WIDTH}: D ≤ 1"
            ),
            "tanh": Told("widths_deep", "C20", "one tanh layer, 108 inputs"),
            "four": Told("widths_cpu", "C4", f"narrow, 4 layers, {_SOLVED}"),
            "one": Told("widths_cpu", "C4", f"one narrow layer, 4 layers, {_SOLVED}"),
            "descent": Told(
                "reproduce_quick/widths", "C5", "wide, 4 layers, paper's descent", "D after 10000"
            ),
        },
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
            "C18: in ResNet-18 the gradient is as large at the last layer as at the first"
            " ({resnet18}), in ResNet-50 it is not ({resnet50}).",
        ),
        {
            "resnet18": Told("gradients_resnet18_224", *_LAST_OVER_FIRST),
            "resnet50": Told("gradients_resnet50_224", *_LAST_OVER_FIRST),
        },
        ("C18",),
        Short(
            "Yes as far as decided",
            "In a network that loses nothing, the exact inverse of an embedding with a little noise"
            " lies {far} times as far from the image as what a descent finds; a pooling leaves"
            " {pooled} active outputs for each input, which loses some for good. That singular"
            " values spread with depth is undecided.",
            {
                "far": ("C6", "farther_than_descent"),
                "pooled": ("C9", "too_little_after_pooling"),
            },
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
        {"noise": _NOISE, "photos": _PHOTOS},
        (),
        Short(
            "Yes",
            "A Gabor function explains {gabor} more of a first-layer filter trained on photographs"
            " than of the same filter with its weights shuffled; last-layer filters trained on"
            " noise have {smooth} times the low-frequency power of untrained ones, which is"
            " within the quarter that counts as none.",
            {"gabor": ("C17", "beyond_shuffled"), "smooth": ("C15", "as_smooth")},
        ),
    ),
)


def figures() -> list[str]:
    """The names of all figures that the page may show."""
    return [name for question in QUESTIONS for name in question.figures]
