"""The operations that the networks are made of, with PyTorch's padding, epsilon and momentum.

Each is a Linen module or a frozen, callable dataclass, so that its settings can be read off the
graph by whoever rewrites the network or accounts for what it loses. Linen modules are made with
`parent=None`: they are settings until the network that runs them adopts a copy.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.initializers import (
    Initializer,
    kaiming_normal_fan_out,
    normal,
    uniform_fan_in,
)
from depthjax.ops import pooling

relu = nn.relu  # gradient 0 at 0, as PyTorch's; jnp.maximum would give 0.5


def conv(
    features: int, kernel: int, strides: int = 1, *, groups: int = 1, bias: bool = False
) -> nn.Conv:
    """A square convolution, padding `kernel // 2` on every side, initialised as torchvision's."""
    padding = kernel // 2
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(strides, strides),
        padding=((padding, padding), (padding, padding)),
        feature_group_count=groups,
        use_bias=bias,
        kernel_init=kaiming_normal_fan_out,
        parent=None,
    )


def batch_norm() -> "BatchNorm":
    """BatchNorm with PyTorch's epsilon 1e-5 and momentum 0.1 (0.9 in Flax's convention)."""
    return BatchNorm(momentum=0.9, epsilon=1e-5, use_fast_variance=False, parent=None)


class BatchNorm(nn.BatchNorm):
    """BatchNorm as PyTorch trains it, for any floating dtype.

    In training, with n values for each channel, `y = scale · (x − mean) / √(var + ε) + bias` takes
    the batch's mean and biased variance, and the running variance moves by the unbiased one:
    `running ← momentum · running + (1 − momentum) · n / (n − 1) · var`. Flax moves it by `var`.
    Both are computed in two passes (`use_fast_variance=False`) and kept in float32 at least,
    whatever the dtype of the images.
    """

    @nn.compact
    def __call__(  # type: ignore[override]
        self, x: Float[Array, "*batch channels"], use_running_average: bool | None = None
    ) -> Float[Array, "*batch channels"]:
        """Channels last, normalised; in the dtype of `x`.

        Args:
            x: `[…, C]`.
            use_running_average: whether in evaluation mode.
        """
        trains = not nn.merge_param(
            "use_running_average", self.use_running_average, use_running_average
        )
        held = dict(self.variables.get("batch_stats", {}))
        y = super().__call__(x, not trains)
        if trains and not self.is_initializing():
            moved = self.variables["batch_stats"]
            # Flax has added (1 − momentum) · var; 1 / (n − 1) of that is what is missing. One value
            # has no variance: PyTorch refuses it, here the running variance shrinks.
            others = max(x.size // x.shape[-1] - 1, 1)
            by_batch = moved["var"] - self.momentum * held["var"]
            new = {"mean": moved["mean"], "var": moved["var"] + by_batch / others}
            for name, value in new.items():
                self.put_variable("batch_stats", name, value.astype(held[name].dtype))
        return y.astype(x.dtype)


def dropout(rate: float) -> nn.Dropout:
    """Dropout; the identity in evaluation mode."""
    return nn.Dropout(rate, parent=None)


def linear(features: int, *, std: float | None = None) -> "Linear":
    """A fully connected layer; see `Linear`."""
    return Linear(features, std=std, parent=None)


class Linear(nn.Module):
    """`x @ kernel + bias`; initialised as PyTorch's `nn.Linear`, or with N(0, std²) and bias 0."""

    features: int
    std: float | None = None

    def initializers(self, kernel_shape: tuple[int, ...]) -> dict[str, Initializer]:
        """How each leaf is drawn; PyTorch bounds the bias by the kernel's fan-in too."""
        if self.std is not None:
            return {"kernel": normal(self.std), "bias": normal(0.0)}
        return {"kernel": uniform_fan_in(kernel_shape[0]), "bias": uniform_fan_in(kernel_shape[0])}

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch features"]:
        """`[B, inputs]` -> `[B, features]`."""
        shape = (x.shape[-1], self.features)
        init = self.initializers(shape)
        kernel = self.param("kernel", init["kernel"], shape)
        bias = self.param("bias", init["bias"], (self.features,))
        return x @ kernel + bias[None]


@dataclass(frozen=True)
class LeakyReLU:
    """`x` where it is positive, else `slope · x`: a nonlinearity that has an inverse."""

    slope: float

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Of the same shape; the gradient at 0 is `slope`, as PyTorch's."""
        return jnp.where(x > 0, x, self.slope * x)


@dataclass(frozen=True)
class MaxPool:
    """Max pooling with PyTorch's padding (by −∞) and floor mode."""

    window: int
    strides: int
    padding: int = 0

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        """`[B, H, W, C]` -> `[B, H', W', C]`."""
        return pooling.max_pool(x, self.window, self.strides, self.padding)


@dataclass(frozen=True)
class AdaptiveAveragePool:
    """Average pooling to `size × size` from any size, as PyTorch's."""

    size: int

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b size size c"]:
        """`[B, H, W, C]` -> `[B, size, size, C]`."""
        return pooling.adaptive_average_pool(x, self.size)


def global_average(x: Float[Array, "b h w c"]) -> Float[Array, "b c"]:
    """The mean over all positions."""
    return x.mean((1, 2))


def add(x: Array, y: Array) -> Array:
    """A residual connection."""
    return x + y


def flatten(x: Array) -> Float[Array, "b n"]:
    """`[B, H, W, C]` -> `[B, C·H·W]`, channels first as PyTorch flattens."""
    return jnp.moveaxis(x, -1, 1).reshape(x.shape[0], -1)
