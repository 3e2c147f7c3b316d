"""What the site adds to Sphinx: pages made of code, the navigation, and links that work here."""

import re
import shutil
from os.path import relpath
from pathlib import Path
from typing import Any

from api_pages import BASICS, write_api_pages
from docstrings import as_restructured
from flag_pages import write_flag_pages
from gallery_page import write_gallery_page
from places import FLAG_FILES, PAGES, ROOT, SCRIPTS, address
from sphinx.application import Sphinx

_LINK = re.compile(r"(?<!!)(\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s#:]+)\)")
_BADGE = re.compile(r"\[!\[([^\]]*)\]\([^)]*\)\]\(https?://[^)]*/OWNER/[^)]*/blob/[^/)]*/([^)]+)\)")
_GUIDE = re.compile(r"^\| \[[^\]]+\]\((docs/\w+)\.md\)", re.MULTILINE)


def write_pages(app: Sphinx) -> None:
    """Writes what is made of the code and of the documents, before Sphinx looks for sources."""
    write_api_pages()
    write_flag_pages()
    write_gallery_page()


def page_of(path: Path) -> str | None:
    """The page, and the place in it, that shows a file or folder which is no document."""
    if path.parent == SCRIPTS and path.suffix == ".py":
        return f"flags/{path.stem}.md"
    if path == FLAG_FILES:
        return "flag_files.md"
    if path.parent == FLAG_FILES:
        return f"flag_files.md#{path.name.replace('.', '')}"
    if path.is_relative_to(ROOT / "depthjax"):
        parts = path.relative_to(ROOT / "depthjax").with_suffix("").parts
        room, *inner = parts if (ROOT / "depthjax" / parts[0]).is_dir() else (BASICS, *parts)
        within = ".".join([] if room == BASICS else [room]) + "".join(f".{part}" for part in inner)
        return f"api/{room}.md" + (f"#{within.replace('.', '')}" if inner else "")
    return "gallery.md" if path == ROOT / "results" else None


def mended(text: str, folder: Path) -> str:
    """A document whose links lead somewhere on the site too.

    Args:
        text: Markdown.
        folder: the document's.

    Returns:
        The same with links to code leading to the page that shows it, else to the repository, and
        while that has no address to the file itself, which the site brings along.
    """

    def lead(match: re.Match[str]) -> str:
        label, target = match.groups()
        path = (folder / target).resolve()
        if path.suffix == ".md" or not path.exists() or not path.is_relative_to(ROOT):
            return match.group()
        if page := page_of(path):
            return f"{label}({relpath(PAGES, folder)}/{page})"
        if address():
            return f"{label}({address()}/blob/main/{path.relative_to(ROOT)})"
        return match.group()

    def notebook(match: re.Match[str]) -> str:
        return f"[Notebook]({relpath(ROOT / match.group(2), folder)})"

    return _LINK.sub(lead, _BADGE.sub(notebook, text))


def toctree(caption: str, pages: list[str], *options: str) -> str:
    """A part of the navigation."""
    lines = ["```{toctree}", ":hidden:", f":caption: {caption}", *options, "", *pages, "```"]
    return "\n".join(["", *lines, ""])


def navigation(readme: str) -> str:
    """The navigation of the site; its guides are those that README.md lists."""
    pages = f"/{PAGES.relative_to(ROOT)}"
    guides = [f"/{name}" for name in _GUIDE.findall(readme)]
    results = ["/RESULTS", f"{pages}/gallery", "/results/earlier", "/colab/README"]
    project = [
        f"/{name}"
        for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")
        if (ROOT / f"{name}.md").exists()
    ]
    return (
        toctree("Guides", guides)
        + toctree(
            "Reference", [f"{pages}/api/index", f"{pages}/flags/index", f"{pages}/flag_files"]
        )
        + toctree("Results", results)
        + toctree("Project", project)
    )


def prepare_source(app: Sphinx, name: str, content: list[str]) -> None:
    """Mends a document's links and gives those that lead to others their part of the navigation."""
    text = content[0]
    if not name.startswith(str(PAGES.relative_to(ROOT))):
        content[0] = mended(text, (ROOT / name).parent)
    if name == "README":
        content[0] += navigation(text)
    if name == "RESULTS":
        content[0] += toctree("Runs", ["results/**/README"], ":glob:")


def skip_aliases(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Fields of named tuples are described in their class, and not once more as aliases."""
    text = getattr(value, "__doc__", None) or ""
    return True if text.startswith("Alias for field number") else None


def read_docstring(
    app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Turns a docstring's Markdown into what Sphinx reads, before its sections are looked for."""
    lines[:] = as_restructured(lines, code=what == "module")
    if what in ("attribute", "data", "property"):
        lines.insert(0, "")  # or what stands before a colon would be taken for its type


def open_with_the_readme(app: Sphinx, error: Exception | None) -> None:
    """Makes the site's first page, which is README.md, also the one that servers open."""
    if error is None and app.builder.format == "html":
        shutil.copyfile(app.outdir / "README.html", app.outdir / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tells Sphinx of it all."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", prepare_source)
    app.connect("autodoc-process-docstring", read_docstring, priority=400)
    app.connect("autodoc-skip-member", skip_aliases)
    app.connect("build-finished", open_with_the_readme)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
