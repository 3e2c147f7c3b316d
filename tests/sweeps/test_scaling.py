"""Turns with several numbers of workers: kept when they are over, begun anew when cut off."""

import json

import pytest
from sweep_cells import cells, squares

from depthjax.folders.begin import begin
from depthjax.sweeps import Outcome, Workers, scaling
from depthjax.sweeps.scaling import measure_turn, median_speeds, scaling_table


def pretend(cells, run_cell, folder, *, on_outcome, **_):
    folder.mkdir()  # it must not be there
    for cell in cells:
        on_outcome(Outcome(str(cell), "done"))


def test_a_turn_that_was_cut_off_begins_again_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "run_sweep", pretend)
    with begin(tmp_path, {"workers": [1, 2]}) as folder:
        arguments = cells(4), squares
        first = measure_turn(folder, 1, *arguments, Workers(1), lambda cell: "")
        (tmp_path / "turn-2-workers-2").mkdir()  # cut off
        second = measure_turn(folder, 2, *arguments, Workers(2), lambda cell: "")
        assert measure_turn(folder, 1, *arguments, Workers(1), pytest.fail) == first
    assert (first["turn"], first["workers"], first["cells"]) == (1, 1, 4)
    assert second["warm_cells_per_minute"] > 0
    assert json.loads((tmp_path / "pieces" / "turn-1-workers-1.json").read_text()) == first


def test_the_table_has_a_row_for_each_number_of_workers():
    rows = [
        {"turn": t, "workers": n, "cells": 9, "seconds": s, "warm_cells_per_minute": 60 / s}
        for t, (n, s) in enumerate([(1, 10.0), (2, 5.0), (1, 12.0), (2, 6.0)], 1)
    ]
    table = scaling_table(rows)
    assert "| 2       |     2 |     9 |      5.5 (5–6) |" in table and "2.00 |" in table
    assert median_speeds(rows) == {1: 5.5, 2: 11.0}
