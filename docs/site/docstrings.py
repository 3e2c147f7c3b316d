"""Docstrings are in Markdown, and Sphinx reads reStructuredText: this is the way across."""

import re

_CODE = re.compile(r"(\w?)`([^`]+)`(\w?)")
_CELL = re.compile(r"\s*\|\s*")


def _inline(text: str) -> str:
    """`x` as ``x``, and bars that are no substitutions."""
    pieces = re.split(r"(`[^`]+`)", text)
    text = "".join(
        piece if index % 2 else piece.replace("|", r"\|") for index, piece in enumerate(pieces)
    )

    def literal(match: re.Match[str]) -> str:
        before, code, after = match.groups()
        joined = f"{before}\\ " if before else ""
        return f"{joined}``{code}``" + (f"\\ {after}" if after else "")

    return _CODE.sub(literal, text)


def _items(rows: list[str]) -> list[str]:
    """A table's rows as items of a list, the first cell leading."""
    cells = [_CELL.split(row.strip().strip("|").strip(), maxsplit=1) for row in rows]
    return [f"- {_inline(cell[0])}: {_inline(cell[-1])}" for cell in cells if cell[0].strip("-")]


def _kind(line: str, before: str) -> str:
    """What a line is; one that is empty goes on with what was before."""
    if not line.strip():
        return "text" if before == "table" else before
    return "table" if line.startswith("|") else "code" if line.startswith("    ") else "text"


def as_restructured(lines: list[str], *, code: bool) -> list[str]:
    """A docstring's lines in the other markup.

    Args:
        lines: Markdown.
        code: whether indented lines are code, as in modules; elsewhere they belong to a section
            such as Args.

    Returns:
        The same in reStructuredText.
    """
    kind = "text"
    found: list[str] = []
    blocks: list[tuple[str, list[str]]] = []
    for line in lines:
        before, kind = kind, _kind(line, kind) if code else "text"
        if not blocks or kind != before:
            blocks.append((kind, []))
        blocks[-1][1].append(line)
    for kind, block in blocks:
        if kind == "table":
            found += ["", *_items(block), ""]
        elif kind == "code":
            found += ["", "::", "", *block, ""]
        else:  # code may go on over a line's end
            found += _inline("\n".join(block)).split("\n")
    return found
