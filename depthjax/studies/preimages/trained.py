"""The paper's invertible control, trained: a classifier on top, then exact inversion below it."""

from typing import NamedTuple

from jaxtyping import Array

from depthjax.data import open_dataset
from depthjax.errors import one_of
from depthjax.models import MLP, init_variables
from depthjax.training import TrainingConfig, fit, init_state
from depthjax.typing import Variables

UNTRAINED = "untrained"
DATA = {"photographs": "photo_crops/{size}", "noise": "noise/{size}"}
"""What the control is trained on, by name."""

SPLIT = "train[:6000]"
"""The examples that it learns from; of either set there are as many."""

_TRAINING = TrainingConfig(
    epochs=10,
    batch_size=100,
    optimizer="adam",
    learning_rate=1e-4,
    schedule="constant",
    weight_decay=0.0,
    augment=False,
)


class SquareMLP(NamedTuple):
    """The control and its weights.

    Fields:
        model: a linear MLP with as many units in each layer as an image has elements, and behind
            them a classifier if it was trained.
        variables: its weights.
        accuracy: on the training set, mean over the last epoch; NaN if it was not trained.
    """

    model: MLP
    variables: Variables
    accuracy: float


def square_mlp(key: Array, size: int, layers: int, trained_on: str) -> SquareMLP:
    """The control, untrained or after ten epochs of Adam.

    The first weights of the square layers are the same, whatever it is trained on.

    Args:
        key: of the first weights.
        size: height and width of the images, which have three channels.
        layers: how many are square.
        trained_on: `UNTRAINED`, or one of `DATA`.

    Raises:
        ValueError: for other data.
    """
    one_of("training set", trained_on, (UNTRAINED, *DATA))
    square = (3 * size**2,) * layers
    if trained_on == UNTRAINED:
        model = MLP(widths=square, activation="linear")
        return SquareMLP(model, init_variables(model, key, size), float("nan"))
    examples = open_dataset(DATA[trained_on].format(size=size), split=SPLIT)
    model = MLP(widths=(*square, len(examples.classes)), activation="linear")
    state = init_state(model, init_variables(model, key, size), _TRAINING)
    for progress in fit(model, state, examples, _TRAINING):
        state = progress.state
    _, correct, seen = (float(total) for total in state.totals)
    return SquareMLP(model, state.variables, correct / seen)
