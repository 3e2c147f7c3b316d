"""Progress bars: in terminals and notebooks, nowhere else."""

import sys

from depthjax.cli import bars


def test_a_bar_is_shown_in_notebooks_and_not_in_files(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with bars.DescentBar("conv1", 3) as bar:
        assert bar._steps.disable
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    with bars.DescentBar("conv1", 3) as bar:
        assert not bar._steps.disable
