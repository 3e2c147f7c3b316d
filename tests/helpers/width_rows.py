"""Numbers of the study of widths, made by hand: where descents end, and how long they take."""

from study_rows import SEEDS, near

from depthjax.studies.rows import Row
from depthjax.studies.widths.measured import CURVATURE, PAPER, width_name
from depthjax.studies.widths.setting import (
    SECOND_WIDTHS,
    SMOOTH_UNITS,
    SMOOTH_WIDTHS,
    WIDE,
    WIDER_LATE,
    WidthSettings,
)

WIDTHS = WidthSettings(
    size=4, narrow=32, wide=60, depth=3, paper_steps=(5,), relu_widths=(1.0, 2.0, 3.0)
)


def width_rows(
    claim: str,
    network: str,
    layers: int,
    optimizer: str,
    quantity: str,
    value: float,
    steps: int | str = "",
) -> list[Row]:
    """About the same of all seeds, while the second image has twice as much, and so on."""
    where = {"claim": claim, "network": network, "layers": layers, "optimizer": optimizer}
    return [
        where
        | {"seed": seed, "image": image, "steps": steps, "quantity": quantity}
        | {"value": near(value * (1 + image), seed, claim, layers, network)}
        for seed in SEEDS
        for image in range(3)
    ]


def null_space_rows(optimizer: str) -> list[Row]:
    """C4: a narrow network that ends at its floor, and a wide one that recovers."""
    return [
        *width_rows("C4", "narrow", 3, optimizer, "floor", 2),
        *width_rows("C4", "narrow", 3, optimizer, "m_i", 7, 10),
        *width_rows("C4", "narrow", 3, optimizer, "m_i", 2, 90),
        *width_rows("C4", WIDE, 1, optimizer, "m_i", 0.001, 90),
        *width_rows("C4", WIDE, 1, "", "κ", 30),
    ]


def depth_rows() -> list[Row]:
    """C5: tenfold with every layer."""
    return [
        row
        for depth in (1, 2, 3)
        for quantity, steps in (("steps to D = 1", ""), ("D", 5))
        for row in width_rows("C5", WIDE, depth, CURVATURE, quantity, 10.0**depth, steps)
    ]


def relu_rows() -> list[Row]:
    """C7: D = 4, 2, 1/4 at widths of 1, 2, 3."""
    return [
        row
        for width, d, active in ((1.0, 4, 0.5), (2.0, 2, 1), (3.0, 0.25, 1.5))
        for quantity, value in (("D", d), ("active units / n", active))
        for row in width_rows("C7", width_name(width), 1, "Gauss–Newton", quantity, value)
    ]


def second_relu_rows(second: float = 5.0) -> list[Row]:
    """C19: D is 1 where the second layer is `second` times as wide as the input."""
    return [
        row for width in SECOND_WIDTHS for row in one_d("C19", width_name(width), second / width)
    ]


def smooth_rows(**widths: float) -> list[Row]:
    """C20: D is 1 at these widths over inputs, of tanh and of sigmoid units."""
    wanted = dict.fromkeys(SMOOTH_UNITS, 2.0) | widths
    return [
        row
        for activation in SMOOTH_UNITS
        for width in SMOOTH_WIDTHS
        for row in one_d("C20", width_name(width, activation), wanted[activation] / width)
    ]


def one_d(claim: str, network: str, ratio: float) -> list[Row]:
    """About the same D of all seeds and images, by Gauss–Newton."""
    where = {"claim": claim, "network": network, "layers": 1, "optimizer": "Gauss–Newton"}
    return [
        where
        | {"seed": seed, "image": image, "steps": "", "quantity": "D"}
        | {"value": near(ratio**8, seed, image)}
        for seed in SEEDS
        for image in range(3)
    ]


def late_width_rows() -> list[Row]:
    """C8: a quarter of the steps once widened."""
    return [
        row
        for label, value in ((WIDE, 8), (WIDER_LATE, 2))
        for optimizer, quantity in ((CURVATURE, "steps to D = 1"), (PAPER, "D"))
        for row in width_rows("C8", label, 3, optimizer, quantity, value)
    ]
