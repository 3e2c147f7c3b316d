"""Put finished trainings into the zoo, and say what it has.

    python experiments/zoo.py
    python experiments/zoo.py --pack=runs/zoo/resnet18_small_noise_0,runs/zoo/vgg_small_noise_0

A network is written in half precision, and only if that leaves its accuracies as they are.
"""

from absl import flags

from depthjax import cli, weights
from depthjax.training import packing
from depthjax.training.runs import load_training
from depthjax.weights.tables import zoo_table

FLAGS = flags.FLAGS
cli.define_data_dir_flag()
cli.define_script_flags()
flags.DEFINE_list("pack", [], "folders of experiments/train.py")
flags.DEFINE_string("zoo", str(weights.ZOO), "folder of the zoo")
flags.DEFINE_float("tolerance", 0.005, "largest change of an accuracy by half precision")


def main() -> None:
    """Training folders -> files in half precision, measured -> zoo.json."""
    packed = [
        packing.pack(load_training(run), tolerance=FLAGS.tolerance, data_dir=FLAGS.data_dir)
        for run in FLAGS.pack
    ]
    networks = packing.write(FLAGS.zoo, packed) if packed else weights.zoo_card(FLAGS.zoo)
    for name in networks:
        weights.fetch(f"zoo:{name}", zoo=FLAGS.zoo)  # each file is there and is the one described
    print(zoo_table(list(networks.values())))


if __name__ == "__main__":
    cli.run(main)
