r"""Say what networks trained on ImageNet see in photographs, each at the size of its training.

    python experiments/classify.py
    python experiments/classify.py --networks=efficientnet_lite2 --images=me.jpg --output=runs/me

The networks come in packages: pip install 'depthjax[imagenet]'.
"""

from collections.abc import Sequence

from absl import flags

import depthjax
from depthjax import cli
from depthjax.images import EMBEDDED, find_images, load_images
from depthjax.models.labels import imagenet_classes
from depthjax.studies.inversion.measured import imagenet_head, top_classes
from depthjax.studies.rows import Row
from depthjax.tables import markdown_table
from depthjax.weights import Weights, WeightsFile, fetch
from depthjax.weights.packaged import packaged

FLAGS = flags.FLAGS
cli.define_images_flag(list(EMBEDDED))
cli.define_output_flags("runs/classify", "classes")
cli.define_script_flags()
flags.DEFINE_list(
    "networks",
    ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"],
    "networks of pip:NAME that classify, as in --weights",
)


def main() -> None:
    """Photographs -> the likeliest classes of each network -> a table."""
    files = {name: fetch(f"pip:{name}") for name in FLAGS.networks}
    definition = {
        "networks": {name: file.record() for name, file in files.items()},
        "images": FLAGS.images,
    }
    with cli.begin_output(definition) as folder:
        each = cli.with_bar(files.items(), "network")
        rows = [row for name, file in each for row in seen_by(name, file)]
        cli.finish_study(folder, rows, [], (), summary=class_table(rows))


def seen_by(name: str, file: WeightsFile) -> list[Row]:
    """The three likeliest classes of each photograph, with their probabilities.

    Args:
        name: of the network's package.
        file: its weights.

    Raises:
        ValueError: for a network without ImageNet's classes.
    """
    network = packaged(name)
    model = network.build()
    variables = depthjax.load_weights(model, file, image_size=network.size)
    weights = Weights(variables, file.normalization, True, file.record())
    head = imagenet_head(model, weights)
    if head is None:
        raise ValueError(f"pip:{name} has other classes than ImageNet's; take another network")
    labels, images = load_images(find_images(FLAGS.images), network.size)
    top = top_classes(head, variables, images)
    rows = []
    for label, classes, probability in zip(labels, *top, strict=True):
        row: Row = {"image": label, "network": name, "size": network.size}
        for place, (index, share) in enumerate(zip(classes[:3], probability[:3], strict=True), 1):
            row[f"class_{place}"] = imagenet_classes()[index]
            row[f"probability_{place}"] = float(share)
        rows.append(row)
    return rows


def class_table(rows: Sequence[Row]) -> str:
    """The likeliest class of each photograph by network, in Markdown."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    told: dict[str, dict[str, str]] = {}
    for row in rows:
        words = f"{row['class_1']} {row['probability_1']:.2f}"
        told.setdefault(str(row["image"]), {})[str(row["network"])] = words
    cells = [[image, *(words[str(name)] for name in networks)] for image, words in told.items()]
    return markdown_table(["photograph", *map(str, networks)], cells)


if __name__ == "__main__":
    cli.run(main)
