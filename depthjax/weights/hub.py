"""Files of weights on the Hugging Face Hub, and what can keep one from having them."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from depthjax.weights.shards import DEFAULT_FILES, is_index, parts_of


class _Repository(NamedTuple):
    """A repository as a source names it, at one revision."""

    source: str
    name: str
    revision: str | None

    @property
    def where(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def from_hub(source: str) -> tuple[Path, str, Path | None]:
    """A file on the Hub, its commit, and the path of timm's `config.json` if there is one.

    Of weights in several files it is the index, with the parts beside it.
    """
    parts = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+))?", source)
    if parts is None:
        raise ValueError(f"{source!r} is not of the form hf://OWNER/REPOSITORY[@REVISION][/FILE]")
    repository = _Repository(source, parts[1], parts[2])
    name, path = parts[3] or DEFAULT_FILES[0], None
    if parts[3] is None:
        usual = ((each, _hub_file(repository, each, optional=True)) for each in DEFAULT_FILES)
        name, path = next((found for found in usual if found[1] is not None), (name, None))
    path = path or _hub_file(repository, name)
    commit = path.parents[name.count("/")].name  # …/snapshots/COMMIT/NAME
    at_commit = repository._replace(revision=commit)
    if is_index(path):
        folder = name.rpartition("/")[0]
        for part in sorted({place.name for place in parts_of(path).values()}):
            _hub_file(at_commit, f"{folder}/{part}" if folder else part)
    return path, commit, _hub_file(at_commit, "config.json", optional=True)


def _hub_file(repository: _Repository, name: str, *, optional: bool = False) -> Any:
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ValueError(
            f"{repository.source} needs huggingface_hub: pip install 'depthjax[hub]'"
        ) from error
    where, revision = repository.where, repository.revision
    refusal: str | None = None
    try:
        # If the Hub does not answer, hf_hub_download tries for half a minute; so ask once before.
        refusal = _refusal(huggingface_hub.hf_hub_url(repository.name, name, revision=revision))
        return Path(
            huggingface_hub.hf_hub_download(
                repository.name, name, revision=revision, local_files_only=refusal is not None
            )
        )
    except errors.LocalEntryNotFoundError as error:
        known = huggingface_hub.try_to_load_from_cache(repository.name, name, revision=revision)
        if optional and known is not None:  # the cache knows that there is no such file
            return None
        raise ValueError(
            f"{name} of {where} is not to be had: {_way_out(repository, refusal)}"
            if refusal
            else f"the Hub cannot be reached and {name} of {where} is not in its cache; connect"
            " once, or download the file elsewhere and give its path"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{repository.name} has no revision {revision!r} on the Hub") from error
    except errors.EntryNotFoundError as error:
        if optional:
            return None
        raise ValueError(
            f"{where} has no file {name!r} on the Hub; name one as hf://{where}/FILE"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"there is no {repository.name!r} on the Hub, or it is private; check the name, and for"
            " a private one `hf auth login`"
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{name} of {where} cannot be had from the Hub: {reason}") from error


_GATED = "GatedRepo"


def _refusal(url: str) -> str | None:
    """Why the Hub does not give a file that is there; empty if it does not answer, None if it does.

    That there is no such file, revision or repository is an answer, too.
    """
    from huggingface_hub import errors, get_hf_file_metadata

    try:
        get_hf_file_metadata(url, timeout=10)
    except errors.GatedRepoError:
        return _GATED
    except (
        errors.EntryNotFoundError,
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
    ):
        return None
    except errors.HfHubHTTPError as error:
        status = 500 if error.response is None else error.response.status_code
        said = " ".join(str(error.server_message or "").split())[:160]
        return "" if status >= 500 else f"the Hub answers {status}{said and f' ({said})'}"
    except Exception:  # the HTTP library's own, which is not ours to import
        return ""
    return None


def _way_out(repository: _Repository, refusal: str) -> str:
    if refusal == _GATED:
        return (
            f"{repository.name} is gated; accept its terms at"
            f" https://huggingface.co/{repository.name}, then `hf auth login`, or set HF_TOKEN"
        )
    if " 401" in refusal:
        return f"{refusal}; your token is not valid: `hf auth login` again, or unset HF_TOKEN"
    if " 429" in refusal:
        return f"{refusal}; wait a little, and log in with `hf auth login` for a higher limit"
    return f"{refusal}; ask the repository's owner, or download the file elsewhere"
