"""How an inversion is carried out: what is decided once, before the first batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from depthjax.devices.processes import my_share
from depthjax.devices.sharding import Split
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.results import Progress


@dataclass(frozen=True)
class Plan:
    """The decisions that all batches of an inversion share.

    Fields:
        config: of the descents.
        count: images × restarts, of all processes.
        mesh: the devices that share each batch between them; None where one does it alone.
        split: how the examples of this process are shared out over batches and devices.
        marks: the steps at which a frame is kept, ascending; the end has one too.
        checkpoints: where states are kept, or None.
        on_progress: who is told of the progress, or None.
        latest: m_g of the last records, as `Progress` has it; it changes while batches run.
    """

    config: InversionConfig
    count: int
    mesh: Mesh | None
    split: Split
    marks: tuple[int, ...]
    checkpoints: DescentCheckpoints | None
    on_progress: Callable[[Progress], None] | None
    latest: Float[np.ndarray, " examples"]

    @property
    def groups(self) -> list[Int[np.ndarray, " batch"]]:
        """Which examples of this process each batch holds.

        All batches are of one size; the last begins again with the first where they run out.
        """
        mine = np.arange(len(my_share(self.count)))
        return list(np.resize(mine, (self.split.batches, self.split.batch)))

    @property
    def in_short_calls(self) -> bool:
        """Whether the compiled loop returns often: to tell of its progress, or keep its state."""
        return self.on_progress is not None or self.checkpoints is not None

    def tell(self, batch: int, step: int, distance: Float[np.ndarray, " batch"]) -> None:
        """Calls `on_progress`, if there is one.

        Args:
            batch: its number.
            step: how far it has come.
            distance: m_g of its last record.
        """
        if self.on_progress is None:
            return
        self.latest[my_share(self.count)[self.groups[batch]]] = distance
        made = batch * self.config.steps + step
        planned = self.split.batches * self.config.steps
        self.on_progress(Progress(made, planned, self.latest.copy()))
