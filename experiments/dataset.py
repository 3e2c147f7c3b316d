"""Prepare a data set, and say what it is.

python experiments/dataset.py --dataset=photo_crops/32
python experiments/dataset.py --dataset=folder:my_photos --data_dir=/data --skip_corrupt
"""

from absl import flags

from depthjax import cli, data
from depthjax.data.tables import dataset_table

FLAGS = flags.FLAGS
cli.define_data_flags()
cli.define_script_flags()


def main() -> None:
    """Spec -> prepared set -> its card."""
    card = data.card(FLAGS.dataset, data_dir=FLAGS.data_dir, skip_corrupt=FLAGS.skip_corrupt)
    print(f"{dataset_table([card])}\n")
    if card.description:
        print(card.description)
    print(f"Classes: {', '.join(card.classes)}")
    if card.skipped:
        print(f"Skipped, as they cannot be read: {', '.join(card.skipped)}")


if __name__ == "__main__":
    cli.run(main)
