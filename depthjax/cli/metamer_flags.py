"""The flags of the metamer test: its null distribution, and the quantile that must be exceeded."""

from absl import flags

from depthjax.analysis.metamers import Null
from depthjax.cli.values import check_needed
from depthjax.folders.nulls import load_null

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_metamer_flags() -> None:
    """--metamer_null, --metamer_quantile."""
    flags.DEFINE_string(
        "metamer_null",
        "",
        "file of a null distribution of this network and size, from nulls/ of a folder of"
        " metamers.py: whether each image is a metamer (default: none, and no such columns)",
    )
    define_metamer_quantile_flag()


def define_metamer_quantile_flag() -> None:
    """--metamer_quantile."""
    flags.DEFINE_float(
        "metamer_quantile",
        1.0,
        "quantile of the null distribution, which a metamer exceeds; 1 is its maximum",
        lower_bound=0,
        upper_bound=1,
    )


def null_from_flags() -> Null | None:
    """The null distribution of `--metamer_null`, if there is one.

    Raises:
        ValueError: for a file that is not there, or no null distribution; for a quantile of none.
    """
    check_needed("metamer_null", "metamer_quantile")
    return load_null(FLAGS.metamer_null) if FLAGS.metamer_null else None
