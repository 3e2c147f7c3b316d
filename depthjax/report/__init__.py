"""One HTML page of a run, a comparison, or a whole reproduction.

    from depthjax import report
    report.write_report("runs/mine")                      # runs/mine/report.html
    report.write_report(["runs/a", "runs/b"], "all.html")  # one page of both

`folders.py` reads what a folder holds into the plain values of `contents.py`; `page.py` makes HTML
of these with the templates beside it. A page needs no network and no other file.
"""

from depthjax.report.contents import Chart, Report, Series
from depthjax.report.folders import collect
from depthjax.report.page import SIZE, render, write_report

__all__ = [
    "SIZE",
    "Chart",
    "Report",
    "Series",
    "collect",
    "render",
    "write_report",
]
