"""Names of images: paths, folders and embedded photographs, and the labels of a batch."""

import difflib
import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from depthjax.images.embedded import EMBEDDED
from depthjax.images.formats import IMAGE_SUFFIXES

Source = str | os.PathLike[str]


def as_text(source: Source) -> str:
    """A source as text.

    Raises:
        ValueError: for anything but a string or a path.
    """
    if not isinstance(source, str | os.PathLike):
        raise ValueError(
            f"an image is named by a string or a path, not by {type(source).__name__}; "
            "give the path of an image file or an embedded photograph's name"
        )
    return os.fsdecode(source)


def as_texts(sources: Sequence[Source]) -> list[str]:
    """Several sources as text.

    Raises:
        ValueError: for a single source, and as `as_text`.
    """
    # A string is a sequence too, and would be read letter by letter.
    if isinstance(sources, str | os.PathLike):
        raise ValueError(f"sources must be a sequence, not one source; give [{as_text(sources)!r}]")
    return [as_text(source) for source in sources]


def locate(text: str) -> str:
    """The path of an embedded photograph or of a file.

    No embedded name has a separator or a suffix, so './moon' and 'moon.png' are always files.

    Raises:
        ValueError: for a folder, a missing file, or what is no regular file.
    """
    if text in EMBEDDED:
        return EMBEDDED[text].path
    if os.path.isdir(text):
        raise ValueError(
            f"{text!r} is a folder, not an image; name a file in it, or list it with find_images"
        )
    if not os.path.exists(text):
        raise ValueError(_missing(text))
    # Reading a pipe or a device could take for ever.
    if not os.path.isfile(text):
        raise ValueError(f"{text!r} is not a regular file; give the path of an image file")
    return text


_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+://")


def _missing(text: str) -> str:
    if _ADDRESS.match(text):
        return f"{text!r} is an address, and images are files; download it, and give its path"
    folder, name = os.path.split(text)
    if not os.path.isdir(folder or "."):
        return f"no image file {text!r}: there is no folder {folder!r}; check the path"
    names = _image_names(folder or ".")
    candidates = [os.path.join(folder, n) for n in names] + ([] if folder else list(EMBEDDED))
    hint = _nearest(text, candidates)
    if folder or _has_image_suffix(name):
        return (
            f"no image file {text!r}: the folder {folder or '.'!r} holds {_some(names)}"
            f"{hint or '; check the path'}"
        )
    return (
        f"unknown image {text!r}: no such file, and the embedded photographs are "
        f"{', '.join(EMBEDDED)}{hint or '; give one of these or the path of an image file'}"
    )


def _nearest(asked: str, candidates: Iterable[str]) -> str:
    """`; did you mean …?`, whatever the case of letters; nothing if no candidate is near."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    begun = [name for name in by_lower if name.startswith(f"{asked.lower()},")]
    close = begun or difflib.get_close_matches(asked.lower(), by_lower, n=1)
    if not close:
        return ""
    near = by_lower[close[0]]
    quoted = f" (in a list between double quotes: '\"{near}\"')" if "," in near else ""
    return f"; did you mean {near!r}{quoted}?"


def _some(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most]) or "no image"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more images"


def _has_image_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _image_names(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise ValueError(
            f"cannot list the folder {folder!r} ({error.strerror}); check its permissions"
        ) from error
    # Hidden files are often no images: macOS leaves '._photo.jpg' beside a copied 'photo.jpg'.
    return [
        name
        for name in names
        if _has_image_suffix(name)
        and not name.startswith(".")
        and os.path.isfile(os.path.join(folder, name))
    ]


def _expand(text: str) -> list[str]:
    if not os.path.lexists(text) and (found := sorted(glob.glob(text))):
        return [image for path in found for image in _expand(path)]
    if not text:
        raise ValueError("the name of an image is empty; is there a comma too many?")
    if text in EMBEDDED or not os.path.isdir(text):
        locate(text)
        return [text]
    names = _image_names(text)
    if not names:
        raise ValueError(
            f"the folder {text!r} holds no image; put in a file with one of the suffixes "
            f"{', '.join(sorted(IMAGE_SUFFIXES))} (folders within it are not searched)"
        )
    return [os.path.join(text, name) for name in names]


def find_images(sources: Sequence[Source]) -> tuple[str, ...]:
    """The images that sources stand for, in the order given.

    A folder stands for the files in it that have one of the suffixes `IMAGE_SUFFIXES` and are not
    hidden, sorted by name; folders within it are not searched. A pattern such as `photos/*.jpg`
    stands for what it matches, also where no shell has replaced it. Repeated images are dropped.

    Args:
        sources: paths of files and folders, and names of embedded photographs.

    Returns:
        Paths and embedded names, each of which `load_image` takes.

    Raises:
        ValueError: for a folder without images, and for a source that is neither a file nor an
            embedded name.
    """
    return tuple(dict.fromkeys(image for text in as_texts(sources) for image in _expand(text)))


def left_out(sources: Sequence[Source]) -> str:
    """What lies in the folders among sources and is not among their images, in one sentence.

    Args:
        sources: as for `find_images`.

    Returns:
        Empty if there is nothing else but hidden files.
    """
    sentences = []
    for text in as_texts(sources):
        if text in EMBEDDED or not os.path.isdir(text):
            continue
        images = _image_names(text)
        others = [n for n in os.listdir(text) if not n.startswith(".") and n not in images]
        folders = sum(os.path.isdir(os.path.join(text, name)) for name in others)
        files = sorted(name for name in others if not os.path.isdir(os.path.join(text, name)))
        parts = [f"{len(files)} other files ({_few(files)})"] if files else []
        parts += [f"{folders} folders, which are not searched"] if folders else []
        if parts:
            sentences.append(f"{text}: {len(images)} images; left out: {' and '.join(parts)}")
    return "; ".join(sentences)


def _few(names: Sequence[str], most: int = 4) -> str:
    return ", ".join([*names[:most], *["…"] * (len(names) > most)])


def image_labels(sources: Sequence[Source]) -> tuple[str, ...]:
    """The labels that `load_images` gives to these sources; no image is read."""
    return unique_labels(as_texts(sources))


def unique_labels(texts: Sequence[str]) -> tuple[str, ...]:
    """A label for each source, repeated ones with a number; see `load_images`.

    Labels that differ in the case of letters alone count as repeated: on many file systems files
    of these names are one file.
    """
    labels: list[str] = []
    taken: set[str] = set()
    for text in texts:
        stem = label = text if text in EMBEDDED else Path(text).stem
        copy = 1
        while label.casefold() in taken:
            copy += 1
            label = f"{stem}-{copy}"
        labels.append(label)
        taken.add(label.casefold())
    return tuple(labels)
