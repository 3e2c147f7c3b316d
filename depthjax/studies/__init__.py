"""What the scripts measure and judge: one package per study, independent of command-line flags.

    measured.py   the rows of its table
    judged.py     what the rows say about the paper's claims, and the printed tables
    drawn.py      the figures, with the names of their files

The settings of a study are in measured.py, or in a file beside it. Shared by all studies are here:
networks with several weight seeds (`networks`), descents that are saved one by one (`descents`),
and tables of rows (`rows`). Nothing here parses flags or prints; files are written through
`depthjax.folders`.
"""
