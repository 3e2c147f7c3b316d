"""Numbers of every study, made by hand; those of `widths` are in `width_rows`.

Where several seeds and images would all say the same, they differ by chance (`near`), since a width
of zero decides nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.analysis.bits import information_of
from depthjax.analysis.singular_values import spectral_curve, spectrum_from_values
from depthjax.claims.training import CONTROLS
from depthjax.studies.comparison.numbers import IN_CLASS, RESOLUTION, Comparison
from depthjax.studies.comparison.setting import BLURRED, NOISE, PHOTOS, PLAIN, UNTRAINED
from depthjax.studies.depth.measured import Block, Blocks
from depthjax.studies.descents import CONVERGING
from depthjax.studies.filters.measured import DIRECTED, SMOOTH, WAVELET
from depthjax.studies.jacobian import judged as jacobian
from depthjax.studies.jacobian.measured import Piece, bits_columns, spectrum_columns
from depthjax.studies.manifold.inputs import GAUSSIAN, HELD_OUT
from depthjax.studies.manifold.measured import EMBEDDED, NEIGHBOURS, PRINCIPAL, RECOVERED
from depthjax.studies.preimages.measured import control_name
from depthjax.studies.recipe.measured import LastIterates, tuned
from depthjax.studies.rows import Row
from depthjax.studies.witnesses.measured import EIGEN, FARTHEST, TOWARDS

SEEDS, IMAGES = (0, 1, 2), ("a", "b", "c")


def near(value: float, *place: Any) -> float:
    """About this, the same for one place (seed, image, …) every time."""
    chance = np.random.default_rng(list("".join(map(str, place)).encode())).normal()
    return float(value * (1 + 0.002 * chance))


LAYERS = ("conv1", "layer1", "layer2", "layer3", "layer4")
QUANTITIES = {
    CONVERGING: ("embedding_ratio", "best_embedding_ratio", "elasticity", "spectral_distance",
                 "ssim_at_ratio", "luminance_r2_at_ratio", "contrast_r2_at_ratio",
                 "ssim_at_natural", "class_log_odds", "target_log_odds"),
    BLURRED: ("embedding_ratio", "ssim", "class_log_odds", "target_log_odds"),
    PLAIN: ("embedding_ratio", "best_embedding_ratio", "natural_ratio", "spectral_distance"),
}  # fmt: skip
COMPARED = tuple("abcdef")
OF_CLASS = COMPARED[:3]


def compared(
    changes: dict[tuple[str, str, str], Any] | None = None,
    networks: Sequence[str] = (UNTRAINED, PHOTOS, NOISE, *CONTROLS),
    layers: Sequence[str] = LAYERS,
) -> Comparison:
    """All numbers near 0.5, times what `changes` has for a network, condition and quantity.

    The first layer alone has the network's full resolution; starts and photographs have log-odds
    of 0 and 9; nothing has diverged.
    """
    random = np.random.default_rng(0)
    values = {}
    shape = (len(networks), 3, len(layers), len(COMPARED))
    for condition, names in QUANTITIES.items():
        for name in names:
            # Paired: what one image has, it has in every network.
            shared = random.normal(0.5, 0.1, (1, 3, 1, len(COMPARED)))
            jitter = random.normal(0, 0.001, shape)
            table = np.abs(shared + jitter) + 0.01
            for n, network in enumerate(networks):
                factor = (changes or {}).get((network, condition, name), 1.0)
                table[n] *= np.reshape(factor, (-1, 1))
            values[condition, name] = table
        values[condition, "diverged"] = np.zeros(shape)
        values[condition, "target_log_odds_start"] = np.zeros(shape)
        values[condition, "target_log_odds_target"] = np.full(shape, 9.0)
    of_class = [float(name in OF_CLASS) for name in COMPARED]
    values[CONVERGING, IN_CLASS] = np.broadcast_to(of_class, shape)
    resolution = [1.0, *[0.5] * (len(layers) - 1)]
    values[CONVERGING, RESOLUTION] = np.broadcast_to(np.reshape(resolution, (-1, 1)), shape)
    return Comparison(networks, (0, 1, 2), layers, COMPARED, values)


def comparison_of(rows: Sequence[Row]) -> Comparison:
    """The inverse of `Comparison.rows`: it is judged again of what was stored."""
    names = ("network", "seed", "layer", "image")
    axes = [list(dict.fromkeys(row[name] for row in rows)) for name in names]
    shape = tuple(map(len, axes))
    values: dict[tuple[str, str], np.ndarray] = {}
    for row in rows:
        place = tuple(axis.index(row[name]) for axis, name in zip(axes, names, strict=True))
        for quantity in row.keys() - {*names, "condition", "depth"}:
            key = row["condition"], quantity
            values.setdefault(key, np.full(shape, np.nan))[place] = row[quantity]
    known = {key: table for key, table in values.items() if not np.isnan(table).all()}
    return Comparison(*axes, known)


STAGES = (1, 1, 2, 2, 3, 3, 4, 4)


def blocks(
    label: str = "resnet18",
    *,
    d: Any = None,
    rho: float = 0.1,
    shown: float = 0.1,
    bend: float = 0.0,
    deep: float | None = None,
    kind: str = "basic",
) -> Blocks:
    """Three seeds × four images with little chance in them; `d` at ρ = 0.1 for each block."""
    random = np.random.default_rng(list(label.encode()))
    shape = (3, len(STAGES), 4)
    near = np.exp(random.normal(0, 0.01, shape))
    matched = np.array(np.linspace(1, 8, len(STAGES)) if d is None else d)[None, :, None] * near
    last = matched if deep is None else deep * near
    values = {
        "input_ratio_at_0.1": matched,
        "nearest_embedding_ratio": np.full(shape, 0.05),
        "nearest_input_ratio": matched.copy(),
        "input_ratio_at_0.3": last,
        "embedding_ratio": rho * near,
        "input_ratio": matched,
        "luminance_r2": shown * np.exp(random.normal(0, 0.01, shape)),
        "elasticity": bend + random.normal(0, 0.005, shape),
    }
    made = [Block(f"layer{stage}.{n % 2}", stage, n + 1) for n, stage in enumerate(STAGES)]
    total = 8 if label == "resnet18" else 16
    made = [*made[:-1], Block("layer4", 4, total)]
    return Blocks(label, kind, total, 4, (0, 1, 2), made, ("a", "b", "c", "d"), values)


def last_iterates(
    rho: Mapping[str, float] | None = None, seeds: Sequence[int] = SEEDS
) -> LastIterates:
    """An untrained network by the paper's recipe: by rate, ρ at the last of two layers."""
    layers, shape = ("layer3", "layer4"), (1, len(seeds), 2, 4)
    random = np.random.default_rng(4)
    found = {}
    for rate, value in (rho or {"1": 0.5, "0.1": 0.3}).items():
        table = value * np.exp(random.normal(0, 0.01, shape))
        found |= {(rate, "embedding_ratio"): table, (rate, "objective"): table * 7}
    return LastIterates(("untrained",), seeds, layers, tuple("abcd"), found | tuned(found))


def piece(name: str, depth: int, seed: int, decay: float, **columns: Any) -> Piece:
    """One layer with σ_k = decay^k, 8 values of 8 inputs, at two images."""
    spectrum = spectrum_from_values(decay ** np.arange(8.0)[None], 8, 8)
    row = {"network": "untrained", "seed": seed, "layer": name, "depth": depth, "method": "dense"}
    row |= {"inputs": 8, "outputs": 8, "rank_bound": 8, "active_before_pooling": 8, "winners": 6}
    noise = np.array([0.1])
    row |= spectrum_columns(spectrum, 3) | bits_columns(information_of(spectrum, noise), noise)
    row |= columns
    curve = spectral_curve(spectrum).lists()
    return Piece([row | {"image": image} for image in IMAGES], [curve] * 3, [])


JACOBIAN_LAYERS = ("conv1", "deep", "deepest")


def jacobian_rows() -> list[Row]:
    """A first convolution, and two layers that contract more."""
    return jacobian.finished_rows(
        [
            piece(name, depth, seed, near(decay, name, seed))
            for seed in SEEDS
            for depth, (name, decay) in enumerate(
                zip(JACOBIAN_LAYERS, (0.5, 0.25, 0.125), strict=True)
            )
        ]
    )


TRAINED_ON = {"photos": "crops", "noise": "noise/8"}


def manifold_rows(layers: Sequence[str] = ("fc1",)) -> list[Row]:
    """Patches of one photograph are seen at 1 and 4, everything half as far once trained."""
    return [
        {"network": network, "seed": seed, "training_set": spec, "layer": layer, "input": kind}
        | {"origin": origin, "number": number, "seen": seen}
        | {NEIGHBOURS: near(far, network, seed, origin) * 4.0**number}
        | {PRINCIPAL: near(far, network, origin, seed)}
        for spec in ("crops", "noise/8")
        for network, far in (("untrained", 1.0), ("photos", 0.5), ("noise", 0.5))
        if network == "untrained" or TRAINED_ON[network] == spec
        for layer in layers
        for seen in (EMBEDDED, RECOVERED)
        for seed in SEEDS
        for origin in "xyz"
        for kind in ("photographs", GAUSSIAN, HELD_OUT)
        if seen == EMBEDDED or (layer == layers[-1] and kind != HELD_OUT)
        for number in range(2)
    ]


def filter_rows(first: bool = False, **value: float) -> list[Row]:
    """About the same numbers in all filters of a network."""
    return [
        {"network": network, "seed": seed, "layer": "conv", "first": first}
        | {"output_channel": channel}
        | {name: near(mean, network, seed, channel, name) for name in (SMOOTH, DIRECTED)}
        | {WAVELET: near(mean, network, channel, seed) if first else np.nan}
        for network, mean in value.items()
        for seed in SEEDS
        for channel in range(3)
    ]


def control_rows(control: str, **columns: Any) -> list[Row]:
    """The last layer of a control, the same at three seeds and images but for the elasticity."""
    columns = {"elasticity": 0.5} | columns
    slope = columns.pop("elasticity")
    return [
        {"control": control, "layer": "fc4", "depth": 4, "seed": seed, "image": image}
        | {"rank": 3, "condition_number": 2.0, "predicted_D": 0.5, "start_D": 4.0}
        | {"elasticity": near(slope, seed, image)}
        | columns
        for seed in SEEDS
        for image in IMAGES
    ]


def preimage_rows(
    count: int,
    ratio: float,
    outside: float = 1.0,
    reading: str = "text",
    trained_on: str = "untrained",
) -> list[Row]:
    """Pre-images `ratio` times as far as predicted, of so many initialisations."""
    columns = ("residual", "recovery_distance", "condition_number", "embedding_distance")
    return [
        {"control": control_name(reading, trained_on), "seed": seed}
        | {"median_distance": near(20.0 * ratio, seed), "expected_distance": 20.0}
        | {"distance_ratio": near(ratio, seed), "outside": outside}
        | {"input_distance": 5.0, "reference_input_distance": 3.0}
        | dict.fromkeys(columns, 1.0)
        for seed in range(count)
    ]


def prediction_rows(affine: bool, error: float, offset: float = 0.0) -> list[Row]:
    """Measured distances 1 … 9, predicted about the same, but for an offset; starts know little."""
    starts = (3.0, 1.0, 2.0, 2.0, 3.0, 1.0, 1.0, 2.0, 3.0)
    return [
        {"network": "net", "layer": "fc1", "affine": affine, "seed": number // 3}
        | {
            "image": number % 3,
            "measured": number + 1.0,
            "predicted": near(number + 1.0, number) + offset,
        }
        | {"start_distance": starts[number], "largest_relative_error": error}
        | {"rank": 5, "condition_number": 10.0, "lost": 0.5, "slow": 0.25}
        for number in range(9)
    ]


def gradient_rows(
    size: float = 1.0, shape: float = 1.0, names: Sequence[str] = ("a", "b")
) -> list[Row]:
    """The last layer's gradient is so many times as large, and as peaked, as the first's."""
    return [
        {"network": "untrained", "seed": seed, "layer": name, "image": image, "where": where}
        | {"std": near(size if depth else 1.0, seed, image, depth), "neighbours": 0.1}
        | {"kurtosis": 3 * near(shape if depth else 1.0, image, seed, depth), "mean": 0.0}
        for depth, name in enumerate(names)
        for seed in SEEDS
        for image in IMAGES
        for where in ("start", "noisy copy")
    ]


def solution_rows(between: float, names: Sequence[str] = ("fc1", "fc2")) -> list[Row]:
    """Solutions of the last layer are so far apart; those of others are one."""
    return [
        {"network": "net", "seed": seed, "layer": name, "image": image}
        | {"mean_between": near(between if depth else 0.01, seed, image)}
        for depth, name in enumerate(names)
        for seed in SEEDS
        for image in IMAGES
    ]


def _picture_row(
    kind: str, seed: int, image: str, rho: float, d: float, direction: int = 0, sign: int = 1
) -> Row:
    where = {"network": "net", "seed": seed, "layer": "fc1", "image": image, "kind": kind}
    numbers = {"embedding_ratio": rho, "input_ratio": near(d, seed, image)}
    return where | {"direction": direction, "sign": sign} | numbers


WITNESS_ROWS = [
    row
    for seed in SEEDS
    for image in IMAGES
    for row in (
        _picture_row(FARTHEST, seed, image, 0.1, 5.0),
        _picture_row(TOWARDS, seed, image, 0.1, 99.0),
        _picture_row(EIGEN, seed, image, 3.0, 1.0, 1),
        _picture_row(EIGEN, seed, image, 5.0, 1.0, 1, -1),
        _picture_row(EIGEN, seed, image, 99.0, 1.0, 2),
    )
]
