"""One number for each example, beside the arrays of the examples."""

from jaxtyping import Array, Shaped


def per_example(values: Shaped[Array, " b"], like: Array) -> Shaped[Array, "b *ones"]:
    """`[B]` as `[B, 1, …, 1]`, with as many axes as `like`, which begins with B examples."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
