"""The notebooks: paired with their scripts, and run from start to end as anybody would."""

import ast
import configparser
import gc
import importlib.util
import os
import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from jupytext.config import load_jupytext_configuration_file
from nbclient import NotebookClient
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
COLAB = ROOT / "colab"
NOTEBOOKS = sorted(COLAB.glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]

SMALL = {
    "01_invert_a_layer": {
        "images": ["astronaut", "chelsea"],
        "size": 16,
        "layers": "conv1,layer2",
        "steps": 4,
        "watched": ["layer2"],
        "frames": 3,
    },
    "02_why_depth_forgets": {
        "size": 8,
        "width": 4,
        "layers": ["conv1", "layer1"],
        "probed": "layer1",
        "witness_size": 16,
        "witness_layers": ["layer2"],
        "strides": 4,
        "mlp_size": 4,
        "descent_steps": 20,
        "inits": 2,
    },
    "03_train_compare_reproduce": {
        "size": 16,
        "blocks": (1, 1),
        "examples": 32,
        "epochs": 1,
        "batch_size": 16,
        "images": ["astronaut", "chelsea"],
        "layers": "conv1,layer2",
        "steps": 4,
    },
}
"""What runs in seconds; everything else is as it stands in the notebook."""

STRICT = """
import warnings
warnings.filterwarnings("error", module=r"depthjax(\\.|$)")
warnings.filterwarnings("error", module="__main__")
"""


@pytest.fixture(scope="module")
def pair():
    spec = importlib.util.spec_from_file_location("pair", COLAB / "pair.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def cells(path: Path, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if tag in cell.metadata.get("tags", ())]


def code(path: Path) -> str:
    """Without magics, which are no Python."""
    lines = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    return re.sub(r"^%.*$", "", "\n".join(lines), flags=re.MULTILINE)


def execute(path: Path, folder: Path, devices: int, **more: object) -> nbformat.NotebookNode:
    """As papermill does: parameters are set again after the cell that is tagged with the word."""
    notebook = read(path)
    notebook.cells = [c for c in notebook.cells if "install" not in c.metadata.get("tags", ())]
    (place,) = (
        index
        for index, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", ())
    )
    settings = {**SMALL[path.stem], **more}
    changed = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(changed))
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    environment = {
        **os.environ,
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    done = client.execute(env=environment)
    del client
    gc.collect()  # the kernel's sockets; later, they would warn in somebody else's test
    return done


def texts(notebook: nbformat.NotebookNode) -> str:
    return "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )


def kinds(notebook: nbformat.NotebookNode) -> list[str]:
    return [
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        for kind in output.get("data", ())
    ]


# ----------------------------------------------------------------------------------------- in step


def test_every_notebook_is_made_of_its_script(pair):
    assert NAMES == [path.stem for path in pair.scripts()] == list(SMALL)
    for script, notebook in zip(pair.scripts(), NOTEBOOKS, strict=True):
        made = pair.as_notebook(script.read_text(encoding="utf-8"))
        assert notebook.read_text(encoding="utf-8") == made, "run `make notebooks`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_edited_in_jupyter_leads_back_to_its_script(path):
    config = load_jupytext_configuration_file(str(COLAB / "jupytext.toml"))
    made = jupytext.writes(read(path), fmt="py:percent", config=config)
    assert made == path.with_suffix(".py").read_text(encoding="utf-8")


def test_one_address_everywhere(pair):
    for path in (*pair.scripts(), *pair.ADDRESSED):
        text = path.read_text(encoding="utf-8")
        assert pair.repository() in text
        assert pair.addressed(text) == text, f"{path.name}: run `make notebooks`"


def test_the_address_comes_from_one_place(pair, monkeypatch):
    monkeypatch.setattr(pair, "repository", lambda: "someone/depthjax")
    badge = "https://colab.research.google.com/github/OWNER/depthjax/blob/main/colab/a.ipynb"
    assert pair.addressed(badge) == badge.replace("OWNER", "someone")
    line = '%pip install "depthjax[hub] @ git+https://github.com/OWNER/depthjax"'
    assert pair.addressed(line) == line.replace("OWNER", "someone")
    assert pair.addressed("https://github.com/jax-ml/jax") == "https://github.com/jax-ml/jax"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_what_every_notebook_has(path):
    notebook = read(path)
    first = notebook.cells[0].source
    assert first.startswith("[![Open in Colab]") and f"/colab/{path.name})" in first
    assert not any(cell.get("outputs") for cell in notebook.cells)
    (install,) = cells(path, "install")
    assert install.source.startswith("%pip install") and "\n" not in install.source
    (parameters,) = cells(path, "parameters")
    assert all(isinstance(line, ast.Assign) for line in ast.parse(parameters.source).body)
    defined = [node for node in ast.walk(ast.parse(code(path))) if isinstance(node, _DEFINITIONS)]
    assert not defined, "library code belongs into the library"
    assert "data_mesh()" in code(path)
    assert not re.search(r"""["'](cpu|gpu|tpu|cuda)["']|default_backend""", code(path))


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_small_parameters_are_parameters(path):
    (parameters,) = cells(path, "parameters")
    names = {line.targets[0].id for line in ast.parse(parameters.source).body}
    assert set(SMALL[path.stem]) <= names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_the_requirement_names_extras_that_exist(path):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    (install,) = cells(path, "install")
    asked = re.search(r'"depthjax\[([\w,]+)\] @ git\+https://', install.source)[1].split(",")
    assert set(asked) <= set(setup["options.extras_require"])


def pins() -> dict[str, str]:
    """What Colab brings, by name."""
    lines = (ROOT / "tests" / "stacks" / "colab.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def asked() -> list[Requirement]:
    """What the install cells ask for."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    _, files = setup["options"]["install_requires"].split("file:")
    always = [(ROOT / name.strip()).read_text(encoding="utf-8") for name in files.split(",")]
    lines = "\n".join([*always, setup["options.extras_require"]["hub"]]).splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def replaced(requirements: list[Requirement]) -> list[str]:
    """What pip would install anew on Colab, though it is there."""
    there = pins()
    return [r.name for r in requirements if r.name in there and there[r.name] not in r.specifier]


def test_colabs_own_jax_stays():
    """Of what we ask for ourselves; `make stacks` asks pip about all of it."""
    assert {"jax", "jaxlib", "flax", "numpy", "absl-py", "scipy"} <= pins().keys()
    assert {"jax", "flax", "numpy", "absl-py"} <= {requirement.name for requirement in asked()}
    assert replaced(asked()) == []
    assert replaced([Requirement("jax>=0.10"), Requirement("flax<0.11")]) == ["jax", "flax"]


# ----------------------------------------------------------------------------------------- to run


@pytest.mark.parametrize(
    ("path", "devices"), [(NOTEBOOKS[0], 1), (NOTEBOOKS[0], 4), (NOTEBOOKS[1], 4)]
)
def test_runs_from_start_to_end(path, devices, tmp_path):
    done = execute(path, tmp_path, devices)
    shown = kinds(done)
    assert f"{devices} × cpu" in texts(done).lower()
    assert shown.count("image/png") >= 4 and "text/markdown" in shown
    if path.stem.startswith("01"):
        assert "text/html" in shown  # the slider


def test_runs_without_a_network(tmp_path, data_dir):
    done = execute(NOTEBOOKS[2], tmp_path, 4, data_dir=str(data_dir))
    assert "4 × cpu" in texts(done).lower()
    assert "no ImageNet weights here: " in texts(done)
    assert "invert" in texts(done)  # the scripts that were found
    assert kinds(done).count("image/png") == 3
