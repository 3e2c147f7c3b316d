"""Names, units and meanings of the columns of our tables."""

from depthjax.inversion.explained import OCTAVES
from depthjax.report.contents import Column

_RATIO = "ratio"
_SHARE = "share"
_KNOWN = (
    Column("image", "image"),
    Column("network", "network"),
    Column("layer", "layer"),
    Column("condition", "descent"),
    Column("depth", "depth", "layers", "place among the layers of the run, from 0"),
    Column("restart", "restart", "", "which start, from 0"),
    Column("seed", "seed", "", "of the weights; in sweeps that of the starts, too"),
    Column("status", "stopped by"),
    Column("input_ratio", "D", _RATIO, "m_i / m_i′: distance to the target over a noisy copy's"),
    Column("luminance_r2", "r²", _SHARE, "of the target's luminance, whatever the contrast"),
    *(
        Column(f"luminance_r2_{short}_{long}", f"r², {short}–{long} px", _SHARE, "by period")
        for short, long in OCTAVES
    ),
    Column("contrast_r2", "r² of contrast", _SHARE, "of where details are, within some pixels"),
    Column("gradient_r2", "r² of edges", _SHARE, "of the magnitudes of gradients"),
    Column("gradient_similarity", "GMS", "at most 1", "gradient magnitude similarity, mean"),
    Column("gradient_deviation", "GMSD", "0 to 1/2", "its standard deviation; 0: the target"),
    Column("perceptual_distance", "perceptual distance", "0 to 4", "in another network"),
    Column("metamer", "metamer", "", "all of its test holds (docs/metamers.md)"),
    Column("same_label", "same label", "", "the network gives a_g the class of a"),
    Column("spearman", "Spearman", "−1 to 1", "of a_g's embedding with a's, by ranks"),
    Column("pearson", "Pearson", "−1 to 1", "of a_g's embedding with a's"),
    Column("snr", "SNR", "dB", "‖O(a)‖² over m_g²"),
    Column("null_spearman", "Spearman's bound", "−1 to 1", "of unrelated photographs"),
    Column("null_pearson", "Pearson's bound", "−1 to 1", "of unrelated photographs"),
    Column("null_snr", "SNR's bound", "dB", "of unrelated photographs"),
    Column("embedding_ratio", "ρ", _RATIO, "m_g / m_r: the same of the embedding"),
    Column("final_input_ratio", "D, last iterate", _RATIO, "D of the last iterate"),
    Column("final_embedding_ratio", "ρ, last iterate", _RATIO, "ρ of the last iterate"),
    Column("clipped_input_ratio", "D, clipped", _RATIO, "D after clipping to [0, 1]"),
    Column("clipped_embedding_ratio", "ρ, clipped", _RATIO, "ρ after clipping to [0, 1]"),
    Column("rounded_input_ratio", "D, 8-bit", _RATIO, "D after rounding to 8 bits"),
    Column("rounded_embedding_ratio", "ρ, 8-bit", _RATIO, "ρ after rounding to 8 bits"),
    Column("input_ratio_at_1", "D at ρ = 1", _RATIO, "read off the trajectory"),
    Column("input_ratio_at_0.3", "D at ρ = 0.3", _RATIO, "read off the trajectory"),
    Column("input_ratio_at_0.1", "D at ρ = 0.1", _RATIO, "read off the trajectory"),
    Column("input_ratio_at_0.03", "D at ρ = 0.03", _RATIO, "read off the trajectory"),
    Column("start_input_ratio", "D of the start", _RATIO, "baseline"),
    Column("flat_input_ratio", "D of the mean colour", _RATIO, "baseline"),
    Column("blur_input_ratio", "D of a blurred target", _RATIO, "baseline, σ = 8 px"),
    Column("embedding_distance", "m_g", "L2, embedding", "‖O(a) − O(a_g)‖"),
    Column("reference_embedding_distance", "m_r", "L2, embedding", "‖O(a) − O(a′)‖, mean"),
    Column("reference_embedding_distance_std", "std of m_r", "L2, embedding", "over the draws"),
    Column("relative_embedding_distance", "m_g/‖O(a)‖", _RATIO, "relative to the embedding"),
    Column("input_distance", "m_i", "L2, pixels in [0, 1]", "‖a − a_g‖"),
    Column("reference_input_distance", "m_i′", "L2, pixels in [0, 1]", "‖a − a′‖, mean"),
    Column("out_of_range", "out of range", "share of pixels", "outside [0, 1]"),
    Column("objective", "objective", "loss", "of the best iterate"),
    Column("best_step", "best step", "steps", "where the objective was smallest"),
    Column("stopped_step", "stopped at", "steps", "updates made"),
    Column("steps", "steps", "steps", "updates made"),
    Column("elasticity", "elasticity", "d log D / d log ρ", "for ρ from 0.03 to 0.3"),
    Column("ssim", "SSIM", "−1 to 1", "structural similarity of luminance"),
    Column("ms_ssim", "MS-SSIM", "0 to 1", "the same at several sizes"),
    Column("psnr", "PSNR", "dB", "of a_g and a, for pixels from 0 to 1"),
    Column("gradient_energy_ratio", "gradient energy", _RATIO, "over the target's"),
    Column("spectral_distance", "spectral distance", "log power", "of a_g − a_0 to the noise"),
    Column("class_probability", "class probability", "0 to 1", "largest, by a third network"),
    Column("class_log_odds", "class log-odds", "nats", "of the top class, by a third network"),
    Column("photograph_probability", "is a photograph", "probability", "by a judge of both"),
    Column("neighbour_distance", "to neighbours", _RATIO, "over two training examples' distance"),
    Column("principal_distance", "to components", _RATIO, "over the same distance"),
    Column("low_frequency_power", "low-frequency power", _RATIO, "of a filter, over white noise's"),
    Column("anisotropy", "anisotropy", "0 to 1", "preference of one direction"),
    Column("wavelet_share", "wavelet share", "0 to 1", "of a filter, by a Gabor function"),
    Column("singular_value", "singular value", "embedding / pixel", "of the Jacobian"),
    Column("condition_number", "condition number", _RATIO, "of the Jacobian"),
    Column("stable_rank", "stable rank", "directions", "Σ σ² / σ₁²"),
    Column("participation_ratio", "participation ratio", "directions", "(Σ σ²)² / Σ σ⁴"),
    Column("rank_bound", "directions that can pass", "at most", "counted operation by operation"),
    Column("passing_share", "directions that can pass", "share of n", "rank_bound / inputs"),
    Column("condition_low", "κ on the row space", "at least", "σ₁ over the least that is not 0"),
    Column("bits", "bits", "at the noise of ρ = 1", "middle of bits_low and bits_high"),
    Column("width", "width", "units"),
    Column("top5", "top-5 of a_g", "", "class and probability"),
    Column("target_top5", "top-5 of a", "", "class and probability"),
    Column("n", "n", "values", "that the median is of"),
)
COLUMNS = {column.name: column for column in _KNOWN}

LOGARITHMIC = frozenset(
    {
        "input_ratio",
        "embedding_ratio",
        "final_input_ratio",
        "final_embedding_ratio",
        "input_ratio_at_1",
        "input_ratio_at_0.3",
        "input_ratio_at_0.1",
        "input_ratio_at_0.03",
        "relative_embedding_distance",
        "gradient_energy_ratio",
        "natural_ratio",
        "neighbour_distance",
        "principal_distance",
        "singular_value",
        "condition_number",
        "stable_rank",
        "passing_share",
        "condition_low",
    }
)
"""Quantities with geometric means and logarithmic axes."""


def column(name: str) -> Column:
    """The description of a column; an unknown column has its name as its label."""
    return COLUMNS.get(name) or Column(name, name.replace("_", " "))


def axis_label(name: str) -> str:
    """The label of an axis with its unit, such as `m_g (L2, embedding)`."""
    known = column(name)
    return f"{known.label} ({known.unit})" if known.unit else known.label
