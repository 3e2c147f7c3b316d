"""The paper's questions in plain words, and which claims and scripts answer each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One of the paper's questions.

    Fields:
        heading: of its section.
        asks: the question, so that a supported claim says yes.
        claims: ids of the claims that answer it.
        scripts: that measure what they rest on.
        figures: names of figures of these scripts; each is shown, with these words below it, of
            the kept runs with the largest images that have it.
        beyond: what runs showed that no claim asks for; in Markdown, with links to the numbers.
    """

    heading: str
    asks: str
    claims: tuple[str, ...]
    scripts: tuple[str, ...]
    figures: dict[str, str]
    beyond: str = ""


QUESTIONS = (
    Question(
        "Does depth lose the image?",
        "We look for an input that has the same embedding as a photograph in a layer of an"
        " untrained network. Is this input less like the photograph if the layer is deeper, even"
        " where the embeddings match?",
        ("C1", "C2", "C3"),
        ("depth.py", "recipe.py", "uniqueness.py", "readouts.py", "invert.py"),
        {
            "depth": "Distance to the photograph, layer by layer.",
            "readouts_untrained": "What a descent finds in an untrained network, and what read-outs"
            " that have seen other photographs read from the same embeddings.",
            "uniqueness_untrained_chelsea": "Images that layers of an untrained network cannot"
            " tell from the photograph, from starts that lie far apart.",
            "uniqueness_photos_chelsea": "The same of a network trained on photographs.",
        },
        "A descent that misses the image does not show that the layer has lost it. From embeddings"
        " of an untrained network of which a descent shows nothing, a decoder reads most of the"
        " picture: [not represented, or not found](docs/bits.md#not-represented-or-not-found). And"
        " what a descent shows depends on its prior: [what each preset makes of a"
        " photograph](docs/presets.md#what-each-makes-of-a-photograph).",
    ),
    Question(
        "Trained, untrained, trained on noise",
        "Does training on photographs make layers keep more of an image, and training on noise"
        " not?",
        ("C10", "C11", "C12", "C13", "C14"),
        ("gallery.py", "compare.py", "manifold.py"),
        {
            "gallery": "Three photographs from layers of a network trained on ImageNet, of the same"
            " network untrained, and of two controls: untrained with BatchNorm's statistics of"
            " photographs, and trained with each kernel shuffled.",
            "networks_matched_coffee": "One photograph, recovered from each network at"
            " the same distance from its embedding.",
            "networks_converging_astronaut": "One photograph, recovered from layers of networks"
            " with different training.",
            "manifold": "How near arbitrary inputs come to the examples of training.",
        },
    ),
    Question(
        "How wide must a layer be?",
        "Do layers that are wider than their input keep it, and narrower ones not?",
        ("C4", "C5", "C7", "C8", "C19", "C20"),
        ("widths.py",),
        {"widths_C5": "Steps until an image is recovered, against depth."},
        "What speaks against C4 at the paper's size is the solver, and not the null space: through"
        " four narrow layers conjugate gradients have not converged after 20,000 steps. They end at"
        " 1.03 times what the null space holds, with one narrow layer of four at 1.00. Nothing ends"
        " below it: [all numbers](results/widths_cpu/README.md).",
    ),
    Question(
        "Why depth forgets",
        "Is the lost information really gone, or only weakened?",
        ("C6", "C21", "C9", "C16", "C18"),
        ("jacobian.py", "gradients.py", "controls.py", "witnesses.py", "prediction.py"),
        {
            "spectra": "Singular values of each layer.",
            "witnesses_photos": "A photograph, what layers of a network trained on photographs take"
            " for it, and what they see best.",
            "witnesses_untrained": "The same of an untrained network.",
        },
    ),
    Question(
        "What do filters show?",
        "Do filters have a structure that comes from training on photographs, and not from training"
        " on noise?",
        ("C15", "C17"),
        ("filters.py",),
        {"filters": "Filters of one convolution."},
    ),
)


def figures() -> list[str]:
    """The names of all figures that the page may show."""
    return [name for question in QUESTIONS for name in question.figures]
