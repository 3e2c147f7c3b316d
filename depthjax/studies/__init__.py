"""What the scripts measure and judge: a package for each study, which knows nothing of flags.

    measured.py   the rows of its table
    judged.py     what they say of the paper's claims, and the tables that are printed
    drawn.py      their figures

What all studies share is beside them: networks of several seeds, and tables `[seeds, images]` of
rows. Nothing here parses flags or prints.
"""
