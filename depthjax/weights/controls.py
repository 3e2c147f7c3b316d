"""The words before a source of weights that ask for a control made of it."""

CALIBRATED, ROTATED, SHUFFLED = "calibrated", "rotated", "shuffled"
UNNORMALIZED = "unnormalized"

CONTROLS = (CALIBRATED, ROTATED, SHUFFLED, UNNORMALIZED)
"""Of these several may stand: `calibrated:shuffled:SOURCE`. The one nearest to the source is made
first."""

_DRAWN = {ROTATED, SHUFFLED}


def controls_in(source: str) -> tuple[tuple[str, ...], str]:
    """The controls that a source begins with, and what they are made of.

    >>> controls_in("calibrated:shuffled:pip:efficientnet_lite0")
    (('calibrated', 'shuffled'), 'pip:efficientnet_lite0')
    """
    kind, _, rest = source.partition(":")
    if kind not in CONTROLS:
        return (), source
    controls, base = controls_in(rest)
    return (kind, *controls), base


def is_untrained(source: str) -> bool:
    """Whether a source, or what a control is made of, is an initialisation."""
    return controls_in(source)[1].partition(":")[0] == "untrained"


def is_unnormalized(source: str) -> bool:
    """Whether the network sees the pixels as they are, whatever its weights expect."""
    return UNNORMALIZED in controls_in(source)[0]


def is_drawn(source: str) -> bool:
    """Whether each seed of the weights has other weights of a source."""
    controls, base = controls_in(source)
    return base == "untrained" or not _DRAWN.isdisjoint(controls)


def has_trained_head(source: str) -> bool:
    """Whether the outputs of a source are trained classes."""
    return not is_untrained(source) and _DRAWN.isdisjoint(controls_in(source)[0])
