"""The rules of the package that no other test sees: who imports whom, who writes files."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

from depthjax.errors import require
from depthjax.ops.conv import Pointwise

ROOT = Path(__file__).parents[1]

# Imports point to lower floors or stay on their own, without cycles between rooms.
FLOORS = (
    (
        *("errors", "typing", "compat", "files", "statistics", "tables"),
        *("checkpoint", "settings"),
    ),
    ("ops", "images", "devices", "figures"),
    ("models", "data", "jacobian"),
    ("weights", "inversion", "importing"),
    ("analysis", "folders"),
    ("training", "sweeps", "claims", "studies", "report"),
    ("cli", "__init__"),
    ("__main__",),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
# One contract, whatever made the layer.
WITHOUT_FLAX = ("inversion", "jacobian", "analysis.witnesses", "analysis.power_spectrum")
WRITERS = (
    *("files", "checkpoint", "images.writing", "inversion.checkpoints", "data", "weights"),
    *("folders", "training", "claims.reproduction", "claims.step", "sweeps", "report"),
    "importing.saving",
)
WRITING_FUNCTIONS = {"figures": ("save_figure", "_rendered")}  # the latter into memory
WRITING = (
    *("to_csv", "write_text", "write_bytes", "savefig", "imsave", "tofile"),
    *("write_atomically", "save_png"),  # ours
)
PRINTERS = ("cli",)
HEAVY = (
    *("matplotlib", "tensorflow_datasets", "array_record", "skimage", "sklearn", "orbax"),
    *("torch", "onnx", "safetensors", "huggingface_hub", "pyarrow", "ray"),
)


def module_name(path: Path) -> str:
    """`depthjax/models/vgg.py` -> `depthjax.models.vgg`; a package has the name of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): ast.parse(path.read_text(encoding="utf-8"), str(path))
    for path in sorted((ROOT / "depthjax").rglob("*.py"))
}


def part_of(module: str) -> str:
    """The entry of `FLOORS` that a module belongs to: `models` for `depthjax.models.vgg`."""
    return module.split(".")[1] if "." in module else "__init__"


def is_in(module: str, places: tuple[str, ...]) -> bool:
    """Whether a module is one of these places, or within one."""
    return any(f"{module}.".startswith(f"depthjax.{place}.") for place in places)


def imports(module: str) -> Iterator[str]:
    """What a module imports, also within functions: modules of ours in full, others by name."""
    for node in ast.walk(SOURCES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            origin = node.module or ""
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield inner if inner in SOURCES else origin


def imports_of_ours(module: str) -> set[str]:
    return {name for name in imports(module) if name.split(".")[0] == "depthjax"}


def test_every_file_has_a_floor() -> None:
    homeless = [name for name in SOURCES if part_of(name) not in FLOOR]
    assert not homeless, f"place {', '.join(homeless)} on one of FLOORS in {Path(__file__).name}"
    # The rules below speak of modules by these names.
    for place in (*WITHOUT_FLAX, *WRITERS, *WRITING_FUNCTIONS, *PRINTERS):
        assert any(is_in(module, (place,)) for module in SOURCES), place


def test_imports_never_point_upwards() -> None:
    upwards = [
        f"{module} (floor {FLOOR[part_of(module)]}) imports {other} ({FLOOR[part_of(other)]})"
        for module in SOURCES
        if part_of(module) in FLOOR
        for other in sorted(imports_of_ours(module))
        if part_of(other) in FLOOR and FLOOR[part_of(other)] > FLOOR[part_of(module)]
    ]
    assert not upwards, "; ".join(upwards)


def test_imports_have_no_cycles() -> None:
    graph = {module: imports_of_ours(module) for module in SOURCES}
    for name, others in graph.items():
        missing = others - SOURCES.keys()
        assert not missing, f"{name} imports what does not exist: {sorted(missing)}"
    rooms: dict[str, set[str]] = {}
    for name, others in graph.items():
        rooms.setdefault(part_of(name), set()).update(part_of(o) for o in others)
    within = {name: others - {name} for name, others in rooms.items()}
    for level in (graph, within):
        try:
            TopologicalSorter(level).prepare()
        except CycleError as error:
            pytest.fail(" imports ".join(reversed(error.args[1])))


def test_what_knows_only_the_contract_imports_no_flax() -> None:
    checked = [name for name in SOURCES if is_in(name, WITHOUT_FLAX)]
    assert checked
    offenders = [
        name for name in checked if any(other.split(".")[0] == "flax" for other in imports(name))
    ]
    assert not offenders


def writes(call: ast.Call) -> bool:
    """Whether a call writes a file, as far as its name and arguments tell."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if name == "open":
        position = 0 if owner and owner not in ("io", "gzip") else 1  # path.open("w")
        modes = [k.value for k in call.keywords if k.arg == "mode"] or call.args[position:][:1]
        if owner == "Image" or not modes:
            return False
        mode = modes[0]
        return not isinstance(mode, ast.Constant) or bool(set("wax+") & set(str(mode.value)))
    if owner in ("np", "numpy", "jnp") and name.startswith("save"):
        return True
    if owner in ("json", "pickle") and name == "dump":
        return True
    return name in WRITING


def calls(tree: ast.AST, *, outside: tuple[str, ...] = ()) -> Iterator[ast.Call]:
    """The calls in a tree, but for those within the functions `outside`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name in outside:
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from calls(node, outside=outside)


def test_only_some_modules_write_files() -> None:
    offenders = [
        f"{module}:{call.lineno}: {ast.unparse(call.func)}"
        for module, tree in SOURCES.items()
        if not is_in(module, WRITERS)
        for call in calls(tree, outside=WRITING_FUNCTIONS.get(part_of(module), ()))
        if writes(call)
    ]
    assert not offenders


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('open(path, "w")', True),
        ('open(path, mode="ab")', True),
        ('path.open("w")', True),
        ("open(path, mode)", True),
        ("np.savez_compressed(path, a=a)", True),
        ("table.to_csv(path)", True),
        ("path.write_text(text)", True),
        ("figure.savefig(path)", True),
        ("json.dump(record, file)", True),
        ("open(path)", False),
        ('open(path, "rb")', False),
        ("path.open()", False),
        ("json.dumps(record)", False),
        ("np.load(path)", False),
    ],
)
def test_what_counts_as_writing(code: str, expected: bool) -> None:
    """The rule above sees what it should."""
    assert [writes(call) for call in calls(ast.parse(code))] == [expected]


def test_only_the_command_line_prints() -> None:
    offenders = [
        f"{module}:{call.lineno}"
        for module, tree in SOURCES.items()
        if not is_in(module, PRINTERS)
        for call in calls(tree)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert not offenders


def test_importing_the_package_is_light() -> None:
    code = "import sys, depthjax; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "depthjax" in loaded
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize(
    "script", sorted((ROOT / "experiments").glob("*.py")), ids=lambda p: p.stem
)
def test_scripts_judge_nothing_themselves(script: Path) -> None:
    """Statistics and verdicts are in the library, where they can be tested without flags."""
    origins = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert not [name for name in origins if name.startswith("depthjax.statistics")]


def test_files_are_read_and_written_as_utf_8_whatever_the_locale() -> None:
    scripts = [*(ROOT / "depthjax").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]
    silent = [
        f"{path.relative_to(ROOT)}: {call}"
        for path in scripts
        for call in re.findall(r"\.read_text\(\)|\.write_text\(\w+\)", path.read_text("utf-8"))
    ]
    assert silent == []  # a linter sees only those of paths whose type it can tell


def test_studies_know_nothing_of_flags() -> None:
    """Their messages name parameters: whoever calls them from a notebook has no flags."""
    offenders = [
        f"{module}:{node.lineno}: {node.value}"
        for module, tree in SOURCES.items()
        if is_in(module, ("studies", "analysis", "inversion", "models", "jacobian"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.search(r"(?<![-|\w])--\w", node.value)
    ]
    assert not offenders


def test_tests_check_types_with_shapes_and_without():
    """The hook of conftest.py, which the whole suite relies on."""
    with pytest.raises(TypeError, match="condition=1"):
        require(1, "size", 1, "as it is")
    with pytest.raises(TypeError, match="prepare"):
        Pointwise((1, 1)).prepare(np.zeros((2, 3)))
    with pytest.raises(TypeError, match="strides"):
        Pointwise(2)
