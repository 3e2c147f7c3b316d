"""The numbers in the page's own sentences: which finding each is, or how rows give it."""

from math import log

from publishing.counted import (
    Counted,
    asked,
    at_last_layers,
    at_the_largest_rate,
    difference,
    each,
    largest_late_mean,
    least_to_most,
    mean,
    means_by,
    means_by_place,
    met,
    ratio_of_runs,
    tried_widths,
)
from publishing.told import Numbers, Told

_LAYER4, _LAYER4_50 = ("C2", "resnet18, layer4"), ("C2", "resnet50, layer4")
_RECIPE = "ρ of the last iterate of the paper's recipe: "
_FAST, _ACCURATE = "depth_resnet18_224", "depth_resnet18_224_accurate"
_RECIPE50 = ("recipe_resnet50_layer4_224",)
_AT = {"network": "resnet18", "layer": "layer4.1"}
_FIRST_BLOCK = {"network": "resnet18", "layer": "layer1.0"}
_THIN4 = {"network": "untrained", "condition": "converging", "layer": "layer4"}
_THIN = ("compare_thin_224_accurate",)

SHORT_DEPTH: Numbers = {
    "first": Counted(mean("input_ratio_at_0.1", logarithmic=True, **_FIRST_BLOCK), (_ACCURATE,)),
    "end": Counted(mean("input_ratio_at_0.1", logarithmic=True, **_AT), (_ACCURATE,)),
    "shown_first": Counted(mean("luminance_r2", **_FIRST_BLOCK), (_ACCURATE,)),
}

DEPTH: Numbers = {
    "slope": Told(_FAST, "C1", "resnet18, within stages"),
    "soft": Told(_ACCURATE, *_LAYER4, "r²"),
    "soft_rho": Told(_ACCURATE, *_LAYER4, "ρ"),
    "hard": Told(_FAST, *_LAYER4, "r²"),
    "hard_rho": Told(_FAST, *_LAYER4, "ρ"),
    "hard_over_soft": Counted(
        ratio_of_runs("input_ratio_at_0.1", **_AT),
        (_FAST, _ACCURATE),
    ),
    "thin": Counted(mean("luminance_r2", **_THIN4), _THIN),
    "thin_rho": Counted(mean("embedding_ratio", logarithmic=True, **_THIN4), _THIN),
    "thin_elasticity": Counted(
        mean(
            lambda row: log(row["input_ratio_at_0.3"] / row["input_ratio_at_0.1"]) / log(3),
            **_THIN4,
        ),
        _THIN,
    ),
    "thin_with": Counted(
        each(lambda row: round(row["luminance_r2"], 2), network="untrained", layer="layer4"),
        ("gallery_thin_224",),
    ),
    "recipe18": Told("recipe_resnet18_224", *_LAYER4, f"{_RECIPE}as published"),
    "recipe50": Told(*_RECIPE50, *_LAYER4_50, f"{_RECIPE}as published"),
    "diverged": Counted(
        met(lambda row: row["embedding_ratio"] > row["start_embedding_ratio"]), _RECIPE50
    ),
    "farther": Counted(
        least_to_most(lambda row: row["embedding_ratio"] / row["start_embedding_ratio"]), _RECIPE50
    ),
    "hundredth": Told(
        "recipe_resnet50_224",
        "C2",
        "resnet50, layer4, over photographs alone",
        f"{_RECIPE}0.01 × the published rate",
    ),
    "below": Counted(
        met(lambda row: row["embedding_ratio"] < 1, layer="layer4", rate="0.01"),
        ("recipe_resnet50_224",),
    ),
}

_COMPARED = ("compare_*",)
_LARGE, _ONCE = ("compare_*_224*",), ("compare_*_224",)
"""All comparisons at 224×224; and without those that repeat one with soft gates."""
_NO_BLUR, _VOTING = "paper_no_blur", ("photos", "untrained")
_FIRST = {"condition": "converging", "layer": "conv1"}
_MANIFOLD = "manifold_resnet18_small"
_DISTANCE = "embedding: distance to training examples"
_PHOTOGRAPHS, _NOISE = "photo_crops/32", "noise/32@train[:2000]"

SHORT_TRAINING: Numbers = {"matched": Counted(asked("matched_ratio"), _LARGE)}


def _ending(network: str, trained_on: str, *, listed: bool = False) -> Counted:
    """ρ of what `manifold.py` recovers from layer4, for each kind of input."""
    place = {"network": network, "training_set": trained_on, "layer": "layer4"}
    rho = means_by("input", "embedding_ratio", listed=listed, seen="recovered image", **place)
    return Counted(rho, (_MANIFOLD,))


def _at_the_stem(run: str) -> Counted:
    """How much more of the luminance the stem of an EfficientNet gives back once it is trained."""
    place = {"condition": "converging", "layer": "stem"}
    return Counted(difference("luminance_r2_at_ratio", "photos", "untrained", **place), (run,))


TRAINING: Numbers = {
    **SHORT_TRAINING,
    "late": Counted(largest_late_mean("luminance_r2_at_ratio", _VOTING, 0.125), _LARGE),
    "ssim_first": Told(
        *_THIN, "C11", "photos, conv1, one trained network", "SSIM at one ρ: photos − untrained"
    ),
    "r2_first": Counted(
        difference("luminance_r2_at_ratio", "photos", "untrained", **_FIRST), _THIN
    ),
    "r2_stem": _at_the_stem("compare_lite0_224"),
    "r2_stem_of_lite1": _at_the_stem("compare_lite1_224"),
    "edge": Counted(at_the_largest_rate(_NO_BLUR, _VOTING), _ONCE),
    "edge_rho": Counted(means_by_place("embedding_ratio", _NO_BLUR, _VOTING), _ONCE),
    "trained_near": Counted(at_last_layers(("photos", "noise"), 0.03), _COMPARED),
    "untrained_near": Counted(at_last_layers(("untrained",), 0.03), _COMPARED),
    "ends_photos": _ending("photos", _PHOTOGRAPHS, listed=True),
    "ends_beside": _ending("untrained", _PHOTOGRAPHS),
    "ends_noise": _ending("noise", _NOISE),
    "ends_beside_noise": _ending("untrained", _NOISE),
    **{
        name: Told(_MANIFOLD, "C14", f"photos, layer4, {kind}", _DISTANCE)
        for name, kind in (
            ("of_photographs", "photographs"),
            ("of_gaussian", "Gaussian noise"),
            ("of_pink", "1/f noise"),
            ("of_uniform", "uniform noise"),
        )
    },
}

_WIDTH = "width / n from which an image is recovered"
_SOLVED = "conjugate gradients (20000 steps)"

WIDTHS: Numbers = {
    "second": Told("widths_deep", "C19", "two ReLU layers, 108 inputs, the first 2.5 n"),
    "first": Told("reproduce_quick/widths", "C7", "one ReLU layer, 300 inputs", f"{_WIDTH}: D ≤ 1"),
    **{
        f"{name}_{end}": Counted(tried_widths(claim, enough=end == "enough"), (run,))
        for name, claim, run in (
            ("second", "C19", "widths_deep"),
            ("first", "C7", "reproduce_quick/widths"),
        )
        for end in ("short", "enough")
    },
    "tanh": Told("widths_deep", "C20", "one tanh layer, 108 inputs"),
    "four": Told("widths_cpu", "C4", f"narrow, 4 layers, {_SOLVED}"),
    "one": Told("widths_cpu", "C4", f"one narrow layer, 4 layers, {_SOLVED}"),
    "descent": Told(
        "reproduce_quick/widths", "C5", "wide, 4 layers, paper's descent", "D after 10000"
    ),
}

_LAST_OVER_FIRST = ("C18", "untrained, layer4 / conv1, at the start", "standard deviation")
_INVERTED = {"control": "pre-images, text"}
_CONTROLS = ("controls_cpu",)
_D_INVERTED = mean(
    lambda row: row["input_distance"] / row["reference_input_distance"],
    logarithmic=True,
    **_INVERTED,
)

SHORT_FORGETTING: Numbers = {"ended": Counted(_D_INVERTED, _CONTROLS)}

FORGETTING: Numbers = {
    **SHORT_FORGETTING,
    "m_i": Counted(least_to_most("input_distance", **_INVERTED), _CONTROLS),
    "m_g": Counted(mean("embedding_distance", **_INVERTED), _CONTROLS),
    "resnet18": Told("gradients_resnet18_224", *_LAST_OVER_FIRST),
    "resnet50": Told("gradients_resnet50_224", *_LAST_OVER_FIRST),
}

_SMOOTH = ("filters_resnet18_small", "C15")
_POWER = "low-frequency power"

SHORT_FILTERS: Numbers = {"photos": Told(*_SMOOTH, "photos, layer4.1.conv2", _POWER)}

FILTERS: Numbers = {
    **SHORT_FILTERS,
    "noise": Told(*_SMOOTH, "noise, layer4.1.conv2", _POWER),
}
