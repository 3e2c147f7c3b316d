"""The settings of a descent: structure that is compiled in, and numbers that are arguments."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

from depthjax.devices.precision import PRECISIONS
from depthjax.errors import one_of, require
from depthjax.inversion import transformations
from depthjax.inversion.chains import listed
from depthjax.inversion.combinations import check_together
from depthjax.inversion.objectives import (
    OBJECTIVES,
    Pieces,
    checked_objective,
    pieces_of,
)
from depthjax.inversion.optimizers import OPTIMIZERS, Optimizer, make_optimizer
from depthjax.inversion.parametrisations import (
    PARAMETRISATIONS,
    chain_of,
    checked_parametrisation,
)
from depthjax.inversion.penalties import PENALTIES, checked_penalty, is_given
from depthjax.inversion.presets import PRESETS, parsed
from depthjax.inversion.priors import PIXEL_HANDLING
from depthjax.inversion.schedules import SCHEDULES, checked_stairs
from depthjax.inversion.starts import STARTS
from depthjax.inversion.terms import Piece, Sum, Term, as_sum
from depthjax.inversion.transformations import TRANSFORMATIONS, checked_transform
from depthjax.models.regated import RELU_GRADIENTS
from depthjax.settings import check_settings, described, setting

STEP_SCALES = ("fixed", "layer")


class Structure(NamedTuple):
    """What of a configuration changes the compiled program; everything else is an argument."""

    objective: Pieces
    penalties: tuple[Term, ...]
    transforms: tuple[Any, ...]
    optimizer: Optimizer
    optimizer_options: tuple[tuple[str, Any], ...]
    schedule: str
    coordinates: tuple[str, ...]
    moved: tuple[Any, ...]
    trust: bool
    soft: bool
    blur: bool
    pixels: str
    precision: str


@described
@dataclass(frozen=True)
class InversionConfig:
    """How an input is recovered from its embedding. Frozen, hashable, compared by value.

    The default is a converging descent: Adam with a cosine schedule on the relative squared
    distance, pixels kept in [0, 1] (left free, Adam walks far outside at deep layers).
    `InversionConfig.paper()` is the recipe of arXiv 2211.06496.

    Raises:
        ValueError: for unknown names and for numbers out of range.
    """

    steps: int = setting(400, "updates of the image", least=1)
    objective: str | Sum | Piece = setting(  # noqa: RUF009
        "relative_squared_l2",
        "what is minimised, of the embedding e, the target t and r = e − t: "
        + ", ".join(f"{name} is {known.formula}" for name, known in OBJECTIVES.items())
        + "; sums such as 'cosine@layer3 + 0.5*relative_l2@layer1', where several layers are asked"
        " for at once; of a part alone, such as 'cosine[...,0:16]' of channels; a function"
        " (embedding, target) -> [B], on the command line"
        " package.module:function",
    )
    objective_scale: float = setting(1.0, "the constant c before the objective", above=0)
    optimizer: Optimizer = setting(  # noqa: RUF009
        "adam",
        f"{', '.join(OPTIMIZERS)}, or any other of optax that takes a learning rate; lbfgs goes"
        " without a line search; a function that makes one of a learning_rate, on the command line"
        " package.module:function",
    )
    optimizer_options: Mapping[str, Any] | Sequence[tuple[str, Any]] = setting(
        (), "other arguments of the optimizer, as a dict or as (name, value) pairs"
    )
    learning_rate: float = setting(0.05, "learning rate of the first step", above=0)
    final_learning_rate: float = setting(0.0, "learning rate after the last step", least=0)
    schedule: str = setting(
        "cosine",
        f"how the learning rate goes from the first step to the last: {', '.join(SCHEDULES)}",
        among=SCHEDULES,
    )
    stairs: str | Sequence[float] = setting(
        (),
        "factors of the learning rate in stretches of equal length, for schedule=stairs, such as"
        " 1,0.1,0.01",
    )
    step_scale: str = setting(
        "fixed",
        "layer: the rate is multiplied by what `step_scale()` measures at the start of each"
        " descent, so that one rate serves every depth (for gradient descent; optimizers that"
        " normalise the gradient need none); fixed: it is not",
        among=STEP_SCALES,
    )
    fourier_decay: float = setting(
        0.0,
        "not 0: optimise Fourier coefficients, those of frequency f times f^this, so that steps"
        " have the spectrum of photographs",
    )
    parametrisation: str | Sequence[Any] = setting(
        (),
        "what is moved instead of pixels, from it to the image, such as"
        f" 'fourier:1,decorrelated,sigmoid': {listed(PARAMETRISATIONS)}; or a pair of functions"
        " (decode, encode)",
    )
    trust_radius: float = setting(
        0.0, "largest RMS change of an image in one step, in pixel units of [0, 1]; 0: any", least=0
    )
    rematerialize: bool = setting(
        False, "less memory for more time: activations are computed twice (models of this package)"
    )
    relu_gradient: str = setting(
        "true",
        "gradient of ReLUs in the descent: "
        + "; ".join(f"{name}: {text}" for name, text in RELU_GRADIENTS.items()),
        among=RELU_GRADIENTS,
    )
    soft_gates: float = setting(
        0.0,
        "0: the true gradient. Above 0, closed ReLUs and losers of max pooling pass some of it, the"
        " more the nearer they are to opening or winning: within so many standard deviations of"
        " what comes in at first, and less and less as the descent goes on",
        least=0,
    )
    blur: bool = setting(False, "3×3 Gaussian blur after every step")
    blur_sigma: float = setting(2.4, "width of the blur at the first step, in pixels", above=0)
    final_blur_sigma: float = setting(
        0.4, "width of the blur after the last step, in pixels", above=0
    )
    pixels: str = setting(
        "clip",
        "pixels outside [0, 1]: none leaves them; clip cuts them off after every step; penalty adds"
        " penalty_weight times the penalty range to the objective",
        among=PIXEL_HANDLING,
        what="pixel handling",
    )
    penalty_weight: float = setting(1.0, "weight of pixels=penalty", least=0)
    penalty: str | Sum | Piece = setting(  # noqa: RUF009
        "",
        "what images pay for themselves, added to the objective, such as 'tv:1e-3 + range:1': "
        + ", ".join(f"{name} is {known.formula}" for name, known in PENALTIES.items())
        + "; or a function (images) -> [B]",
    )
    transform: str | Sequence[Any] = setting(
        (),
        "random changes of the image before the network, at every step anew, such as"
        f" 'jitter:8,scale:0.9:1.1': {listed(TRANSFORMATIONS)}; or a function (key, images) ->"
        " images",
    )
    transform_seed: int = setting(0, "seed of the random changes of the image", least=0)
    start: str | Sequence[str] = setting(
        ("gaussian",),
        f"how a start is drawn: {', '.join(STARTS)}; a+b is their average, a,b take turns over"
        " restarts",
    )
    start_mean: float = setting(0.7, "mean of Gaussian and pink starts")
    start_std: float = setting(0.05, "standard deviation of Gaussian and pink starts", least=0)
    restarts: int = setting(1, "independent descents for each image and layer", least=1)
    record_every: int = setting(
        10, "steps between two records of the distances; the end has one, too", least=1
    )
    plateau: float = setting(
        0.0,
        "stop when the objective improves by less than this fraction within `patience` steps; 0:"
        " never",
        least=0,
    )
    patience: int = setting(
        50,
        "steps within which the objective must improve by the fraction `plateau`, or it stops",
        least=1,
    )
    precision: str = setting(
        "float32",
        f"precision of products in the descent: {', '.join(PRECISIONS)}; results are measured in"
        " float32",
        among=PRECISIONS,
    )

    def __post_init__(self) -> None:
        options = self.optimizer_options
        pairs = options.items() if isinstance(options, Mapping) else options
        object.__setattr__(self, "optimizer_options", tuple(sorted((k, v) for k, v in pairs)))
        start = self.start.split(",") if isinstance(self.start, str) else self.start
        object.__setattr__(self, "start", tuple(start))
        object.__setattr__(self, "stairs", checked_stairs(self.stairs, self.schedule))
        object.__setattr__(self, "objective", checked_objective(self.objective))
        object.__setattr__(self, "penalty", checked_penalty(self.penalty))
        object.__setattr__(self, "transform", checked_transform(self.transform))
        object.__setattr__(self, "parametrisation", checked_parametrisation(self.parametrisation))
        self._check()

    def _check(self) -> None:
        check_settings(self)
        require(len(self.start) > 0, "start", self.start, "one kind at least")
        for start in self.start:
            for kind in start.split("+"):
                one_of("start", kind, STARTS)
        if not isinstance(self.optimizer, str) and not callable(self.optimizer):
            raise ValueError(
                f"optimizer must be a name or a function of the learning rate, got a"
                f" {type(self.optimizer).__name__}; give what makes it, such as optax.adam or"
                " functools.partial(optax.adam, b1=0.8): a descent has a rate of its own"
            )
        for name, value in self.structure.optimizer_options:
            hashes = isinstance(value, Hashable)
            require(
                hashes, f"optimizer_options[{name!r}]", value, "a number, text, tuple or function"
            )
        check_together(self)
        if self.optimizer != "gauss_newton":
            make_optimizer(self.optimizer, self.structure.optimizer_options)

    @classmethod
    def preset(cls, name: str, **fields: Any) -> "InversionConfig":
        """The settings of a method by name: see `depthjax.inversion.presets`.

        Args:
            name: "converging" (the default), "fast", "accurate", "paper", "paper_mlp",
                "mahendran2015", "feather2023", "lucid" or "maco".
            fields: replace any other field.

        Raises:
            ValueError: for an unknown name.
        """
        return cls(**(PRESETS[one_of("preset", name, PRESETS)] | fields))

    @classmethod
    def from_word(cls, word: str, **fields: Any) -> "InversionConfig":
        """A preset with changes as one word: `converging:steps=800:penalty=tv:1e-4`.

        Args:
            word: the name of a preset, then a colon before each `field=value`.
            fields: replace any field that the word does not name.

        Raises:
            ValueError: for a preset that does not exist, and for a change that it does not take.
        """
        name, changes = parsed(word, cls.__dataclass_fields__)
        return cls.preset(name, **(fields | changes))

    @classmethod
    def paper(
        cls, kind: str = "resnet", *, blur: bool | None = None, **fields: Any
    ) -> "InversionConfig":
        """The recipe of the paper: gradient descent on the L1 distance from a Gaussian start.

        500 steps; the rate stays 0.1 with c = 0.15 and a blur annealed from σ 2.4 to 0.4 for
        "resnet" (VGG too), and falls linearly from 0.1 to 1e-4 with c = 0.35 and no blur for "mlp".

        Args:
            kind: "resnet" or "mlp".
            blur: overrides the blur of the recipe.
            fields: replace any other field.
        """
        one_of("paper preset", kind, ("resnet", "mlp"))
        if blur is not None:
            fields["blur"] = blur
        return cls.preset("paper" if kind == "resnet" else "paper_mlp", **fields)

    @classmethod
    def fast(cls, **fields: Any) -> "InversionConfig":
        """The shortest way to ρ ≤ 1 that we measured, and far below: see docs/speed.md.

        L-BFGS (10 pairs, no line search) in Fourier coefficients scaled by `f^½`, with a trust
        radius. It is no neutral choice: of the many inputs with the target's embedding it comes
        to smoother ones, nearer to photographs, than a descent in pixels does.

        Args:
            fields: replace any other field.
        """
        return cls.preset("fast", **fields)

    def replace(self, **fields: Any) -> "InversionConfig":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **fields)

    @property
    def penalties(self) -> tuple[Term, ...]:
        """What images pay for, that of `pixels` included."""
        asked = as_sum(self.penalty).terms if is_given(self.penalty) else ()
        of_range = Term("range", self.penalty_weight)
        return (*asked, of_range) if self.pixels == "penalty" else asked

    @property
    def decay(self) -> float:
        """Of Fourier coefficients; that of the parametrisation, if it names them."""
        named = chain_of(self.parametrisation).decay
        return self.fourier_decay if named is None else named

    @cached_property
    def structure(self) -> Structure:
        """The part that is compiled in."""
        chain = chain_of(self.parametrisation)
        fourier = ("fourier",) if self.fourier_decay or chain.decay else ()
        return Structure(
            objective=pieces_of(self.objective),
            penalties=tuple(one.bare for one in self.penalties),
            transforms=transformations.pieces_of(self.transform),
            optimizer=self.optimizer,
            optimizer_options=cast(Any, self.optimizer_options),
            schedule=self.schedule,
            coordinates=(*fourier, *chain.linear),
            moved=chain.moved,
            trust=self.trust_radius > 0,
            soft=self.soft_gates > 0,
            blur=self.blur,
            pixels=self.pixels,
            precision=self.precision,
        )


def as_config(given: Any) -> InversionConfig:
    """The settings that a function was given; None stands for the default ones.

    Raises:
        ValueError: for anything else, such as a dict.
    """
    if given is None:
        return InversionConfig()
    if not isinstance(given, InversionConfig):
        advice = "InversionConfig(**settings)" if isinstance(given, dict) else "one, or None"
        raise ValueError(
            f"config must be an InversionConfig, got {type(given).__name__}; give {advice}"
        )
    return given
