"""The gallery: every picture that a document shows, with its document, and a report."""

import re
from collections.abc import Iterator
from os.path import relpath
from pathlib import Path

from places import PAGES, REPORT, ROOT, write_page

_PICTURE = re.compile(r"^!\[([^\]]*)\]\(([^):\s]+\.webp)\)$", re.MULTILINE)


def pictures(document: Path) -> Iterator[tuple[str, Path]]:
    """The pictures of a document: what each shows, and where it is."""
    for text, place in _PICTURE.findall(document.read_text(encoding="utf-8")):
        yield text, (document.parent / place).resolve()


def title(document: Path) -> str:
    """The heading of a document."""
    return document.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def write_gallery_page() -> None:
    """The pictures of the README, of kept runs and of the guides; each once."""
    documents = [
        *(ROOT / "README.md", ROOT / "RESULTS.md", *sorted((ROOT / "results").rglob("*.md"))),
        *sorted((ROOT / "docs").glob("*.md")),
    ]
    seen: set[Path] = set()
    report = relpath(ROOT / REPORT.name, PAGES)  # Sphinx copies it to the root of the site
    lines = [
        "# Gallery",
        "",
        f'A run leaves what it found on one page: <a href="{report}">the report of the demo</a>.',
        "Every picture below is of a run that is kept, or that its guide describes.",
    ]
    for document in documents:
        new = [(text, path) for text, path in pictures(document) if path not in seen]
        seen |= {path for _, path in new}
        if new:
            link = f"[{title(document)}]({relpath(document, PAGES)})"
            lines += ["", f"## {title(document)}", "", f"From {link}."]
        for text, path in new:
            lines += ["", f"![{text}]({relpath(path, PAGES)})", "", f"*{text}*"]
    write_page("gallery", "\n".join([*lines, ""]))
