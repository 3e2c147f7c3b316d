"""Names of what an exported graph holds: its operations, modules and blocks' own functions."""

from collections.abc import Sequence
from typing import Any

from depthjax.importing.nodes import free_name
from depthjax.importing.values import Value


def operation_name(target: Any) -> str:
    """`aten.add_.Tensor` -> `add`."""
    packet = str(getattr(target, "overloadpacket", target)).rpartition(".")[2]
    in_place = packet.endswith("_") and not packet.endswith("__")
    return packet[:-1] if in_place else packet


def nodes_in(argument: Any) -> list[Any]:
    """The graph's nodes among the arguments of one of them."""
    if isinstance(argument, list | tuple):
        return [node for part in argument for node in nodes_in(part)]
    if isinstance(argument, dict):
        return [node for part in argument.values() for node in nodes_in(part)]
    return [argument] if hasattr(argument, "op") else []


def first_tensor(output: Any) -> Any:
    """The first tensor of a module's outputs."""
    return nodes_in(output)[0]


def stack_of(node: Any) -> list[str]:
    """The paths of the modules that a node lies in, outermost first.

    The n-th further call of a module is another one: `relu_1`, as in `torch.fx`.
    """
    stack = node.meta.get("nn_module_stack", {})
    return [called(path, key.partition("@")[2]) for key, (path, _) in stack.items()]


def called(path: str, call: str) -> str:
    """The name of a module's call; `call` is "" for the first, else its number."""
    return f"{path}_{call}" if call else path


def label(node: Any) -> str:
    """A name for the nodes that a node becomes; `torch.fx` names it alike: `layer1.0.add`."""
    path = next((path for path in reversed(stack_of(node)) if path), "")
    return f"{path}.{operation_name(node.target)}" if path else operation_name(node.target)


def functions(nodes: Sequence[Any], made: dict[Any, Any]) -> dict[str, Value]:
    """What blocks compute themselves and not by a module, by `torch.fx`'s names."""
    blocks = {path for node in nodes for path in stack_of(node)[:-1]} | {""}
    found: dict[str, Value] = {}
    for node in nodes:
        value = made.get(node)
        stack = stack_of(node)
        if isinstance(value, Value) and stack and stack[-1] in blocks:
            found[free_name(label(node), found)] = value
    return found


def used_elsewhere(nodes: Sequence[Any], made: dict[Any, Any]) -> dict[str, list[Any]]:
    """Of each module the nodes whose values are used outside it: what it returns.

    Modules with parts under other settings (autocast) are left out, whose graphs are others.
    """
    found: dict[str, list[Any]] = {}
    partly: set[str] = set()
    for node in nodes:
        value, paths = made.get(node), stack_of(node)
        if node.graph is not nodes[-1].graph:
            partly.update(paths)
        elif isinstance(value, Value) and value.batched:
            users = [stack_of(user) for user in node.users]
            for path in paths:
                if any(path not in user for user in users):
                    found.setdefault(path, []).append(node)
    return {path: held for path, held in found.items() if path not in partly}
