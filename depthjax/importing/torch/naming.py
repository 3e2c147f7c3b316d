"""Names of what an exported graph holds: its operations, modules and blocks' own functions."""

from collections.abc import Sequence
from typing import Any

from depthjax.importing.finishing import Output
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


def _stack(node: Any) -> list[str]:
    """The paths of the modules that a node lies in, outermost first.

    The n-th further call of a module is another one: `relu_1`, as in `torch.fx`.
    """
    paths = []
    for key, (path, _) in node.meta.get("nn_module_stack", {}).items():
        _, _, call = key.partition("@")
        paths.append(f"{path}_{call}" if call else path)
    return paths


def label(node: Any) -> str:
    """A name for the nodes that a node becomes; `torch.fx` names it alike: `layer1.0.add`."""
    path = next((path for path in reversed(_stack(node)) if path), "")
    return f"{path}.{operation_name(node.target)}" if path else operation_name(node.target)


def functions(nodes: Sequence[Any], made: dict[Any, Any]) -> dict[str, Value]:
    """What blocks compute themselves and not by a module, by `torch.fx`'s names."""
    blocks = {path for node in nodes for path in _stack(node)[:-1]} | {""}
    found: dict[str, Value] = {}
    for node in nodes:
        value = made.get(node)
        if not isinstance(value, Value) or not (_stack(node) and _stack(node)[-1] in blocks):
            continue
        stem, number = label(node), 0
        while (name := f"{stem}_{number}" if number else stem) in found:
            number += 1
        found[name] = value
    return found


def module_outputs(nodes: Sequence[Any], made: dict[Any, Any]) -> list[Output]:
    """The output of each module: of the last operation within it; inner modules first."""
    last: dict[str, Any] = {}
    holders: set[str] = set()
    for node in nodes:
        paths = _stack(node)
        holders.update(paths[:-1])
        for path in paths:
            if isinstance(made.get(node), Value) and made[node].batched:
                last.pop(path, None)
                last[path] = node
    found = [Output(path, made[node], path in holders) for path, node in last.items()]
    return sorted(found, key=lambda output: -output.name.count("."))
