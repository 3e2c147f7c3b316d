"""The reference: a page for each part of the package, with every public name."""

import ast
import importlib
from pathlib import Path
from typing import NamedTuple

from places import ROOT, write_page

PACKAGE = ROOT / "depthjax"
BASICS = "basics"
"""The page of the modules that are in no package."""


class Module(NamedTuple):
    """What a module holds.

    Fields:
        name: in full.
        title: the first line of its docstring.
        names: its own public functions and classes, and the constants that have a docstring.
        page: the page that shows it.
    """

    name: str
    title: str
    names: list[str]
    page: str


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a string, as docstrings are."""
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def public_names(tree: ast.Module) -> list[str]:
    """The names that a module defines for others, in its order."""
    found = []
    for node, after in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and is_text(after):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def read_module(path: Path) -> Module:
    """What a file of the package holds."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title = (ast.get_docstring(tree) or "").partition("\n")[0]
    page = parts[1] if len(parts) > 2 else BASICS
    return Module(name, title, public_names(tree), "depthjax" if name == "depthjax" else page)


def modules() -> list[Module]:
    """Every module of the package, by name; those that begin with _ are nobody's but its own."""
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem != "__main__"]
    return sorted(read_module(path) for path in files)


def automodule(name: str, members: list[str] | None) -> str:
    """What makes Sphinx show a module: its docstring and members, of which None means all."""
    lines = [f".. automodule:: {name}"]
    if members is None or members:
        lines += [f"   :members: {', '.join(members or [])}", "   :special-members: __call__"]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def exported(module: Module, homes: dict[str, Module]) -> list[str]:
    """A table of the names of `__all__`, each leading to where it is defined."""
    package = importlib.import_module(module.name)
    rows = []
    for name in sorted(getattr(package, "__all__", []), key=str.lower):
        origin = getattr(getattr(package, name), "__module__", "")
        if origin not in homes or name not in homes[origin].names:  # a constant, or another name
            inside = (home.name for home in homes.values() if name in home.names)
            origin = next(inside, "")
        shown = f"{module.name}.{name}"
        rows.append(f"- {{py:obj}}`{shown} <{origin}.{name}>`" if origin else f"- `{shown}`")
    return [f"Import these from `{module.name}`:", "", *rows, ""] if rows else []


def constants(homes: dict[str, Module]) -> list[str]:
    """What `depthjax` exports that is no function or class, whose text its own module has."""
    package = importlib.import_module("depthjax")
    lines = []
    for name in (name for name in package.__all__ if not callable(getattr(package, name))):
        home = next(home.name for home in homes.values() if name in home.names)
        lines += [
            "```{eval-rst}",
            f".. py:data:: {name}",
            "   :module: depthjax",
            "",
            f"   The same as :py:data:`{home}.{name}`.",
            "```",
        ]
    return lines


def room(page: str, inside: list[Module], homes: dict[str, Module]) -> str:
    """The page of a package, or of the modules that are in none."""
    title = "Basics: errors, types, tables, statistics" if page == BASICS else f"depthjax.{page}"
    lines = [f"# {title}", ""]
    for module in inside:
        if module.name != f"depthjax.{page}":
            lines += [f"## {module.name.removeprefix('depthjax.')}", ""]
        lines += [automodule(module.name, module.names), "", *exported(module, homes)]
    return "\n".join(lines)


def write_api_pages() -> None:
    """The page of `depthjax` itself, those of its parts, and the list of them."""
    homes = {module.name: module for module in modules()}
    pages: dict[str, list[Module]] = {}
    for module in homes.values():
        pages.setdefault(module.page, []).append(module)
    pages.pop("depthjax")
    lines = ["# depthjax", "", automodule("depthjax", None), "", *constants(homes), ""]
    write_page("api/depthjax", "\n".join(lines))
    listed = ["| | |", "| --- | --- |", f"| [depthjax](depthjax.md) | {homes['depthjax'].title} |"]
    for page, inside in pages.items():
        write_page(f"api/{page}", room(page, inside, homes))
        title = homes[f"depthjax.{page}"].title if page != BASICS else "What all parts use"
        listed.append(f"| [{page}]({page}.md) | {title} |")
    names = "\n".join(["depthjax", *pages])
    write_page(
        "api/index",
        "# API reference\n\nThe names that most programs need are those of"
        " [depthjax](depthjax.md) itself. The parts hold everything else.\n\n"
        + "\n".join(listed)
        + f"\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n",
    )
