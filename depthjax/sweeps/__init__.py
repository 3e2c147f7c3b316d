"""Thousands of small computations on whatever there is, so that finished work is never lost.

A sweep is a list of cells. A cell is a plain mapping that says all that its result depends on; its
name is the hash of that. `run_cell` makes rows of a table of it, and these are one Parquet file
under the cell's name, which appears whole or not at all. So whatever dies, running the sweep again
does the cells that have no file, and nothing else.

    cells.py        names of cells, and their order
    folder.py       the folder of a sweep: results, failures, what is running
    attempt.py      one attempt at a cell
    engine.py       one cell after the other in this process, or
    ray_workers.py  by Ray's workers
    inversions.py   the cells of this package: what a layer keeps of some images
    planning.py     what a sweep of them will take
"""

from depthjax.sweeps.attempt import Context, Outcome
from depthjax.sweeps.cells import Cell, cell_hash
from depthjax.sweeps.engine import run_sweep
from depthjax.sweeps.folder import CannotWrite, Status, SweepFolder, load_sweep

__all__ = [
    "CannotWrite",
    "Cell",
    "Context",
    "Outcome",
    "Status",
    "SweepFolder",
    "cell_hash",
    "load_sweep",
    "run_sweep",
]
