"""The table of a training, in Markdown."""

from depthjax.tables import markdown_table, number
from depthjax.training.runs import Training


def training_table(training: Training) -> str:
    """Loss and accuracies of the last weights: a row for each split."""
    rows = [
        [split, f"{means['examples']}", *(number(means[k]) for k in ("loss", "top1", "top5"))]
        for split, means in training.results.items()
    ]
    return markdown_table(["split", "examples", "cross-entropy", "top-1", "top-5"], rows)
