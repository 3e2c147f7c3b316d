"""docs/objectives.md: it runs from top to bottom, and its tables have every piece."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.parametrisations import PARAMETRISATIONS
from depthjax.inversion.penalties import PENALTIES
from depthjax.inversion.transformations import TRANSFORMATIONS

PAGE = (Path(__file__).parents[1] / "docs" / "objectives.md").read_text(encoding="utf-8")


def test_the_page_runs_from_top_to_bottom():
    names: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/objectives.md", "exec"), names)
    assert names["run"].embedding_ratio.shape == (2,)
    assert names["layer"](names["variables"], jnp.asarray(names["images"])).shape == (2, 10240)


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("Objectives", OBJECTIVES),
        ("Penalties", PENALTIES),
        ("Transformations", [":".join([n, *k.numbers]) for n, k in TRANSFORMATIONS.items()]),
        ("Parametrisations", [":".join([n, *k.numbers]) for n, k in PARAMETRISATIONS.items()]),
    ],
)
def test_each_piece_has_its_row(heading, known):
    section = re.search(rf"^## {heading}\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)[1]
    assert re.findall(r"^\| `([\w:]+)` \|", section, re.MULTILINE) == list(known)
