"""Other people's names of the weights of networks that are ours too."""

from collections.abc import Collection, Iterable

Spellings = dict[str, tuple[str, ...]]

_TIMM_VGG = {
    "classifier.0": "pre_logits.fc1",
    "classifier.3": "pre_logits.fc2",
    "classifier.6": "head.fc",
}
_EFFICIENTNET = {
    "conv_stem": "_conv_stem",
    "bn1": "_bn0",
    "conv_head": "_conv_head",
    "bn2": "_bn1",
    "classifier": "_fc",
}
_BLOCK = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}
_BLOCK_WITHOUT_EXPANSION = {
    "conv_dw": "_depthwise_conv",
    "bn1": "_bn1",
    "conv_pw": "_project_conv",
    "bn2": "_bn2",
}


def module_spellings(modules: Collection[str]) -> Spellings:
    """The names that each module of a network may have, ours first.

    A normalisation of an EfficientNet may be called as the operation, `bn1.norm`: a file that was
    written without the model has these names.

    Args:
        modules: all that hold weights, by the names that state dicts of ours have.
    """
    if "conv_stem" not in modules:
        return {name: (name, *_TIMM_VGG.get(name, "").split()) for name in modules}
    table = _efficientnet(modules)
    return {name: (name, f"{name}.norm", *table.get(name, "").split()) for name in modules}


def weight_spellings(names: Iterable[str]) -> Spellings:
    """The names that each weight of a network may have, ours first.

    Args:
        names: of all weights (but the head's).
    """
    parts = {name: name.rpartition(".") for name in names}
    modules = module_spellings({module for module, _, _ in parts.values()})
    return {
        name: tuple(f"{spelling}{dot}{leaf}" for spelling in modules[module])
        for name, (module, dot, leaf) in parts.items()
    }


def _efficientnet(modules: Collection[str]) -> dict[str, str]:
    """The names of `efficientnet_pytorch` (Melas-Kyriazi), which numbers blocks through."""
    blocks = [name.rpartition(".")[0] for name in modules if name.endswith(".conv_dw")]
    blocks.sort(key=lambda block: [int(number) for number in block.split(".")[1:]])
    table = dict(_EFFICIENTNET)
    for number, block in enumerate(blocks):
        inside = _BLOCK if f"{block}.conv_pwl" in modules else _BLOCK_WITHOUT_EXPANSION
        table |= {f"{block}.{ours}": f"_blocks.{number}.{it}" for ours, it in inside.items()}
    return table
