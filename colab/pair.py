"""Writes every notebook from its script, with the repository's address from setup.cfg.

    make notebooks

The scripts are what is edited and reviewed. The address stands in setup.cfg alone: from there it
goes into badges and install cells here and in README.md.
"""

import configparser
import re
from pathlib import Path

import jupytext
import nbformat

COLAB = Path(__file__).parent
ROOT = COLAB.parent
ADDRESSED = (ROOT / "README.md", COLAB / "README.md")
_ADDRESS = re.compile(r"(github(?:\.com)?/)[\w.-]+/depthjax\b")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def scripts() -> list[Path]:
    """The notebooks as scripts, in order."""
    return sorted(COLAB.glob("[0-9]*.py"))


def repository() -> str:
    """`OWNER/NAME` on GitHub, from setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup["metadata"]["url"].removeprefix("https://github.com/").strip("/")


def addressed(text: str) -> str:
    """The text with the repository's address in every place that has one."""
    return _ADDRESS.sub(lambda found: found[1] + repository(), text)


def as_notebook(script: str) -> str:
    """The `.ipynb` of a script in the percent format: without outputs, the same every time."""
    notebook = jupytext.reads(script, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:02}"
        cell.metadata = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
    nbformat.validate(notebook)
    return nbformat.writes(notebook, indent=1) + "\n"


def main() -> None:
    """setup.cfg -> scripts and READMEs -> notebooks."""
    for path in (*scripts(), *ADDRESSED):
        path.write_text(addressed(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path in scripts():
        text = as_notebook(path.read_text(encoding="utf-8"))
        path.with_suffix(".ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
