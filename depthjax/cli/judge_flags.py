"""The flags of another network that says how like its target a recovered image looks."""

from typing import Any

from absl import flags

from depthjax.cli.values import check_needed, fields_from_flags

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_judge_flags() -> None:
    """--judge, --judge_model, --judge_field, --judge_layers."""
    flags.DEFINE_string(
        "judge",
        "",
        "weights of another network, in which the perceptual distance is measured: as --weights,"
        " such as zoo:resnet18_small/photos (default: none, and no such distance)",
    )
    flags.DEFINE_string("judge_model", None, "architecture of --judge (default: that of --model)")
    flags.DEFINE_multi_string("judge_field", [], "a field of --judge_model, such as width=4")
    flags.DEFINE_string(
        "judge_layers", "all-stages", "layers of the --judge network that are compared"
    )


def judge_from_flags(model: str, model_fields: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `analysis.perceptual.load_judge` that the flags ask for; {} for no judge.

    Args:
        model, model_fields: of the network that is inverted.

    Raises:
        ValueError: for what is said of a judge where there is none.
    """
    check_needed("judge", "judge_model", "judge_field", "judge_layers")
    check_needed("judge_model", "judge_field")
    if not FLAGS.judge:
        return {}
    if FLAGS.judge_model is not None:
        model, model_fields = FLAGS.judge_model, fields_from_flags("judge_field")
    return {
        "model": model,
        "model_fields": model_fields,
        "weights": FLAGS.judge,
        "layers": FLAGS.judge_layers,
    }
