"""Classification training of any model of this package: steps, the loop, folders, packing.

config.py      the settings
step.py        one step, a pure compiled function
evaluation.py  loss and accuracy over a data set
loop.py        the loop over the steps
runs.py        a training in a folder, which goes on after a kill
packing.py     finished trainings into the zoo
"""

from depthjax.training.config import TrainingConfig
from depthjax.training.evaluation import Evaluation, evaluate
from depthjax.training.loop import Progress, TrainingDiverged, fit
from depthjax.training.step import init_state

__all__ = [
    "Evaluation",
    "Progress",
    "TrainingConfig",
    "TrainingDiverged",
    "evaluate",
    "fit",
    "init_state",
]
