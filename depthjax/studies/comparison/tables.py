"""Tables of a comparison: the mean of each quantity by network and layer."""

import numpy as np

from depthjax.statistics import LEAST, interval_of
from depthjax.studies.comparison.numbers import Comparison
from depthjax.studies.comparison.setting import BLURRED, PLAIN
from depthjax.studies.descents import CONVERGING
from depthjax.tables import markdown_table, number


def network_table(
    comparison: Comparison, condition: str, quantity: str, *, logarithmic: bool = False
) -> str:
    """The mean of one quantity with its interval: a row for each network, a column for each layer.

    Where some values do not exist, the cell says how many do.

    Args:
        comparison: the numbers.
        condition, quantity: what is averaged.
        logarithmic: whether means are geometric.
    """
    rows = []
    for network in comparison.networks:
        cells = [network]
        for layer in comparison.layers:
            values = comparison.of(condition, quantity, network, layer)
            known = int(np.isfinite(values).sum())
            estimate, low, high, *_ = interval_of(values, logarithmic=logarithmic)
            cell = number(estimate) if known else "–"
            if np.isfinite([low, high]).any():
                cell += f" [{number(low)}, {number(high)}]"
            cells.append(cell + (f" ({known} of {values.size})" if known < values.size else ""))
        rows.append(cells)
    return markdown_table(["network", *comparison.layers], rows)


def comparison_tables(comparison: Comparison) -> str:
    """A `network_table` of each quantity that was measured."""
    few = max(len(comparison.seeds), len(comparison.images)) < LEAST
    of_each = f"; too few for intervals ({LEAST} are needed)" if few else " [95 % interval]"
    parts = [f"Means over seeds × images{of_each}; geometric of ρ, D and other ratios."]
    for condition, quantity, logarithmic, title in _COMPARED:
        if (condition, quantity) in comparison.values:
            table = network_table(comparison, condition, quantity, logarithmic=logarithmic)
            parts.append(f"\n{title}:\n\n{table}")
    return "\n".join(parts)


_COMPARED = (
    (CONVERGING, "embedding_ratio", True, "ρ of the converging descent"),
    (CONVERGING, "input_ratio_at_0.1", True, "D at ρ = 0.1"),
    (CONVERGING, "elasticity", False, "Elasticity, ρ from 0.3 to 0.03"),
    (CONVERGING, "ssim_at_ratio", False, "SSIM at one ρ"),
    (CONVERGING, "luminance_r2_at_ratio", False, "r² of luminance, likewise"),
    (CONVERGING, "contrast_r2_at_ratio", False, "r² of local contrast, likewise"),
    (CONVERGING, "gradient_energy_ratio_at_ratio", True, "Gradient energy over the target's"),
    (CONVERGING, "ssim_at_natural", False, "SSIM at one fraction of natural pairs' distance"),
    (CONVERGING, "luminance_r2_at_natural", False, "r² of luminance, likewise"),
    (BLURRED, "embedding_ratio", True, "ρ after the paper's fixed steps with blur"),
    (BLURRED, "diverged", False, "Share of these that diverged"),
    (BLURRED, "ssim", False, "SSIM, likewise"),
    (PLAIN, "embedding_ratio", True, "ρ after the paper's fixed steps without blur"),
    (PLAIN, "diverged", False, "Share of these that diverged"),
    (PLAIN, "natural_ratio", True, "m_g over the distance of natural pairs, likewise"),
    (PLAIN, "spectral_distance", False, "Spectrum of a_g − a_0 to the training noise's, likewise"),
    (CONVERGING, "target_log_odds", False, "Log-odds of the target's class by another network"),
    (BLURRED, "target_log_odds", False, "The same of the paper's recipe with blur"),
    (CONVERGING, "class_log_odds", False, "Log-odds of the top class by another network"),
    (BLURRED, "class_log_odds", False, "The same of the paper's recipe with blur"),
    (CONVERGING, "photograph_probability", False, "Probability of being a photograph"),
    (BLURRED, "photograph_probability", False, "The same of the paper's recipe with blur"),
)
"""Condition, quantity, whether its mean is geometric, and the title of its table."""
