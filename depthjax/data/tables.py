"""The table of data sets, in Markdown."""

from collections.abc import Sequence

from depthjax.data.dataset import Card
from depthjax.tables import markdown_table


def dataset_table(cards: Sequence[Card]) -> str:
    """The table of data sets: a row for each."""
    headers = ["data set", "classes", "image", "examples", "licence", "source"]
    rows = [
        [
            f"`{card.name}`",
            str(len(card.classes)),
            card.image,
            ", ".join(f"{split} {count}" for split, count in card.counts.items()),
            card.licence,
            card.source,
        ]
        for card in cards
    ]
    return markdown_table(headers, rows)
