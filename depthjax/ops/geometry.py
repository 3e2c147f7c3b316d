"""How the kernel of a convolution moves over an image, and back."""

import dataclasses
from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Pair = tuple[int, int]
Sizes = tuple[int, ...]
"""A pair that was cut out of a shape."""


@dataclass(frozen=True)
class Geometry:
    """How a kernel moves over an image; each pair is (vertical, horizontal).

    Fields:
        strides: positions from one window to the next.
        padding: zeros (before, after) along each axis, negative to crop; "SAME" and "SAME_LOWER"
            are TensorFlow's, which depend on the image's size.
        dilation: distance between two taps of the kernel.
        input_dilation: distance between two pixels of the image, zeros between them.
        groups: the channels are convolved in so many groups.
    """

    strides: Pair = (1, 1)
    padding: str | tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    input_dilation: Pair = (1, 1)
    groups: int = 1

    def resolved(self, taps: Pair) -> "Geometry":
        """The same with padding in numbers, if the size of the images does not matter."""
        if not isinstance(self.padding, str):
            return self
        if self.padding == "VALID" or self.strides == (1, 1) or taps == (1, 1):
            pads = self.pads((1, 1), taps)
            return dataclasses.replace(self, padding=pads)
        return self

    def pads(self, size: Sizes, taps: Sizes) -> tuple[Pair, Pair]:
        """Padding in numbers, for an image and a kernel of some size."""
        if not isinstance(self.padding, str):
            return self.padding
        reach = [1 + (count - 1) * step for count, step in zip(taps, self.dilation, strict=True)]
        first, second = lax.padtype_to_pads(size, reach, self.strides, self.padding)
        return (int(first[0]), int(first[1])), (int(second[0]), int(second[1]))

    def transposed(self, size: Sizes, taps: Sizes) -> "Geometry":
        """The geometry of the transpose, which is a convolution with the flipped kernel.

        Args:
            size: of the image.
            taps: of the kernel.
        """
        pads: list[Pair] = []
        for axis, (before, after) in enumerate(self.pads(size, taps)):
            stride, dilated = self.strides[axis], (size[axis] - 1) * self.input_dilation[axis] + 1
            reach = (taps[axis] - 1) * self.dilation[axis] + 1
            # If the stride does not divide the size, no window reaches the last rows: zeros.
            unreached = (dilated + before + after - reach) % stride
            pads.append((reach - 1 - before, reach - 1 - after + unreached))
        return Geometry(
            self.input_dilation, (pads[0], pads[1]), self.dilation, self.strides, self.groups
        )

    def padded(self, x: Float[Array, "b h w c"], taps: Sizes) -> Float[Array, "b h2 w2 c"]:
        """The image with its padding, and with zeros between its pixels where it is dilated."""
        pads = self.pads(x.shape[1:3], taps)
        edges = [(*pad, step - 1) for pad, step in zip(pads, self.input_dilation, strict=True)]
        return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))

    def met_by(self, tap: Sizes, taps: Sizes, size: Sizes) -> tuple[slice, slice]:
        """The rows and columns of a padded image that one tap of the kernel is multiplied with.

        Args:
            tap: its position in the kernel.
            taps: size of the kernel.
            size: of the padded image.
        """
        slices = []
        for axis in range(2):
            begin = tap[axis] * self.dilation[axis]
            count = max(0, size[axis] - (taps[axis] - 1) * self.dilation[axis])
            slices.append(slice(begin, begin + count, self.strides[axis]))
        return slices[0], slices[1]
