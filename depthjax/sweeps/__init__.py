"""Thousands of small computations on the machines at hand, so that finished work is never lost.

A sweep is a list of cells. A cell is a plain mapping of everything that its result depends on, and
its name is the hash of that. `run_cell` computes the rows of a table from it. They are written to
one Parquet file with the cell's name, which appears whole or not at all. So whatever dies, running
the sweep again computes the cells that have no file, and nothing else.

    cells.py        cells and their names
    order.py        which worker gets which cell
    parquet.py      the file of a finished cell
    cell_locks.py   who works at which cell
    folder.py       the folder of a sweep: results, failures, cells at work
    attempt.py      one attempt at a cell
    engine.py       runs the cells, one after the other in this process, or
    ray_workers.py  in Ray's workers
    inversions.py   cells that are inversions: what a layer keeps of some images
    planning.py     what a sweep of inversions will take
    scaling.py      how fast several numbers of workers are
    listing.py      the networks of a sweep, from a table
    tables.py       a sweep as text
"""

from depthjax.files import CannotWrite
from depthjax.sweeps.attempt import Outcome
from depthjax.sweeps.cells import Cell, cell_hash
from depthjax.sweeps.engine import run_sweep
from depthjax.sweeps.folder import Status, SweepFolder, load_sweep
from depthjax.sweeps.ray_workers import Workers

__all__ = [
    "CannotWrite",
    "Cell",
    "Outcome",
    "Status",
    "SweepFolder",
    "Workers",
    "cell_hash",
    "load_sweep",
    "run_sweep",
]
