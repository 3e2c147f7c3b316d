"""`tfds:cifar10`: any set of labelled images that tensorflow-datasets (TFDS) knows.

A prepared set is read without TensorFlow, in whichever format it is. Preparing a set takes
TensorFlow and the network. Both are checked first, because TFDS itself would try for minutes.
"""

import importlib.util
import threading
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from depthjax.data.augmentation import Augmentation
from depthjax.data.preparation import is_prepared, prepare_once
from depthjax.errors import in_one_line, unknown

AUGMENTATION = Augmentation(flip=True)
PATIENCE = 3.0
"""Seconds to wait for an answer from the server of a set."""


def prepared_builder(name: str, data_dir: Path | None) -> Any:
    """The builder of a set of TFDS; see `depthjax.data.preparation.prepare_once`.

    Args:
        name: as TFDS writes it: `cifar10`, `imagenette/160px`, `mnist:3.0.1`.
        data_dir: TFDS's folder; None is `TFDS_DATA_DIR` or `~/tensorflow_datasets`.

    Raises:
        ValueError: for a name that TFDS does not know; if the set is not prepared and cannot be
            prepared here, which takes `PATIENCE` seconds to find out.
    """
    builder = _builder(name, data_dir)
    if is_prepared(builder):
        return builder
    _check_that_it_can_be_prepared(name, builder)
    return prepare_once(
        lambda: _builder(name, data_dir, file_format="array_record"), f"tfds:{name}", progress=True
    )


def _builder(name: str, data_dir: Path | None, **kwargs: Any) -> Any:
    import tensorflow_datasets as tfds

    base, _, config = name.partition(":")[0].partition("/")
    known = tfds.list_builders(with_community_datasets=False)
    try:
        return tfds.builder(name, data_dir=data_dir, **kwargs)
    except tfds.core.DatasetNotFoundError as error:
        hint = "or give --data_dir where it is prepared"
        raise unknown("TFDS data set", name, known, hint=hint) from error
    except ImportError as error:
        raise ValueError(_needs_tensorflow(f"tfds:{name}", "reading its description")) from error
    except Exception as error:  # TFDS adds to the messages of errors, which changes their types
        configs = list(tfds.builder_cls(base).builder_configs) if base in known else []
        if config and config not in configs:
            raise unknown(f"configuration of TFDS's {base!r}", config, configs) from error
        reason = in_one_line(error, most=300)
        raise ValueError(f"TFDS cannot open {name!r} ({reason}); check the name") from error


def _check_that_it_can_be_prepared(name: str, builder: Any) -> None:
    root = Path(builder.data_dir_root)
    manual = root / "downloads" / "manual"
    missing = f"tfds:{name} is not prepared (looked for {builder.data_path})"
    elsewhere = "give --data_dir where it is prepared"
    by_hand = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if by_hand and not (manual.is_dir() and any(manual.iterdir())):
        raise ValueError(
            f"{missing} and must be downloaded by hand into {manual}: {' '.join(by_hand.split())}"
            f" Or {elsewhere}"
        )
    if importlib.util.find_spec("tensorflow") is None:
        raise ValueError(f"{_needs_tensorflow(missing, 'preparing it')}; or {elsewhere}")
    urls = builder.url_infos or {}
    wanted = {url: info.filename for url, info in urls.items() if info.filename}
    if urls and all((manual / file).exists() for file in wanted.values()) and len(wanted):
        return
    url = next(iter(urls), "https://storage.googleapis.com")
    if not by_hand and not answers(url):
        files = f", or put {', '.join(list(wanted.values())[:8])} into {manual}" if wanted else ""
        raise ValueError(
            f"{missing}, and {urlsplit(url).hostname} does not answer; {elsewhere}, prepare it on a"
            f" machine with a network and copy that folder{files}"
        )


def _needs_tensorflow(what: str, for_what: str) -> str:
    return f"{what}, and {for_what} takes TensorFlow: run pip install 'depthjax[tf]'"


def answers(url: str) -> bool:
    """Whether a server gives any answer within `PATIENCE` seconds."""
    heard = threading.Event()

    def ask() -> None:
        try:
            with urlopen(Request(url, method="HEAD"), timeout=PATIENCE):
                heard.set()
        except HTTPError:  # a refusal is an answer
            heard.set()
        except (OSError, HTTPException):
            return

    # In a thread, because the look-up of the host's address has no timeout.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return heard.is_set()
