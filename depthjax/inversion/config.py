"""The settings of a descent: structure that is compiled in, and numbers that are arguments."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from depthjax.devices.precision import PRECISIONS
from depthjax.errors import one_of, require
from depthjax.inversion.gauss_newton import Options
from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.optimizers import make_optimizer
from depthjax.inversion.priors import PIXEL_HANDLING, STARTS

SCHEDULES = ("constant", "linear", "cosine")
STEP_SCALES = ("fixed", "layer")


class Structure(NamedTuple):
    """What of a configuration changes the compiled program; everything else is an argument."""

    objective: str
    optimizer: str
    optimizer_options: tuple[tuple[str, Any], ...]
    schedule: str
    fourier: bool
    trust: bool
    blur: bool
    pixels: str
    precision: str


@dataclass(frozen=True)
class InversionConfig:
    """How an input is recovered from its embedding. Frozen, hashable, compared by value.

    The default is a converging descent: Adam with a cosine schedule on the relative squared
    distance, pixels kept in [0, 1] (left free, Adam walks far outside at deep layers).
    `InversionConfig.paper()` is the recipe of arXiv 2211.06496.

    Fields:
        steps: updates of the image.
        objective: "l1" `c·Σ|r|`, "l2" `c·‖r‖`, "squared_l2" `c·‖r‖²`, "relative_l2"
            `c·‖r‖/‖O(a)‖`, "relative_squared_l2" its square (with one c), of the residual
            `r = O(a_n) − O(a)`.
        objective_scale: c.
        optimizer: the name of an optax optimiser that takes a learning rate ("sgd", "adam", …);
            "lbfgs" goes without a line search, "gauss_newton" is `depthjax.inversion.gauss_newton`.
        optimizer_options: its other arguments, as a dict or `(name, value)` pairs.
        learning_rate, final_learning_rate, schedule: from the first step to the last, in step/N.
        step_scale: "fixed", or "layer": the rate is multiplied by `step_scale()`, measured at the
            start of each descent, so that one rate works at every depth (for gradient descent;
            optimisers that normalise the gradient, such as Adam, need none).
        fourier_decay: if not 0, the optimiser works on Fourier coefficients, those of frequency f
            times `f^fourier_decay`, so that its steps have the spectrum of photographs.
        trust_radius: the largest change of an image in one step, root mean square in pixel units
            of [0, 1]; 0 for no limit.
        rematerialize: compute activations again for the gradient instead of keeping them: less
            memory for more time (models of this package).
        blur: a 3×3 Gaussian blur after every step, its width from `blur_sigma` to
            `final_blur_sigma` pixels, linear in step/N.
        pixels: "none"; "clip" to [0, 1] after every step; "penalty": `penalty_weight` times the
            squared distance to [0, 1] is added to the objective.
        start: how a start is drawn (`inversion.priors.STARTS`, `a+b` for the average); several,
            separated by commas or in a tuple, take turns over the restarts.
        start_mean, start_std: of Gaussian and pink starts.
        restarts: independent descents from each embedding, all in one program.
        record_every: distances are recorded at every multiple of it, and at the last step.
        plateau, patience: an example stops once its objective has not improved by the fraction
            `plateau` within `patience` steps; 0 never stops it.
        precision: of the products in the descent; results are always measured in float32
            `highest`.

    Raises:
        ValueError: for unknown names and for numbers out of range.
    """

    steps: int = 400
    objective: str = "relative_squared_l2"
    objective_scale: float = 1.0
    optimizer: str = "adam"
    optimizer_options: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()
    learning_rate: float = 0.05
    final_learning_rate: float = 0.0
    schedule: str = "cosine"
    step_scale: str = "fixed"
    fourier_decay: float = 0.0
    trust_radius: float = 0.0
    rematerialize: bool = False
    blur: bool = False
    blur_sigma: float = 2.4
    final_blur_sigma: float = 0.4
    pixels: str = "clip"
    penalty_weight: float = 1.0
    start: str | Sequence[str] = ("gaussian",)
    start_mean: float = 0.7
    start_std: float = 0.05
    restarts: int = 1
    record_every: int = 10
    plateau: float = 0.0
    patience: int = 50
    precision: str = "float32"

    def __post_init__(self) -> None:
        options = self.optimizer_options
        pairs = options.items() if isinstance(options, Mapping) else options
        object.__setattr__(self, "optimizer_options", tuple(sorted((k, v) for k, v in pairs)))
        start = self.start.split(",") if isinstance(self.start, str) else self.start
        object.__setattr__(self, "start", tuple(start))
        self._check()

    def _check(self) -> None:
        one_of("objective", self.objective, OBJECTIVES)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("step scale", self.step_scale, STEP_SCALES)
        one_of("pixel handling", self.pixels, PIXEL_HANDLING)
        one_of("precision", self.precision, PRECISIONS)
        require(len(self.start) > 0, "start", self.start, "one kind at least")
        for start in self.start:
            for kind in start.split("+"):
                one_of("start", kind, STARTS)
        for name in ("steps", "restarts", "record_every", "patience"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
            object.__setattr__(self, name, int(value))  # numpy's integers do not survive JSON
        for name in ("objective_scale", "learning_rate", "blur_sigma", "final_blur_sigma"):
            value = getattr(self, name)
            require(_is_number(value) and value > 0, name, value, "positive")
        names = ("final_learning_rate", "trust_radius", "penalty_weight", "start_std", "plateau")
        for name in names:
            value = getattr(self, name)
            require(_is_number(value) and value >= 0, name, value, "at least 0")
        for name in ("start_mean", "fourier_decay"):
            require(_is_number(getattr(self, name)), name, getattr(self, name), "finite")
        if self.optimizer == "gauss_newton":
            self._check_gauss_newton()
        else:
            make_optimizer(self.optimizer, self.structure.optimizer_options)

    def _check_gauss_newton(self) -> None:
        """It minimises a sum of squares, and knows nothing else."""
        squares = [name for name in OBJECTIVES if "squared" in name]
        if self.objective not in squares or self.pixels == "penalty":
            asked = f"objective {self.objective!r} with pixels {self.pixels!r}"
            raise ValueError(
                f"gauss_newton needs an objective of {', '.join(squares)} and no penalty on pixels,"
                f" got {asked}"
            )
        for name, value in self.structure.optimizer_options:
            one_of("option of gauss_newton", name, Options._fields)
            require(_is_number(value) and value > 0, name, value, "positive")

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
        resnet = kind == "resnet"
        recipe: dict[str, Any] = {
            "steps": 500,
            "objective": "l1",
            "objective_scale": 0.15 if resnet else 0.35,
            "optimizer": "sgd",
            "learning_rate": 0.1,
            "final_learning_rate": 0.1 if resnet else 1e-4,
            "schedule": "linear",
            "blur": resnet if blur is None else blur,
            "pixels": "none",
        }
        return cls(**(recipe | fields))

    @classmethod
    def fast(cls, **fields: Any) -> "InversionConfig":
        """The shortest way to ρ ≤ 1 that we measured, and far below: see docs/speed.md.

        L-BFGS (10 pairs, no line search) in Fourier coefficients scaled by `f^½`, with a trust
        radius. It is no neutral choice: of the many inputs with the target's embedding it comes
        to smoother ones, nearer to photographs, than a descent in pixels does.

        Args:
            fields: replace any other field.
        """
        recipe: dict[str, Any] = {
            "steps": 200,
            "optimizer": "lbfgs",
            "learning_rate": 1.0,
            "schedule": "constant",
            "fourier_decay": 0.5,
            "trust_radius": 0.1,
        }
        return cls(**(recipe | fields))

    def replace(self, **fields: Any) -> "InversionConfig":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **fields)

    @property
    def structure(self) -> Structure:
        """The part that is compiled in."""
        switches = {"fourier": self.fourier_decay != 0, "trust": self.trust_radius > 0}
        values: dict[str, Any] = {name: getattr(self, name, None) for name in Structure._fields}
        return Structure(**(values | switches))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and math.isfinite(value)
