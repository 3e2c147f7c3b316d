r"""Compare networks of one architecture, untrained and trained, by what their layers keep.

    python experiments/compare.py --flagfile=experiments/flags/compare_resnet18_small.flags
    python experiments/compare.py --model=resnet18 --model_field=width=16 --output=runs/compare \\
        --networks=untrained,photos=photos_{seed}.safetensors,noise=noise_{seed}.safetensors

The same photographs are inverted at the same layers from the same starts, and claims C10 to C13 are
judged of the networks called untrained, photos and noise. Photographs are made grey (three equal
channels), because training on photo_crops takes all colour away. A run that was cut off goes on
with --resume and has lost no descent that was finished.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

import depthjax
from depthjax import cli, comparison, data, figures, images, results, runs, study, tables
from depthjax.comparison import BLURRED, CONVERGING, MATCHED, PHOTOS, PLAIN, Comparison
from depthjax.config import STEP_SCALES
from depthjax.judges import Judge, Judges, without_colour
from depthjax.report import write_report
from depthjax.weights import fetch, load_weights

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_inversion_flags()
cli.define_script_flags()
flags.DEFINE_string("layers", "all-stages", "names or aliases; first:last; all-stages; all")
flags.DEFINE_list(
    "images",
    ["astronaut", "chelsea", "coffee", "rocket", "china"],
    "paths, folders, or embedded photographs by name (default: those photo_crops has no class of)",
)
flags.DEFINE_integer("size", 64, "height and width of the images in pixels", lower_bound=8)
flags.DEFINE_enum("fit", "crop", ["crop", "pad", "stretch"], "how a photograph becomes square")
flags.DEFINE_boolean("grey", True, "take the colour out of the photographs, and of what is judged")
flags.DEFINE_float("stop_ratio", 0.1, "ρ at which images are compared", lower_bound=0.0)
flags.DEFINE_integer("paper_steps", 500, "fixed number of steps of the paper's recipe")
flags.DEFINE_enum(
    "paper_step_scale", "fixed", STEP_SCALES, "its rate; layer: measured at the start"
)
flags.DEFINE_integer("noise_images", 256, "images of the training noise whose spectrum is taken")
flags.DEFINE_string(
    "judge", "", "weights of the network that reads the classes (default: photos of the next seed)"
)
flags.DEFINE_string("noise_judge", "", "weights of a classifier of photographs against noise")
flags.DEFINE_string("noise_judge_model", "resnet18_small", "its architecture")
flags.DEFINE_multi_string("noise_judge_field", ["width=4", "num_classes=2"], "its fields")
flags.DEFINE_integer("photograph_class", 0, "which of its classes are photographs", lower_bound=0)
flags.DEFINE_integer("start_seed", 1, "seed of the starts, shared by all networks and layers")
flags.DEFINE_integer("reference_seed", 2, "seed of the reference noise, shared likewise")
flags.DEFINE_integer(
    "frames", 12, "iterates kept of each descent of the first seed, for the report", lower_bound=0
)
flags.DEFINE_string("output", None, "folder of the comparison (default: runs/compare-MODEL-DATE)")
flags.DEFINE_boolean("overwrite", False, "replace a comparison that is already there")
flags.DEFINE_boolean("resume", False, "go on with a comparison that was cut off")


def main() -> None:
    """Flags -> one call for each layer × condition × network × seed -> findings and figures."""
    model = cli.model_from_flags()
    conditions = conditions_from_flags()
    layer_names = depthjax.select_layers(model, FLAGS.layers)
    networks = cli.networks_from_flags(model, FLAGS.size)
    layers = {
        name: depthjax.Layer(model, name, same_normalization(networks)) for name in layer_names
    }
    readers = judges(model, networks)
    image_names, targets = images.load_images(
        images.find_images(FLAGS.images), FLAGS.size, fit=FLAGS.fit
    )
    targets = np.asarray(without_colour(targets)) if FLAGS.grey else targets
    output = Path(FLAGS.output or f"runs/compare-{FLAGS.model}-{time.strftime('%Y%m%d-%H%M%S')}")
    descents = [
        study.Descents(
            output,
            label,
            int(seed),
            condition,
            config,
            layers,
            weights.variables,
            weights.record,
            stop_ratio=FLAGS.stop_ratio if condition == MATCHED else None,
            frames=0 if index else FLAGS.frames,
        )
        for index, seed in enumerate(FLAGS.seeds)
        for condition, config in conditions.items()
        for label, weights in ((label, each[index]) for label, each in networks.items())
    ]
    reference_key = jax.random.key(FLAGS.reference_seed)
    study.check(descents, targets, reference_key)
    starts = np.asarray(
        depthjax.initial_images(
            jax.random.key(FLAGS.start_seed),
            targets.shape,
            conditions[CONVERGING],
            others=jnp.asarray(targets),
        )
    )
    definition = {
        **{name: FLAGS[name].value for name in _DEFINING},
        "networks": {label: [w.record for w in each] for label, each in networks.items()},
        "layers": list(layers),
        "images": list(image_names),
        "conditions": {name: dataclasses.asdict(config) for name, config in conditions.items()},
    }
    settings = {"overwrite": FLAGS.overwrite, "resume": FLAGS.resume}
    runs.start_run(output, definition, targets, starts, **settings)
    cli.recover_all(descents, definition, targets, starts, reference_key)
    noise, _ = data.open_dataset(f"noise/{FLAGS.size}").read(np.arange(FLAGS.noise_images))
    compared = comparison.gather(descents, targets, starts, noise, readers)
    found = comparison.findings(compared)
    results.write_results(output, definition, compared.rows(), found)
    draw(output, compared, descents, targets, starts)
    report(compared)
    print(f"{tables.finding_table(found)}\n\nFigures, images and tables: {output}")
    print(f"All of it on one page: {write_report(output)}")


_DEFINING = (
    "model", "model_field", "seeds", "size", "fit", "grey", "stop_ratio", "preset",
    "normalization", "start_seed", "reference_seed",
)  # fmt: skip


def conditions_from_flags() -> dict[str, depthjax.InversionConfig]:
    """The four descents; one optimiser, and one recipe of the paper, for all networks.

    Raises:
        ValueError: for settings under which they would not be what their names say.
    """
    chosen = cli.config_from_flags()
    if chosen.blur or chosen.restarts > 1:
        raise ValueError("networks are compared without --blur and with --restarts=1")
    if not FLAGS.stop_ratio > 0:
        raise ValueError(f"--stop_ratio must be positive, got {FLAGS.stop_ratio}")
    # At every step, or a descent would pass the matched ρ unseen.
    converging = chosen.replace(record_every=1)
    paper = depthjax.InversionConfig.paper(
        steps=FLAGS.paper_steps, step_scale=FLAGS.paper_step_scale
    )
    return {
        CONVERGING: converging,
        MATCHED: converging,
        BLURRED: paper,
        PLAIN: paper.replace(blur=False),
    }


def same_normalization(networks: dict[str, list[cli.Weights]]) -> Any:
    """What all networks do to the pixels.

    Raises:
        ValueError: if they do not do the same, for then they see different images.
    """
    every = {weights.normalization for each in networks.values() for weights in each}
    if len(every) > 1:
        raise ValueError(
            "the networks do not normalise pixels alike; choose what all of them do, as in"
            " --normalization=none"
        )
    return every.pop()


def judges(model: depthjax.models.Network, networks: dict[str, list[cli.Weights]]) -> Judges:
    """Who looks at the recovered images.

    Raises:
        ValueError: for judges that do not exist, do not fit, or are no others.
    """
    third = [
        Judge(
            depthjax.Layer(model, depthjax.layer_names(model)[-1], weights.normalization),
            weights.variables,
        )
        for weights in third_networks(model, networks)
    ]
    return Judges(third, noise_judge(), FLAGS.photograph_class, FLAGS.grey)


def third_networks(
    model: depthjax.models.Network, networks: dict[str, list[cli.Weights]]
) -> list[cli.Weights]:
    """For each seed the third network that reads its images; none where there is no such network.

    Raises:
        ValueError: if --judge is one of the networks that are compared.
    """
    if FLAGS.judge:
        file = fetch(FLAGS.judge)
        sources = [w.record for each in networks.values() for w in each]
        if file.sha256 in [record.get("sha256") for record in sources]:
            raise ValueError(f"--judge={FLAGS.judge} is one of the networks compared; take a third")
        variables = load_weights(model, file, image_size=FLAGS.size)
        judge = cli.Weights(variables, same_normalization(networks), True, file.record())
        return [judge] * len(FLAGS.seeds)
    photos = networks.get(PHOTOS, [])
    if len(photos) < 2:
        print("No third network, so C12 is not judged: give --judge, or photos of two seeds.")
        return []
    return photos[1:] + photos[:1]


def noise_judge() -> Judge | None:
    """The classifier of photographs against noise.

    Raises:
        ValueError: for weights that do not fit, and a class that it does not have.
    """
    if not FLAGS.noise_judge:
        print("No --noise_judge, so nobody says whether recovered images are photographs or noise.")
        return None
    fields = cli.fields_from_flags("noise_judge_field")
    model = depthjax.build_model(FLAGS.noise_judge_model, **fields)
    file = fetch(FLAGS.noise_judge)
    variables = load_weights(model, file, image_size=FLAGS.size)
    head = depthjax.Layer(model, depthjax.layer_names(model)[-1], file.normalization)
    classes = jax.eval_shape(head, variables, jnp.zeros((1, FLAGS.size, FLAGS.size, 3))).shape[1]
    if FLAGS.photograph_class >= classes:
        raise ValueError(
            f"--photograph_class={FLAGS.photograph_class}, but --noise_judge has {classes} classes,"
            " numbered from 0"
        )
    return Judge(head, variables)


_TABLES = (
    (CONVERGING, "embedding_ratio", True, "ρ of the converging descent"),
    (CONVERGING, "input_ratio_at_0.1", True, "D at ρ = 0.1"),
    (CONVERGING, "elasticity", False, "Elasticity d log D / d log ρ, ρ from 0.03 to 0.3"),
    (MATCHED, "ssim", False, "SSIM at the matched ρ"),
    (MATCHED, "gradient_energy_ratio", True, "Gradient energy over the target's, likewise"),
    (BLURRED, "embedding_ratio", True, "ρ after the paper's fixed steps with blur"),
    (PLAIN, "embedding_ratio", True, "ρ after the paper's fixed steps without blur"),
    (PLAIN, "relative_embedding_distance", True, "m_g/‖O(a)‖, likewise"),
    (PLAIN, "spectral_distance", False, "Spectrum of a_g − a_0 to the training noise's, likewise"),
    (CONVERGING, "class_probability", False, "Largest class probability by a third network"),
    (BLURRED, "class_probability", False, "The same of the paper's recipe with blur"),
    (CONVERGING, "photograph_probability", False, "Probability of being a photograph"),
    (BLURRED, "photograph_probability", False, "The same of the paper's recipe with blur"),
)
"""Condition, quantity, whether its mean is geometric, and what it is called."""


def report(compared: Comparison) -> None:
    """Prints a table for every quantity there is."""
    print("Means over seeds × images [95 % interval]; geometric of ρ, D and other ratios.")
    for condition, quantity, logarithmic, title in _TABLES:
        if (condition, quantity) in compared.values:
            table = tables.network_table(compared, condition, quantity, logarithmic=logarithmic)
            print(f"\n{title}:\n\n{table}")
    print()


def draw(
    output: Path,
    compared: Comparison,
    descents: list[study.Descents],
    targets: np.ndarray,
    starts: np.ndarray,
) -> None:
    """The images that came back from every network, and what was measured on them."""
    for condition in (CONVERGING, MATCHED, BLURRED):
        first = [
            one for one in descents if one.seed == compared.seeds[0] and one.condition == condition
        ]
        layers = [depthjax.load_run(one.folder).layers.values() for one in first]
        back = np.array([[comparison.recovered(a, condition) for a in each] for each in layers])
        d, rho = (  # [N, L, B]
            compared.values[condition, name][:, 0] for name in ("input_ratio", "embedding_ratio")
        )
        for index, image in enumerate(compared.images):
            repeated = (len(compared.networks), *targets.shape[1:])
            figure = figures.gallery(
                compared.networks,
                np.broadcast_to(targets[index], repeated),
                np.broadcast_to(starts[index], repeated),
                compared.layers,
                back[:, :, index].swapaxes(0, 1),
                d[:, :, index].T,
                rho[:, :, index].T,
                title=f"{image}, {_TITLES[condition]}, seed {compared.seeds[0]}",
            )
            figures.save_figure(output / "figures" / f"networks_{condition}_{image}", figure)
    panels = {
        "ρ, converged": (CONVERGING, "embedding_ratio", True),
        "D at ρ = 0.1": (CONVERGING, "input_ratio_at_0.1", True),
        "elasticity": (CONVERGING, "elasticity", False),
        f"SSIM at ρ = {FLAGS.stop_ratio:g}": (MATCHED, "ssim", False),
    }
    figure = figures.networks_against_depth(
        compared.networks,
        compared.layers,
        {name: intervals(compared, *panel) for name, panel in panels.items()},
        logarithmic=[name for name, panel in panels.items() if panel[2]],
        note=f"means and 95 % intervals, n = {len(compared.seeds)} seeds × {len(compared.images)}"
        " images",
    )
    figures.save_figure(output / "figures" / "claims", figure)


_TITLES = {
    CONVERGING: "converging descent",
    MATCHED: "stopped at the matched ρ",
    BLURRED: "the paper's recipe with blur",
}


def intervals(compared: Comparison, condition: str, quantity: str, logarithmic: bool) -> np.ndarray:
    """`[N, L, 3]`: estimate, low, high."""
    return np.array(
        [
            [
                comparison.interval_of(
                    compared.of(condition, quantity, network, layer), logarithmic=logarithmic
                )[:3]
                for layer in compared.layers
            ]
            for network in compared.networks
        ]
    )


if __name__ == "__main__":
    cli.run(main, processes_share=True)
