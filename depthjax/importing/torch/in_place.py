"""What an operation changes in place, and whether that shows elsewhere.

An exported graph names the changed tensor anew, and a rule computes that new tensor. What else is a
view of the old one, PyTorch changes too and the graph does not say so.
"""

import operator
from collections.abc import Iterator
from typing import Any


def seen_elsewhere(node: Any) -> Any | None:
    """Another view of what an operation changes in place that is used after it; None without any.

    Args:
        node: of a graph of `torch.export`, any operation.
    """
    if not getattr(getattr(node.target, "_schema", None), "is_mutable", False):
        return None
    later = {other: place for place, other in enumerate(node.graph.nodes)}
    for other in _other_views(node.args[0], node):
        if any(later[user] > later[node] for user in other.users):
            return other
    return None


def _other_views(changed: Any, node: Any) -> Iterator[Any]:
    """All that has memory in common with what is changed, but for what the operation returns."""
    yield from _views_of(changed, node)
    while _is_view(changed):
        below, changed = changed, changed.args[0]
        yield from _views_of(changed, below)


def _views_of(base: Any, without: Any) -> Iterator[Any]:
    yield base
    for user in base.users:
        if user is not without and _is_view(user) and user.args[0] is base:
            yield from _views_of(user, without)


def _is_view(node: Any) -> bool:
    if node.op != "call_function":
        return False
    if node.target is operator.getitem:  # a part of a split, or one of several results
        return _is_view(node.args[0])
    schema = getattr(node.target, "_schema", None)
    return any(result.alias_info is not None for result in getattr(schema, "returns", ()))
