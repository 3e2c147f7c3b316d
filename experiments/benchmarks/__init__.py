"""The parts of `experiments/benchmark.py`.

Everything that is timed is a child process: it has its own thread pools, memory and allocator, may
live in another environment, and waits on its input while another one works.

    job.py        what a child is told: network, layer, batch, and where its arrays lie
    inputs.py     the arrays, written once for all children
    serving.py    the child's side: builds a contender and answers requests
    workers.py    the parent's side: starts children, asks them, ends them
    contenders/   what can be asked for a number of steps, one file each
    racing.py     turns that alternate between contenders
    parts.py      what is measured
    machine.py    where it was measured, and how fast that could be
    summary.py    the measurements as Markdown
    figure.py     the measurements as a figure
"""
