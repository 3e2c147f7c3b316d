"""The parts of `experiments/device_check.py`: what only a GPU or a TPU can show.

Each part is a child process with a time limit of its own. It writes what it has measured so far
into a file, so that neither its end nor that of the script loses a number.

    catalogue.py  the parts, in the order of their value, and their shares of the time
    task.py       what a part is told
    running.py    the script's side: starts a part, ends it, reads what it has said
    child.py      the part's side
    parts/        what is measured, and its rows of the table, a file each
    bits.py       a process that descends twice, for parts/determinism.py
    table.py      the measurements as Markdown
    figure.py     the measurements as a figure
"""
