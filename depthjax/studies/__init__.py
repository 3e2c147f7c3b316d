"""What the scripts measure and judge: a package for each study, which knows nothing of flags.

    measured.py   the rows of its table
    judged.py     what they say of the paper's claims, and the tables that are printed
    drawn.py      their figures, with the names of their files

What is asked is in measured.py, too, or in a file beside it. What all studies share is here:
networks of several seeds, descents that are saved one by one, and tables `[seeds, images]` of rows.
Nothing parses flags, prints, or writes files but those of `depthjax.folders.begin`.
"""
