"""Preparing a set once, in a folder that is there whole or not at all.

TFDS writes beside the place and renames, so a kill leaves nothing that looks finished. When two
processes prepare the same set, one rename wins and the other process takes what is there.
"""

import contextlib
import io
import sys
from collections.abc import Callable
from typing import Any


def require_tfds(name: str) -> None:
    """Ends in one line when tensorflow-datasets is not installed."""
    try:
        import array_record  # noqa: F401
        import tensorflow_datasets  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"the data set {name!r} needs {error.name}, which is not installed; run"
            " 'pip install tensorflow-datasets array_record'"
        ) from error


def is_prepared(builder: Any) -> bool:
    """Whether the finished set lies in the builder's folder."""
    return bool((builder.data_path / "dataset_info.json").exists())


def prepared(make_builder: Callable[[], Any], name: str, *, progress: bool = False) -> Any:
    """A builder whose data is there, prepared now if it was not.

    Args:
        make_builder: gives a fresh builder each time, as a builder learns what is prepared only
            when it is made.
        name: the spec, for messages.
        progress: whether to show TFDS's progress bars, for what takes long.

    Raises:
        ValueError: when it cannot be prepared; nothing is left that looks finished.
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
        # What TFDS has to say is no result: stdout belongs to the script.
        with contextlib.redirect_stdout(sys.stderr if progress else io.StringIO()):
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        if not is_prepared(builder):  # no other process was faster
            if isinstance(error, ValueError):
                raise
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ValueError(
                f"cannot prepare {name!r} in {builder.data_dir_root} ({reason}); check its free"
                " space and permissions, or give another --data_dir"
            ) from error
    return make_builder()
