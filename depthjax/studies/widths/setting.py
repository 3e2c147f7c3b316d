"""The settings of the study of widths, its linear networks, and its images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from depthjax.analysis import linear_mlp
from depthjax.analysis.singular_directions import SingularDirections
from depthjax.errors import one_of
from depthjax.images import find_images, load_images
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import initial_images
from depthjax.inversion.reference import expected_input_distance
from depthjax.models import build_model, init_variables
from depthjax.settings import check_settings, described, setting
from depthjax.typing import Images

CLAIMS = ("C4", "C5", "C7", "C8", "C19", "C20")
RELU_WIDTHS = tuple(round(1.4 + 0.1 * index, 1) for index in range(13))
"""The widths of layers of ReLUs by default, as multiples of the number of inputs."""

FIRST_WIDTH = 2.5
"""C19: the width of the first of two layers of ReLUs, over inputs: enough, as C7 has it."""

SECOND_WIDTHS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 5.5)
"""C19: those of the second, over inputs too; twice that of the first would be 5."""

SMOOTH_WIDTHS = (1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4)
"""C20: the widths of layers of tanh and of sigmoid units, over inputs."""

SMOOTH_UNITS = ("tanh", "sigmoid")

WIDE, NARROW, ONE_NARROW, WIDER_LATE = "wide", "narrow", "one narrow layer", "wider late"
"""The names of the linear networks."""


@described
@dataclass(frozen=True)
class WidthSettings:
    """The widths of the networks, and the numbers of steps.

    Raises:
        ValueError: for an unknown claim; unless `narrow` is below the number of inputs, and `wide`
            is not.
    """

    claims: Sequence[str] = setting(CLAIMS, "which of them")
    size: int = setting(10, "height and width of the images in pixels", least=4)
    narrow: int = setting(240, "width of layers narrower than the input", least=1)
    wide: int = setting(360, "width of layers wider than the input", least=1)
    depth: int = setting(4, "layers of the linear MLPs", least=2)
    descent_steps: int = setting(20_000, "C4: steps of the paper's descent", least=1)
    cg_steps: int = setting(20_000, "C4: steps of conjugate gradients", least=1)
    paper_steps: Sequence[int] = setting(
        (500, 10_000), "C5 and C8: numbers of steps of the paper's descent, rising"
    )
    most_steps: int = setting(10**9, "C5, C8: steps that count as never", least=1)
    relu_widths: Sequence[float] = setting(RELU_WIDTHS, "C7: widths over inputs, rising")
    relu_steps: int = setting(20, "C7, C19, C20: steps of Gauss–Newton", least=1)
    relu_iterations: int = setting(
        100, "C7, C19, C20: steps of conjugate gradients in each of Gauss–Newton", least=1
    )
    relu_starts: int = setting(
        1, "C7, C19, C20: starts of each image; the one that comes nearest its embedding counts",
        least=1,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)
        for claim in self.claims:
            one_of("claim", claim, CLAIMS)
        count = 3 * self.size**2
        if not self.narrow < count <= self.wide:
            raise ValueError(
                f"images of {self.size}×{self.size} have {count} inputs: narrow={self.narrow}"
                f" must be below that, and wide={self.wide} at least that"
            )

    @property
    def unit_claims(self) -> list[str]:
        """Those of the claims asked for that are about layers with an activation."""
        return [claim for claim in ("C7", "C19", "C20") if claim in self.claims]

    @property
    def networks(self) -> dict[str, tuple[int, ...]]:
        """The linear networks of C4, C5 and C8 by name, with the width of each layer."""
        early = self.depth // 2
        return {
            NARROW: (self.narrow,) * self.depth,
            ONE_NARROW: (self.wide, self.narrow, *(self.wide,) * (self.depth - 2)),
            WIDE: (self.wide,) * self.depth,
            WIDER_LATE: (*(self.wide,) * early, *(2 * self.wide,) * (self.depth - early)),
        }

    def linear(self, network: str, depth: int, seed: int) -> "LinearNetwork":
        """The first layers of an untrained network.

        Args:
            network: one of `networks`.
            depth: how many layers.
            seed: of the weights.
        """
        return _linear(self.networks[network], depth, seed, self.size)


class LinearNetwork(NamedTuple):
    """The first layers of a linear MLP.

    Fields:
        weights: as one affine map, for `linear_mlp.affine_layer`, float32.
        directions: the singular directions of that map, float64.
    """

    weights: Any
    directions: SingularDirections


@lru_cache(maxsize=8)
def _linear(layers: tuple[int, ...], depth: int, seed: int, size: int) -> LinearNetwork:
    maps = _affine_maps(layers, seed, size)[:depth]
    return LinearNetwork(jax.tree.map(np.float32, maps[-1]), linear_mlp.product_directions(maps))


@lru_cache(maxsize=2)
def _affine_maps(layers: tuple[int, ...], seed: int, size: int) -> list[linear_mlp.Affine]:
    """An untrained linear MLP up to each of its layers, as affine maps in float64."""
    model = build_model("mlp", widths=layers, activation="linear")
    return linear_mlp.affine_maps(init_variables(model, jax.random.key(seed), size))


@dataclass(frozen=True)
class Inputs:
    """The images of the study.

    Fields:
        names: of the photographs.
        targets: the photographs a, `[B, H, W, 3]`, in [0, 1].
        start_seed: of the starts.
    """

    names: tuple[str, ...]
    targets: Images
    start_seed: int

    @property
    def count(self) -> int:
        """n, the number of elements of an image."""
        return self.targets[0].size

    @cached_property
    def starts(self) -> Images:
        """a_0, `[B, H, W, 3]`."""
        return self.several_starts(1)[0]

    def several_starts(self, count: int) -> Float[Array, "restarts b h w 3"]:
        """So many a_0 of each image; the first are `starts`."""
        drawn = InversionConfig.paper("mlp", restarts=count)
        starts = initial_images(jax.random.key(self.start_seed), self.targets.shape, drawn)
        return starts.reshape(count, *self.targets.shape)

    @property
    def errors(self) -> Float[np.ndarray, "b n"]:
        """`a_0 − a`, flattened, float64."""
        return linear_mlp.flatten_images(self.starts) - linear_mlp.flatten_images(self.targets)

    @property
    def reference_distance(self) -> float:
        """m_i', of noise of standard deviation σ_r."""
        return expected_input_distance(self.count)


def inputs_of(photographs: Sequence[str], size: int, start_seed: int) -> Inputs:
    """Loads photographs, and draws starts as in the paper's recipe for MLPs.

    Args:
        photographs: paths, folders or names of embedded photographs.
        size: height and width.
        start_seed: of the starts.

    Raises:
        ValueError: as `depthjax.images.load_images`.
    """
    names, targets = load_images(find_images(photographs), size)
    return Inputs(tuple(names), jnp.asarray(targets), start_seed)
