"""Where things are: the repository, its address, the pages made of code, and the demo's report."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = Path(__file__).parent / "pages"
SCRIPTS = ROOT / "experiments"
FLAG_FILES = SCRIPTS / "flags"
REPORT = ROOT / "runs" / "demo" / "report.html"

_PLACEHOLDER = "/OWNER/"


def address() -> str:
    """The repository's address, of `url` in setup.cfg; empty while that is a placeholder."""
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    url = settings["metadata"]["url"].rstrip("/")
    return "" if _PLACEHOLDER in url else url


def write_page(name: str, text: str) -> None:
    """Writes a page of `PAGES`, unless it is the same: what has not changed is not built again."""
    path = PAGES / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
