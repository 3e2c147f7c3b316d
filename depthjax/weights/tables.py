"""The table of the networks that come with the package, in Markdown."""

from collections.abc import Sequence

from depthjax.tables import markdown_table
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
