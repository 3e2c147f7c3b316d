"""The identity: it gives a value the name of a block that ends with another operation."""

from dataclasses import dataclass

from jaxtyping import Array, Shaped

from depthjax.models.operations.description import Description, describes


def identity(x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """The input."""
    return x


@describes(identity)
@dataclass(frozen=True)
class IdentityDescription(Description):
    """Nothing happens."""

    kind = "identity"
    joined = "as it is"
    verb = "keeps"
