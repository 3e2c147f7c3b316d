"""Networks made of another one: with its weights, names and images, and a graph of their own."""

from depthjax.models.network import Network
from depthjax.typing import Inputs


class Derived(Network):
    """Base of networks that change the graph of another one.

    Fields:
        network: the other one.
    """

    network: Network

    def aliases(self) -> dict[str, str]:
        """Those of the network."""
        return self.network.aliases()

    def weight_names(self) -> dict[tuple[str, str], str]:
        """Those of the network."""
        return self.network.weight_names()

    def other_names(self) -> dict[str, str]:
        """Those of the network."""
        return self.network.other_names()

    def stages(self) -> tuple[str, ...]:
        """Those of the network."""
        return self.network.stages()

    @property
    def is_ours(self) -> bool:
        """Whether the network is."""
        return self.network.is_ours

    @property
    def channels(self) -> int | None:
        """Of the images that the network takes, if it says so."""
        return getattr(self.network, "channels", None)

    @property
    def own_size(self) -> tuple[int, int]:
        """That of the network."""
        return self.network.own_size

    def check_images(self, images: Inputs) -> None:
        """Refuses images that the network cannot take."""
        self.network.check_images(images)
