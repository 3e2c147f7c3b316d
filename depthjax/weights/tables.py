"""The tables of the networks that come with this package and with others, in Markdown."""

from collections.abc import Mapping, Sequence

from depthjax.tables import markdown_table
from depthjax.weights.packaged import PackagedNetwork
from depthjax.weights.zoo import ZooNetwork


def zoo_table(networks: Sequence[ZooNetwork]) -> str:
    """The table of the zoo: one row per network, with the accuracies of the stored weights.

    The last column is the largest change of an accuracy by rounding the weights to half precision.
    """
    if not networks:
        return "No network is packed yet."
    headers = ["`--weights=`", "model", "data set", "epochs", *ZOO_SPLITS, "half precision"]
    rows = []
    for network in networks:
        fields = "".join(f", {name}={value}" for name, value in network.model_fields.items())
        accuracy, full = network.half_accuracy, network.accuracy
        change = max((abs(accuracy[split] - full[split]) for split in accuracy), default=0.0)
        rows.append(
            [
                f"`zoo:{network.name}`",
                f"{network.model}{fields}",
                f"{network.dataset}, {network.splits['train']}",
                str(network.epochs),
                *(f"{accuracy[s]:.1%}" if s in accuracy else "–" for s in ZOO_SPLITS),
                f"{100 * change:.2f} points",
            ]
        )
    return markdown_table(headers, rows)


ZOO_SPLITS = ("train", "validation", "test")


def packaged_table(networks: Mapping[str, PackagedNetwork]) -> str:
    """The table of the networks inside packages of pip: one row each, with its licence."""
    headers = ["`--weights=`", "`--model=`", "size", "trained for", "package", "licence"]
    rows = [
        [
            f"`pip:{name}`",
            f"`{network.model}`",
            str(network.size),
            network.task,
            f"`{network.package}`",
            network.licence,
        ]
        for name, network in networks.items()
    ]
    return markdown_table(headers, rows)
