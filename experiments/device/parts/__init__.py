"""What is measured, a part in each file.

A part has `measure(task, tell)`, which runs in a process of its own, and `rows(numbers)`, which
makes the rows of the table of what was told, however little that is.
"""
