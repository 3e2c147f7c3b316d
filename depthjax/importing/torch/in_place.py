"""What an operation changes in place, and whether that shows elsewhere.

An exported graph names the changed tensor anew, and a rule computes that new tensor. What else lies
in the same memory PyTorch changes too, and the graph does not say so.
"""

from collections.abc import Sequence
from typing import Any

from depthjax.importing.torch.naming import operation_name

_UNCHANGED = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
"""Operations that change nothing in evaluation mode."""


def seen_elsewhere(node: Any, regions: Sequence[Any] = ()) -> Any | None:
    """Another name of what an operation changes in place that is used after it; None without any.

    Args:
        node: of a graph of `torch.export`, any operation.
        regions: the nodes of outer graphs that it lies within.
    """
    is_mutable = getattr(getattr(node.target, "_schema", None), "is_mutable", False)
    if not is_mutable or operation_name(node.target) in _UNCHANGED:
        return None
    changed = node.args[0].meta["val"]
    for place in (node, *regions):
        order = {other: number for number, other in enumerate(place.graph.nodes)}
        for other in place.graph.nodes:
            used = any(order[user] > order[place] for user in other.users)
            if order[other] < order[place] and used and _overlap(changed, other.meta.get("val")):
                return other
    return None


def _overlap(one: Any, other: Any) -> bool:
    """Whether two tensors have an element in common."""
    import torch

    if not isinstance(other, torch.Tensor):
        return False
    if one.untyped_storage()._cdata != other.untyped_storage()._cdata:
        return False
    size = 1 + max(
        tensor.storage_offset()
        + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
        for tensor in (one, other)
    )
    taken = torch.zeros(int(size), dtype=torch.bool)
    of_one, of_other = (
        taken.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        for tensor in (one, other)
    )
    of_one.fill_(True)
    return bool(of_other.any())
