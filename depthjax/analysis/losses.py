"""What an operation loses and how much a layer lets through: the numbers, and sentences of them."""

from typing import NamedTuple

from depthjax.models.operations.description import description_of_kind


class OperationLoss(NamedTuple):
    """What one operation does to the elements of one image's activations.

    Fields:
        name: of the operation, as in `layer_names(model, sublayers=True)`.
        kind: "conv", "linear", "relu", "max pool", …: the `kind` of the operation's description;
            "other" is an operation of which nothing is known, taken to join all with all.
        inputs, outputs: elements before and after it; both summands count for an "add".
        stride: of convolutions and max pooling, else 1.
        active_inputs: input elements that some pixel can change.
        read: those of them on which an active output depends: distinct winners, open gates.
        active_outputs: output elements that some pixel can change.
        unread: input elements on which no output depends, active or not. Of max pooling those that
            are the maximum of no window; where values tie only the first in row-major order is the
            maximum, as PyTorch has it. Of ReLU, gates whose input is at most 0. Else 0.
        zero_scales: of BatchNorm, channels whose |scale| / √(var + ε) is at most the dtype's
            epsilon times the largest. Only those of exactly 0 count as inactive.
        counted: whether it is known which inputs an output depends on. If not, every output is
            taken to depend on every input: `read` and `active_outputs` are then upper bounds, and
            so is the rank.
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    stride: int
    active_inputs: int
    read: int
    active_outputs: int
    unread: int
    zero_scales: int
    counted: bool = True

    @property
    def lost(self) -> int:
        """Dimensions of its active input that it certainly maps to 0."""
        return self.active_inputs - min(self.read, self.active_outputs)


class RankBound(NamedTuple):
    """How many directions of the input can reach a layer at an image.

    Fields:
        layer: its name.
        inputs: n, the elements of the image.
        outputs: the elements of the embedding.
        rank: an upper bound on the rank of the layer's Jacobian.
        nullity: n − rank, a lower bound on the dimension of what the layer cannot see.
        cut: the operations that let no more than `rank` through, in depth order; of several such
            sets the one nearest to the input. `("input",)` if every direction may pass.
    """

    layer: str
    inputs: int
    outputs: int
    rank: int
    nullity: int
    cut: tuple[str, ...]


def sentence(loss: OperationLoss | RankBound) -> str:
    """What an operation loses, or what can pass a layer, in words.

    >>> sentence(RankBound("layer4", 3072, 2048, 1024, 2048, ("layer4.1",)))
    'at most 1,024 of 3,072 input directions can pass layer4: the cut is layer4.1'
    """
    if isinstance(loss, RankBound):
        if loss.nullity == 0:
            return f"all {loss.inputs:,} input directions may pass {loss.layer}: no cut is smaller"
        return (
            f"at most {loss.rank:,} of {loss.inputs:,} input directions can pass {loss.layer}:"
            f" the cut is {' and '.join(loss.cut)}"
        )
    if not loss.counted:
        return (
            f"{loss.name} is not counted: each of its {loss.active_inputs:,} active values is taken"
            f" to reach each of its {loss.outputs:,} outputs"
        )
    return description_of_kind(loss.kind).sentence(loss)
