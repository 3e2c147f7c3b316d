"""What the scripts share: flags, errors in one line, progress bars, the compilation cache."""

import ast
import dataclasses
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from absl import app, flags, logging
from tqdm import tqdm

from depthjax.data import Augmentation, Dataset, open_dataset
from depthjax.devices import processes
from depthjax.devices.precision import PRECISIONS
from depthjax.errors import one_of
from depthjax.files import cache_folder
from depthjax.inversion.config import SCHEDULES, STEP_SCALES, InversionConfig
from depthjax.inversion.invert import Progress
from depthjax.inversion.memory import fitting_batch
from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.optimizers import OPTIMIZERS
from depthjax.inversion.priors import PIXEL_HANDLING, STARTS
from depthjax.models import build_model, init_variables
from depthjax.models.network import Network
from depthjax.models.normalization import NORMALIZATIONS, as_normalization
from depthjax.report import write_report
from depthjax.studies.descents import Descents, pending
from depthjax.studies.networks import Place, Weights
from depthjax.training import fit as training
from depthjax.training.fit import TrainingConfig
from depthjax.training.runs import Epoch
from depthjax.typing import LayerFn, Variables
from depthjax.weights import fetch, load_weights

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here
PRESETS: dict[str, Callable[..., InversionConfig]] = {
    "converging": InversionConfig,
    "fast": InversionConfig.fast,
    "paper": InversionConfig.paper,
    "paper_mlp": lambda **fields: InversionConfig.paper("mlp", **fields),
}

_OVERRIDES: dict[str, tuple[Callable[..., Any], str]] = {
    "steps": (flags.DEFINE_integer, "updates of the image"),
    "objective": (flags.DEFINE_string, f"one of {', '.join(OBJECTIVES)}"),
    "objective_scale": (flags.DEFINE_float, "the constant c before the objective"),
    "optimizer": (flags.DEFINE_string, f"{', '.join(OPTIMIZERS)}, or any other of optax"),
    "learning_rate": (flags.DEFINE_float, "rate of the first step"),
    "final_learning_rate": (flags.DEFINE_float, "rate of the last step"),
    "schedule": (flags.DEFINE_string, f"between them: {', '.join(SCHEDULES)}"),
    "step_scale": (flags.DEFINE_string, f"{', '.join(STEP_SCALES)}: measured for each layer"),
    "fourier_decay": (
        flags.DEFINE_float,
        "not 0: optimise Fourier coefficients, those of frequency f times f^this",
    ),
    "trust_radius": (flags.DEFINE_float, "largest RMS change of an image in one step; 0: any"),
    "rematerialize": (
        flags.DEFINE_boolean,
        "less memory for more time: activations are computed twice",
    ),
    "blur": (flags.DEFINE_boolean, "3×3 Gaussian blur after every step"),
    "blur_sigma": (flags.DEFINE_float, "its width at the first step, in pixels"),
    "final_blur_sigma": (flags.DEFINE_float, "its width at the last step, in pixels"),
    "pixels": (flags.DEFINE_string, f"outside [0, 1]: {', '.join(PIXEL_HANDLING)}"),
    "penalty_weight": (flags.DEFINE_float, "weight of --pixels=penalty"),
    "start": (
        flags.DEFINE_string,
        f"{', '.join(STARTS)}; a+b is their average, a,b take turns over restarts",
    ),
    "start_mean": (flags.DEFINE_float, "mean of Gaussian and pink starts"),
    "start_std": (flags.DEFINE_float, "standard deviation of Gaussian and pink starts"),
    "restarts": (flags.DEFINE_integer, "independent descents for each image and layer"),
    "record_every": (flags.DEFINE_integer, "steps between two records of the distances"),
    "plateau": (flags.DEFINE_float, "stop when the objective improves by less than this fraction"),
    "patience": (flags.DEFINE_integer, "… within so many steps"),
    "precision": (flags.DEFINE_string, f"of products in the descent: {', '.join(PRECISIONS)}"),
}

_TRAINING = {
    "epochs": "passes over the training split",
    "batch_size": "examples in a step, over all devices",
    "optimizer": f"one of {', '.join(training.OPTIMIZERS)}",
    "learning_rate": "the highest",
    "warmup_epochs": "epochs in which the rate climbs to it",
    "schedule": f"after that: {', '.join(training.SCHEDULES)}",
    "momentum": "of sgd",
    "weight_decay": "of kernels, not of biases and BatchNorm",
    "label_smoothing": "share of a label's probability that all classes get",
    "gradient_clip": "largest norm of the gradient; 0: any",
    "ema_decay": "of the average of the weights that is saved; 0: no average",
    "precision": f"of activations and gradients: {', '.join(PRECISIONS)}",
    "shuffle": "an order of its own for each epoch",
    "drop_remainder": "leave out the examples that do not fill a last batch",
    "augment": "make the changes that go with the data set",
    "seed": "of the order, augmentations and dropout; --weights_seed is that of the start",
}


@cache  # absl refuses a flag that a second script in the same process defines
def define_model_flags() -> None:
    """--model, its fields, its weights."""
    _define_architecture_flags()
    flags.DEFINE_string(
        "weights",
        "untrained",
        "untrained (torchvision's initialisation), a FILE, torchvision:resnet50,"
        " hf://timm/resnet50.tv_in1k, https://…#sha256=…, zoo:resnet18_small/photos",
    )
    flags.DEFINE_integer("weights_seed", 0, "seed of untrained weights")
    flags.DEFINE_boolean("drop_head", False, "leave out the head of the weights: other classes")


@cache
def define_network_flags() -> None:
    """--model, its fields, and several networks of that architecture, each with several seeds."""
    _define_architecture_flags()
    flags.DEFINE_list(
        "networks",
        ["untrained"],
        "label=WEIGHTS,…: weights as in invert.py's --weights, with {seed} where the seed belongs;"
        " untrained alone is untrained=untrained; control=untrained:10{seed} has other seeds: what"
        " differs then is chance",
    )
    flags.DEFINE_list("seeds", ["0", "1", "2"], "seeds of the weights of each network")


@cache
def _define_architecture_flags() -> None:
    flags.DEFINE_string("model", "resnet50", "architecture, see docs/inverting.md for the list")
    flags.DEFINE_multi_string(
        "model_field", [], "a field of the architecture, such as width=16 or widths=2000,2000"
    )
    flags.DEFINE_enum(
        "normalization",
        "auto",
        ["auto", *NORMALIZATIONS],
        "of the pixels, inside the network; auto: what the weights expect, none with the paper's"
        " presets",
    )


@cache
def define_inversion_flags() -> None:
    """--preset, and a flag for every field of `InversionConfig` that overrides it."""
    flags.DEFINE_string("preset", "converging", f"settings to begin with: {', '.join(PRESETS)}")
    for name, (define, description) in _OVERRIDES.items():
        define(name, None, f"{description} (default: the preset's)")


@cache
def define_data_flags() -> None:
    """--dataset, --data_dir, --skip_corrupt."""
    flags.DEFINE_string(
        "dataset",
        "photo_crops/32",
        "photo_crops/SIZE, digits, noise/SIZE, photos_or_noise/SIZE, folder:PATH (a subfolder for"
        " each class) or tfds:NAME",
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "folder of prepared data sets (default: TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )
    flags.DEFINE_multi_string(
        "augmentation_field", [], "changes the set's augmentation: pad=4, crop=224, flip=False, …"
    )
    flags.DEFINE_boolean("skip_corrupt", False, "leave out images of a folder that cannot be read")


def define_training_flags() -> None:
    """A flag for every field of `TrainingConfig`."""
    define: dict[type, Callable[..., Any]] = {
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        bool: flags.DEFINE_boolean,
        str: flags.DEFINE_string,
    }
    for field in dataclasses.fields(TrainingConfig):
        define[type(field.default)](field.name, field.default, _TRAINING[field.name])


def training_from_flags() -> TrainingConfig:
    """The `TrainingConfig` that the flags ask for."""
    return settings_from_flags(TrainingConfig)


Settings = TypeVar("Settings")


def settings_from_flags(kind: type[Settings], **changed: Any) -> Settings:
    """A dataclass of settings, each field from the flag of its name, or from `changed`."""
    assert dataclasses.is_dataclass(kind)
    asked = [field.name for field in dataclasses.fields(kind) if field.name not in changed]
    return kind(**flag_values(*asked), **changed)


def flag_values(*names: str) -> dict[str, Any]:
    """Flags by name, as they were given: what a run notes of them."""
    return {name: FLAGS[name].value for name in names}


@cache
def define_script_flags() -> None:
    """--traceback, --compilation_cache, and what joins several processes."""
    flags.DEFINE_boolean("traceback", False, "show where an error came from")
    flags.DEFINE_boolean("compilation_cache", True, "keep compiled programs for the next run")
    flags.DEFINE_boolean(
        "distributed",
        False,
        "one of several processes: found by itself under Slurm, Open MPI, Kubernetes, on TPU pods",
    )
    flags.DEFINE_string("coordinator_address", None, "elsewhere: HOST:PORT of process 0")
    flags.DEFINE_integer("num_processes", None, "elsewhere: how many there are", lower_bound=1)
    flags.DEFINE_integer("process_id", None, "elsewhere: which this is, from 0", lower_bound=0)


def connect_processes(*, shared: bool) -> None:
    """Joins the other processes, if the flags say that there are any.

    Args:
        shared: whether the script shares its work with them.

    Raises:
        ValueError: if it does not; as `depthjax.devices.processes.connect`.
    """
    given = (FLAGS.coordinator_address, FLAGS.num_processes, FLAGS.process_id)
    if not FLAGS.distributed and all(value is None for value in given):
        return
    if not shared:
        raise ValueError(
            "this script does all of its work in one process; of several, invert.py, compare.py"
            " and depth.py share theirs, and sweep.py has Ray's workers"
        )
    processes.connect(*given)


def fields_from_flags(flag: str = "model_field") -> dict[str, Any]:
    """The fields of the architecture that --model_field sets, or another such flag."""
    return _settings(flag)


def _settings(flag: str) -> dict[str, Any]:
    """The `name=value` settings of a flag that may be given several times."""
    return settings(FLAGS[flag].value or (), flag)


def settings(given: Sequence[str], flag: str) -> dict[str, Any]:
    """The values of `name=value`, by name.

    Raises:
        ValueError: for a setting of another form, naming the flag that it came from.
    """
    fields = {}
    for setting in given:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"--{flag}={setting!r} is not of the form name=value")
        fields[name] = _literal(value)
    return fields


def rising(flag: str, *, least: int = 1) -> list[float]:
    """The numbers of a flag that takes a list.

    Raises:
        ValueError: unless they are positive and rise, and `least` of them are given.
    """
    given: list[str] = flag_values(flag)[flag]
    try:
        found = [*map(float, given)]
    except ValueError:
        found = []
    if len(found) < least or sorted(set(found)) != found or found[0] <= 0:
        raise ValueError(
            f"--{flag}={','.join(given)} must be rising numbers above 0, {least} or more"
        )
    return found


def model_from_flags() -> Network:
    """The model that the flags ask for."""
    return build_model(FLAGS.model, **fields_from_flags())


def weights_from_flags(model: Network, image_size: int | tuple[int, int]) -> Weights:
    """The variables that the flags ask for, with the normalisation that goes with them.

    Raises:
        ValueError: for weights that do not exist or do not fit.
    """
    return _weights(model, FLAGS.weights, FLAGS.weights_seed, image_size, FLAGS.drop_head)


def networks_from_flags(model: Network, image_size: int) -> dict[str, list[Weights]]:
    """The networks that --networks asks for: for each label, its weights of each of --seeds.

    All lists are as long as --seeds and in its order, so that networks can be compared seed by
    seed. `untrained` is initialised from the seed; all other weights hold `{seed}`, which it
    replaces. `untrained:10{seed}` is initialised from seed 100 for 0: a control.

    Raises:
        ValueError: for an entry that is no `label=weights`, a label or seed given twice, weights
            that would be the same for several seeds, do not exist or do not fit.
    """
    seeds = seed_numbers(FLAGS.seeds)
    sources = network_sources(FLAGS.networks)
    for label, source in sources.items():
        if source != "untrained" and "{seed}" not in source and len(seeds) > 1:
            raise ValueError(
                f"--networks has '{label}={source}', the same weights for each of"
                f" {len(seeds)} seeds; write {{seed}} where the seed belongs, or --seeds={seeds[0]}"
            )
    return {
        label: [
            _weights(model, source.replace("{seed}", str(seed)), seed, image_size, drop_head=False)
            for seed in seeds
        ]
        for label, source in sources.items()
    }


def network_sources(entries: Sequence[str]) -> dict[str, str]:
    """The weights of each label of `--networks`, with `{seed}` as it stands.

    Raises:
        ValueError: for no entries, one that is no `label=weights`, and a label given twice.
    """
    sources: dict[str, str] = {}
    for entry in entries:
        label, separator, source = (part.strip() for part in entry.partition("="))
        source = source if separator else label
        if not label or not source or (not separator and label != "untrained"):
            raise ValueError(
                f"--networks has {entry!r}, which is not of the form label=weights; write"
                " untrained,photos=photos_{seed}.safetensors"
            )
        if label in sources:
            raise ValueError(f"--networks has {label!r} twice; give each network its own label")
        sources[label] = source
    if not sources:
        raise ValueError("--networks is empty; write untrained, or label=weights")
    return sources


def seed_numbers(texts: Sequence[str]) -> list[int]:
    """The numbers of `--seeds`.

    Raises:
        ValueError: unless they are different whole numbers, one at least.
    """
    seeds = [text.strip() for text in texts]
    if not seeds or not all(map(str.isdecimal, seeds)) or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"--seeds={','.join(texts)} must be different whole numbers from 0, as in 0,1,2"
        )
    return [int(seed) for seed in seeds]


def normalization_setting() -> str:
    """`--normalization`, with what `auto` means for the paper's presets."""
    paper = "preset" in FLAGS and FLAGS.preset.startswith("paper")
    return "none" if FLAGS.normalization == "auto" and paper else FLAGS.normalization


def _weights(
    model: Network, source: str, seed: int, image_size: int | tuple[int, int], drop_head: bool
) -> Weights:
    # The paper's author fed the pixels in as they are.
    paper = "preset" in FLAGS and FLAGS.preset.startswith("paper")
    chosen = as_normalization(None if FLAGS.normalization == "auto" else FLAGS.normalization)
    kind, _, own_seed = source.partition(":")
    if kind == "untrained":
        if own_seed and not own_seed.isdecimal():
            raise ValueError(
                f"{source!r} has no whole number for a seed; write untrained:10{{seed}}"
            )
        variables = init_variables(model, jax.random.key(int(own_seed or seed)), image_size)
        return Weights(variables, chosen, False, {"source": source})
    with DownloadBar(source) as bar:
        file = fetch(source, on_progress=bar)
    variables = load_weights(model, file, drop_head=drop_head, image_size=image_size)
    if FLAGS.normalization == "auto" and not paper:
        chosen = file.normalization
    trained = file.path is not None and not drop_head
    return Weights(variables, chosen, trained, {**file.record(), "drop_head": drop_head})


def dataset_from_flags(split: str, size: int | None = None) -> Dataset:
    """A split of the data set that the flags ask for, prepared on first use."""
    changes = _settings("augmentation_field")
    for name in changes:
        one_of("field of the augmentation", name, Augmentation.__dataclass_fields__)
    found = open_dataset(
        FLAGS.dataset,
        split=split,
        size=size,
        data_dir=FLAGS.data_dir,
        skip_corrupt=FLAGS.skip_corrupt,
    )
    augmentation = dataclasses.replace(found.augmentation, **changes)
    return dataclasses.replace(found, augmentation=augmentation)


def batch_from_flags(
    name: str,
    layer: LayerFn,
    variables: Variables,
    shape: tuple[int, ...],
    config: InversionConfig,
) -> int:
    """How many images × restarts run at once; says so where that is not all of them.

    Raises:
        ValueError: if --max_batch is neither auto nor a positive number, or nothing fits.
    """
    count, devices = shape[0] * config.restarts, jax.local_device_count()
    if FLAGS.max_batch == "auto":
        fit = fitting_batch(layer, variables, shape[1:], -(-count // devices), config)
        if fit.batches > 1:
            each = f" on each of {devices} devices" if devices > 1 else ""
            print(f"{name}: {count} descents, {fit}{each}", file=sys.stderr)
        return min(count, fit.batch * devices)
    if not FLAGS.max_batch.isdecimal() or int(FLAGS.max_batch) < 1:
        raise ValueError(f"--max_batch must be auto or a number from 1, got {FLAGS.max_batch!r}")
    return min(count, int(FLAGS.max_batch))


def config_from_flags() -> InversionConfig:
    """The preset, with the flags that were given put over it."""
    one_of("preset", FLAGS.preset, PRESETS)
    given = {name: FLAGS[name].value for name in _OVERRIDES if FLAGS[name].value is not None}
    return PRESETS[FLAGS.preset](**given)


def _literal(text: str) -> Any:
    """`16`, `2000,2000`, `True`, or else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value


def enable_compilation_cache() -> None:
    """Keeps every compiled program in the user's cache directory."""
    if not FLAGS.compilation_cache or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "xla"))
    # The default keeps nothing that compiled in under a second, which is most of what we run.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def recover_all(
    descents: Sequence[Descents],
    definition: dict[str, Any],
    targets: np.ndarray,
    starts: np.ndarray,
    reference_key: jax.Array,
) -> None:
    """Makes what a study still lacks, with a progress bar over the steps of all its descents."""
    for one in descents:
        one.begin(definition, targets, starts)
    missing = pending(descents)
    steps = sum(one.config.steps for one, _ in missing)
    with tqdm(total=steps, unit="step", disable=None, dynamic_ncols=True, smoothing=0.1) as bar:
        for one, layer in missing:
            bar.set_postfix_str(f"{layer}, {one.network} {one.seed}, {one.condition}")
            one.recover(layer, targets, starts, reference_key)
            bar.update(one.config.steps)


def each_place(places: Sequence[Place]) -> Iterator[Place]:
    """One place after the other, with a progress bar that says where it stands."""
    with tqdm(total=len(places), unit="layer", disable=None, dynamic_ncols=True) as bar:
        for place in places:
            bar.set_postfix_str(f"{place.network} {place.seed}, {place.name}")
            yield place
            bar.update()


def say_where(what: str, output: Path) -> None:
    """Says where results lie, and puts all of them on one page."""
    print(f"{what}: {output}")
    print(f"All of it on one page: {write_report(output)}")


class DescentBar:
    """A progress bar over the steps of one descent; silent when not on a terminal."""

    def __init__(self, description: str, steps: int) -> None:
        self._bar = tqdm(
            total=steps, desc=description, unit="step", disable=None, dynamic_ncols=True
        )

    def __call__(self, progress: Progress, embedding_ratio: np.ndarray) -> None:
        """Moves to where the descent stands."""
        self._bar.total = progress.steps
        self._bar.set_postfix_str(f"ρ {np.nanmedian(embedding_ratio):.3g}", refresh=False)
        self._bar.update(progress.step - self._bar.n)

    def __enter__(self) -> "DescentBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class TrainingBar:
    """A progress bar over the steps of a training; silent when not on a terminal."""

    def __init__(self, steps: int) -> None:
        self._bar = tqdm(
            total=steps, desc="training", unit="step", disable=None, dynamic_ncols=True
        )

    def __call__(self, progress: training.Progress) -> None:
        """Moves to where the training stands; asks the device for numbers now and then only."""
        self._bar.update(int(progress.state.step) - self._bar.n if not self._bar.n else 1)
        if not self._bar.disable and self._bar.n % 20 == 0:
            loss, accuracy = (float(value) for value in progress.metrics[:2])
            self._bar.set_postfix_str(f"loss {loss:.3g}, {accuracy:.0%} right", refresh=False)

    def epoch(self, row: Epoch) -> None:
        """Prints what an epoch has brought, above the bar."""
        text = f"epoch {row.epoch}: loss {row.train_loss:.3f}, {row.train_accuracy:.1%} right"
        if row.validation_accuracy == row.validation_accuracy:  # not NaN
            text += f"; validation {row.validation_loss:.3f}, {row.validation_accuracy:.1%}"
        self._bar.write(text)

    def __enter__(self) -> "TrainingBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class DownloadBar:
    """A progress bar over the bytes of a download; silent when not on a terminal."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._bar: tqdm | None = None

    def __call__(self, received: int, total: int | None) -> None:
        """Moves to what has arrived."""
        if self._bar is None:
            self._bar = tqdm(
                desc=self._description[:40], total=total, disable=None, unit="B", unit_scale=True
            )
        self._bar.update(received - self._bar.n)

    def __enter__(self) -> "DownloadBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def use_huge_pages() -> None:
    """Starts the script again with memory in huge pages, where glibc can do that.

    Descents write and read hundreds of megabytes a step, and glibc decides when a process starts.
    An entry of one's own in GLIBC_TUNABLES (`glibc.malloc.hugetlb=0`) is left as it is.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    glibc = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())
    for_help = any(argument.lstrip("-").startswith("help") for argument in sys.argv[1:])
    if not glibc or for_help or "glibc.malloc.hugetlb" in tunables:
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, [tunables, "glibc.malloc.hugetlb=1"]))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def run(main: Callable[[], None], *, processes_share: bool = False) -> None:
    """Parses flags and runs a script: bad input gives one line and exit status 2.

    Args:
        main: the script.
        processes_share: whether several processes, each running it, share its work.
    """
    use_huge_pages()

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise ValueError(
                    f"unexpected argument {argv[1]!r}: everything is a flag, --name=value"
                )
            enable_compilation_cache()
            connect_processes(shared=processes_share)
            main()
        except ValueError as error:
            if FLAGS.traceback:
                traceback.print_exc()
            message = " ".join(str(error).split())
            print(f"{Path(argv[0]).name}: error: {message}", file=sys.stderr)
            sys.exit(2)

    # absl shows what libraries log, such as which accelerators jax looked for in vain.
    logging.set_verbosity(logging.WARNING)
    app.run(guarded)
