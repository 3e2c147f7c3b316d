"""Sources of weights: a file, the Hub, a URL with its SHA-256, or the zoo."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from depthjax.errors import unknown
from depthjax.files import cache_folder, file_sha256
from depthjax.models import TORCHVISION_MODELS
from depthjax.models.normalization import NORMALIZATIONS, Normalization, as_normalization
from depthjax.weights.download import Report, download
from depthjax.weights.reading import SUFFIXES, check_suffix, read_metadata
from depthjax.weights.zoo import UNTRAINED, ZOO, ZooNetwork, find, zoo_card

NORMALIZATION_KEY = "normalization"  # in the header of the files that save_weights writes

_SECOND = (
    "resnet50",
    "resnet101",
    "resnet152",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnext50_32x4d",
    "resnext101_32x8d",
)
"""The architectures of which torchvision trained a second, better version."""

TORCHVISION: dict[str, str] = {
    **{name: f"hf://timm/{name}.tv_in1k" for name in TORCHVISION_MODELS},
    **{f"{name}:v2": f"hf://timm/{name}.tv2_in1k" for name in _SECOND},
}
"""The names of torchvision's weights, with their copies in timm's repositories. `resnet50` is
IMAGENET1K_V1, `resnet50:v2` is IMAGENET1K_V2. The files have torchvision's parameter names."""


@dataclass(frozen=True)
class WeightsFile:
    """A local file of weights, and where it came from.

    Fields:
        path: of the file; None for untrained weights of the zoo, which are computed, not stored.
        source: as it was given to `fetch`.
        sha256: of the file.
        revision: the commit, for weights from the Hub.
        normalization: of the pixels, as the network expects it: from the file, if `save_weights`
            wrote it, else from timm's `config.json` beside it, else that of ImageNet.
        network: the zoo's record, for its networks.
    """

    path: Path | None
    source: str
    sha256: str | None
    revision: str | None = None
    normalization: Normalization | None = None
    network: ZooNetwork | None = None

    def record(self) -> dict[str, Any]:
        """What the config of a run records about its weights, for JSON."""
        return {"source": self.source, "revision": self.revision, "sha256": self.sha256}


def fetch(
    source: str | os.PathLike[str],
    *,
    on_progress: Report | None = None,
    zoo: str | os.PathLike[str] = ZOO,
) -> WeightsFile:
    """Finds the file of weights of a source, and downloads it if it is not here yet.

    Args:
        source: a path; `torchvision:resnet50` (see `TORCHVISION`);
            `hf://OWNER/REPOSITORY[@REVISION][/FILE]` (by default `model.safetensors`);
            `https://…#sha256=HEX`, `file://…#sha256=HEX`; `zoo:resnet18_small/photos` (see
            `depthjax.weights.zoo`).
        on_progress: called during downloads from URLs; see `depthjax.weights.download.Report`.
        zoo: the folder that `zoo:` refers to.

    Raises:
        ValueError: in one line, for a source that does not exist or cannot be reached, or whose
            file has another SHA-256.
    """
    text = os.fspath(source)
    scheme, separator, rest = text.partition(":")
    if scheme == "torchvision":
        if rest not in TORCHVISION:
            raise unknown("torchvision weights", rest, TORCHVISION)
        path, revision, config = _from_hub(TORCHVISION[rest])
    elif scheme == "zoo":
        network, of_zoo, sha256 = find(rest, zoo)
        stated = None if of_zoo is None else _stated_normalization(of_zoo, None)
        return WeightsFile(of_zoo, text, sha256, normalization=stated, network=network)
    elif scheme == "hf":
        path, revision, config = _from_hub(text)
    elif separator and scheme in _ADDRESSES:
        path, revision = _ADDRESSES[scheme](text, on_progress), None
        config = path.with_name("config.json")
    elif os.path.isfile(text):
        path, revision, config = Path(text), None, Path(text).with_name("config.json")
    else:
        raise _unknown_source(text)
    check_suffix(path.name)
    normalization = _stated_normalization(path, config)
    return WeightsFile(path, text, file_sha256(path), revision, normalization)


def _unknown_source(text: str) -> ValueError:
    folder = Path(text).parent
    beside = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [str(path) for path in beside if path.suffix in SUFFIXES]
    of_zoo = [
        f"zoo:{name}" for name in (*zoo_card(), *(f"{model}/untrained" for model in UNTRAINED))
    ]
    names = ["untrained", *files, *of_zoo, *(f"torchvision:{name}" for name in TORCHVISION)]
    hint = "or any FILE, hf://OWNER/REPOSITORY, https://…#sha256=…"
    return unknown("weights", text, names, hint=hint)


def _from_hub(source: str) -> tuple[Path, str, Path | None]:
    """A file on the Hub, its commit, and the path of timm's `config.json` if there is one."""
    parts = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+))?", source)
    if parts is None:
        raise ValueError(f"{source!r} is not of the form hf://OWNER/REPOSITORY[@REVISION][/FILE]")
    repository, revision, name = parts[1], parts[2], parts[3] or "model.safetensors"
    check_suffix(name)
    path = _hub_file(source, repository, name, revision)
    commit = path.parents[name.count("/")].name  # …/snapshots/COMMIT/NAME
    return path, commit, _hub_file(source, repository, "config.json", commit, optional=True)


def _hub_file(
    source: str, repository: str, name: str, revision: str | None, *, optional: bool = False
) -> Any:
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ValueError(f"{source} needs huggingface_hub: pip install 'depthjax[hub]'") from error
    where = f"{repository}@{revision}" if revision else repository
    try:
        # If the Hub is unreachable, hf_hub_download retries for half a minute; so ask once before.
        online = _answers(huggingface_hub.hf_hub_url(repository, name, revision=revision))
        return Path(
            huggingface_hub.hf_hub_download(
                repository, name, revision=revision, local_files_only=not online
            )
        )
    except errors.LocalEntryNotFoundError as error:
        known = huggingface_hub.try_to_load_from_cache(repository, name, revision=revision)
        if optional and known is not None:  # the cache knows that there is no such file
            return None
        raise ValueError(
            f"the Hub cannot be reached and {name} of {where} is not in its cache; connect once, or"
            " download the file elsewhere and give its path"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{repository} has no revision {revision!r} on the Hub") from error
    except errors.EntryNotFoundError as error:
        if optional:
            return None
        raise ValueError(
            f"{where} has no file {name!r} on the Hub; name one as hf://{where}/FILE"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"there is no {repository!r} on the Hub, or it is private; check the name"
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{name} of {where} cannot be had from the Hub: {reason}") from error


def _answers(url: str) -> bool:
    """Whether the Hub answers at all, even if only that there is no such file."""
    from huggingface_hub import errors, get_hf_file_metadata

    try:
        get_hf_file_metadata(url, timeout=10)
    except errors.HfHubHTTPError as error:
        return error.response is not None and error.response.status_code < 500
    except Exception:  # the HTTP library's own, which is not ours to import
        return False
    return True


def _split_sha256(source: str) -> tuple[str, str]:
    """The URL and the SHA-256 of `URL#sha256=HEX`."""
    address, _, fragment = source.partition("#")
    parts = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if parts is None:
        raise ValueError(
            f"{address} needs the SHA-256 of its content: write {address}#sha256=HEX with 64"
            " hexadecimal digits (sha256sum FILE prints it)"
        )
    check_suffix(urlsplit(address).path)
    return address, parts[1].lower()


def _from_address(source: str, on_progress: Report | None) -> Path:
    address, sha256 = _split_sha256(source)
    # Named by content, so that a file from several mirrors is downloaded once.
    name = os.path.basename(urlsplit(address).path)
    target = cache_folder() / "weights" / sha256 / name
    return download(address, sha256, target, on_progress=on_progress)


def _from_file_address(source: str, on_progress: Report | None) -> Path:
    address, sha256 = _split_sha256(source)
    path = Path(url2pathname(urlsplit(address).path))
    if not path.is_file():
        raise ValueError(f"{address}: there is no file {str(path)!r}")
    actual = file_sha256(path)
    if actual != sha256:
        raise ValueError(f"{address} has the SHA-256 {actual}, not {sha256}; check both")
    return path


_ADDRESSES: dict[str, Callable[[str, Report | None], Path]] = {
    "https": _from_address,
    "http": _from_address,
    "file": _from_file_address,
}


def _stated_normalization(path: Path, config: Path | None) -> Normalization | None:
    note = read_metadata(path).get(NORMALIZATION_KEY)
    try:
        if note is not None:
            return as_normalization(json.loads(note))
        content = json.loads(config.read_text("utf-8")) if config and config.is_file() else {}
    except (OSError, ValueError) as error:
        raise ValueError(f"what {path.name} says of its pixels cannot be read: {error}") from error
    stated = content.get("pretrained_cfg", {}) if isinstance(content, dict) else {}
    return as_normalization(stated) if "mean" in stated else NORMALIZATIONS["imagenet"]
