"""Prepares a set once; its folder appears whole or not at all.

TFDS writes into another folder and renames it at the end, so that a killed process leaves nothing
that looks finished. If two processes prepare the same set, the first rename counts, and the other
process reads that set.
"""

import contextlib
import importlib.util
import io
import sys
from collections.abc import Callable
from typing import Any

from depthjax.errors import imported, in_one_line


def require_tfds(name: str) -> None:
    """Checks that tensorflow-datasets and array_record are installed.

    Raises:
        ValueError: if one of them is not. array_record has no build for Windows.
    """
    if sys.platform == "win32" and importlib.util.find_spec("array_record") is None:
        raise ValueError(
            f"the data set {name!r} needs array_record, of which there is none for Windows; take"
            " noise/SIZE, which needs no package, or WSL"
        )
    for module, package in (("array_record", "array_record"), (_TFDS, "tensorflow-datasets")):
        imported(module, f"the data set {name!r}", package)


_TFDS = "tensorflow_datasets"


def is_prepared(builder: Any) -> bool:
    """Whether the builder's folder holds a finished set."""
    return bool((builder.data_path / "dataset_info.json").exists())


def prepare_once(make_builder: Callable[[], Any], name: str, *, progress: bool = False) -> Any:
    """Prepares a set unless it is prepared, and returns its TFDS builder.

    Args:
        make_builder: makes a new builder. It is called again at the end, because a builder looks
            for prepared data only when it is made.
        name: the spec, for messages.
        progress: whether to show TFDS's progress bars.

    Raises:
        ValueError: if the set cannot be prepared; then nothing is left that looks finished.
    """
    import tensorflow_datasets as tfds

    builder = make_builder()
    if is_prepared(builder):
        return builder
    if builder.data_path.exists():
        raise ValueError(
            f"{builder.data_path} exists but holds no prepared data set; move it away, or give"
            " another --data_dir"
        )
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    (tfds.enable_progress_bar if progress else tfds.disable_progress_bar)()
    try:
        # TFDS prints to stdout, which is for the results of scripts.
        with contextlib.redirect_stdout(sys.stderr if progress else io.StringIO()):
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        if not is_prepared(builder):  # no other process was faster
            if isinstance(error, ValueError):
                raise
            reason = in_one_line(error, most=300)
            raise ValueError(
                f"cannot prepare {name!r} in {builder.data_dir_root} ({reason}); check its free"
                " space and permissions, or give another --data_dir"
            ) from error
    return make_builder()
