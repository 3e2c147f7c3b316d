"""Files of weights on the Hugging Face Hub, and what can keep one from having them."""

import re
from pathlib import Path
from typing import Any


def from_hub(source: str) -> tuple[Path, str, Path | None]:
    """A file on the Hub, its commit, and the path of timm's `config.json` if there is one."""
    parts = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+))?", source)
    if parts is None:
        raise ValueError(f"{source!r} is not of the form hf://OWNER/REPOSITORY[@REVISION][/FILE]")
    repository, revision, name = parts[1], parts[2], parts[3] or "model.safetensors"
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
