"""The benchmark's machinery on tiny networks and made-up numbers; no test asserts a time."""

import ast
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from absl.testing import flagsaver
from reading_figures import assert_readable, everything_said
from script_loading import loaded
from script_running import refused, runner

import depthjax

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

from benchmarks import (  # noqa: E402
    convolutions,
    disturbance,
    figure,
    machine,
    methods,
    parts,
    quantities,
    serving,
    summary,
)
from benchmarks.contenders import CONTENDERS, PEERS, SPECTRA, SPECTRAL_PEERS  # noqa: E402
from benchmarks.contenders.bare import Bare  # noqa: E402
from benchmarks.contenders.convolution import Convolution  # noqa: E402
from benchmarks.contenders.descent import Descent  # noqa: E402
from benchmarks.contenders.drawn_convolution import drawn  # noqa: E402
from benchmarks.contenders.loop import Loop  # noqa: E402
from benchmarks.contenders.spectrum import Spectrum  # noqa: E402
from benchmarks.inputs import Inputs, photographs  # noqa: E402
from benchmarks.job import Job  # noqa: E402
from benchmarks.racing import race  # noqa: E402
from benchmarks.workers import Worker, WorkerError  # noqa: E402

from depthjax.folders.begin import begin  # noqa: E402
from depthjax.inversion.loop import descend  # noqa: E402
from depthjax.models.network import INPUT, GraphBuilder, Network  # noqa: E402
from depthjax.models.operations import conv  # noqa: E402

FIELDS = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3}
SIZE = 16


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    model = depthjax.build_model("resnet18", **FIELDS)
    return Inputs(tmp_path_factory.mktemp("inputs"), "resnet18", FIELDS, model, seed=0)


@pytest.fixture(scope="module")
def job(inputs):
    return inputs.job("layer1", 2, SIZE)


# --------------------------------------------------------------------------------- jobs and inputs


def test_a_job_survives_json():
    job = Job("folder", "resnet18", {"width": 4}, "conv1", 2, 16, restarts=3, preset="converging")
    assert Job.from_json(job.to_json()) == job
    assert "\n" not in job.to_json()


def test_restarts_repeat_the_photographs_from_other_starts(inputs):
    images, start = inputs.job("conv1", 2, SIZE, restarts=3).images()
    assert images.shape == start.shape == (6, SIZE, SIZE, 3)
    np.testing.assert_array_equal(images[:2], images[2:4])
    assert not np.array_equal(start[:2], start[2:4])


def test_more_photographs_than_there_are_come_again():
    count = len(depthjax.images.EMBEDDED)
    images = photographs(count + 2, 8)
    assert images.shape == (count + 2, 8, 8, 3)
    np.testing.assert_array_equal(images[:2], images[count:])


# -------------------------------------------------------------------------------------- contenders


def test_the_loop_makes_the_steps_that_invert_makes(job, monkeypatch):
    """What is timed is the library's own descent: same images after as many steps."""
    advance, states = descend(None, np.float32), []

    def watched(*arguments):
        state, *others = advance(*arguments)
        states.append(state)
        return state, *others

    monkeypatch.setattr("benchmarks.contenders.loop.descend", lambda *_: watched)
    loop = Loop(job)
    assert loop.steps(3) > 0
    # So long a schedule has hardly begun: the blur keeps its first width.
    config = loop.config.replace(steps=3, final_blur_sigma=loop.config.blur_sigma)
    found = depthjax.invert(loop.layer, loop.variables, loop.target, loop.start, config)
    assert states[-1].step.tolist() == [3]
    np.testing.assert_allclose(states[-1].images, found.final_images, rtol=1e-4)
    assert np.abs(found.final_images - loop.start).max() > 0.01


def test_residuals_are_those_of_a_descent_of_so_many_steps(inputs):
    loop = Loop(inputs.job("conv1+layer1", 2, SIZE, preset="converging"))
    config = depthjax.InversionConfig(steps=5)
    found = depthjax.invert(loop.layer, loop.variables, loop.target, loop.start, config)
    np.testing.assert_allclose(
        loop.residuals(5), found.trajectory.embedding_distance[-1], rtol=1e-3
    )
    assert all(value > 0 for value in loop.reference())


def test_methods_are_compared_by_seconds_and_by_what_is_reached():
    asked = f"residuals {methods.STEPS}"
    ours = {"seconds": [0.1, 0.1], asked: [1.0, 3.0, 2.0], "reference": [10.0, 10.0, 10.0]}
    theirs = {"seconds": [0.2, 0.3], asked: [5.0, 7.0, 6.0]}
    place = {"method": "a metamer", "layer": "layer1", "batch": 3}
    away = {"absent": "plenoptic is not installed"}
    races = [{"entries": {"loop": ours, "metamer": entry}, **place} for entry in (theirs, away)]
    first, second = methods.table(races).splitlines()[2:4]
    assert [cell.strip() for cell in first.split("|")[-3:-1]] == ["0.2", "0.6"]
    assert "2.5" in first  # the median of 2 and 3
    assert [cell.strip() for cell in second.split("|")[-4:-1]] == ["–", "0.2", "–"]
    only = methods.table(races[1:])
    assert "metamer: plenoptic is not installed" in only


def test_the_convolutions_of_a_network_are_counted_by_kind():
    model = depthjax.build_model("resnet50", width=4, stage_sizes=(2, 1))
    kinds = convolutions.kinds_of(model, "layer2.0", 32)
    assert sum(kinds.values()) == 1 + 7 + 4
    assert kinds[convolutions.Kind(7, 2, 3, 1, 3, 4, 32)] == 1
    assert kinds[convolutions.Kind(3, 1, 1, 1, 4, 4, 8)] == 2  # of both blocks of layer1
    assert kinds[convolutions.Kind(1, 2, 0, 1, 16, 32, 8)] == 1
    assert convolutions.Kind(3, 2, 1, 2, 8, 16, 6).flops(2) == 4 * 2 * 3 * 3 * 9 * 8 * 16 / 2

    class Tensorflows(Network):
        def graph(self):
            net = GraphBuilder()
            net("named", conv(4, 3, 2, padding="SAME"), INPUT)
            return tuple(net.nodes)

    with pytest.raises(ValueError, match="part n takes square convolutions, padded alike; named"):
        convolutions.kinds_of(Tensorflows(), "named", 32)


def test_a_step_of_a_convolution_is_timed_as_lax_computes_it():
    kind = convolutions.Kind(3, 2, 1, 2, 4, 6, 5)
    contender = Convolution(Job("", "", kind._asdict(), "", 2, kind.side))
    images, kernel = drawn(contender.job)
    expected = jax.lax.conv_general_dilated(
        images, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    )  # fmt: skip
    assert contender.distance() == pytest.approx(float(np.abs(expected).sum()), rel=1e-5)
    assert contender.steps(3) > 0


def test_convolutions_are_summed_as_often_as_they_are_there():
    def race_of(kind, count, ours, theirs):
        entries = {"convolution": {"seconds": [ours] * 3}, "torch_convolution": theirs}
        return {"kind": kind._asdict(), "count": count, "batch": 2, "entries": entries}

    small, large = (convolutions.Kind(1, 1, 0, 1, 8, 8, side) for side in (4, 8))
    races = [
        race_of(small, 3, 0.1, {"seconds": [0.2] * 3}),
        race_of(large, 1, 0.7, {"seconds": [0.1] * 3}),
    ]
    rows = [row.strip("| ").split("|") for row in convolutions.table(races).splitlines()[2:5]]
    shown = [[cell.strip() for cell in row] for row in rows]
    assert [row[-1] for row in shown] == ["30%", "70%", "100%"]
    assert shown[0][0] == "1×1, 8 → 8, 4²" and shown[2][:2] == ["all of them", "4"]
    assert shown[2][-2] == "**0.7**"  # (3 · 0.2 + 0.1) / (3 · 0.1 + 0.7)
    races[1]["entries"]["torch_convolution"] = {"absent": "torch is not installed"}
    text = convolutions.table(races)
    assert "PyTorch" not in text.split("\n\n")[-1].split("oneDNN")[0].replace("PyTorch's", "")
    assert text.splitlines()[4].count("–") == 2


def test_a_turn_may_be_longer_than_the_records_of_one_call(inputs):
    loop = Loop(inputs.job("conv1", 1, 8))
    assert loop.steps(700) > 0


def test_operations_are_those_of_the_plain_convolution(inputs):
    """A stem of stride 2 and padding 3: taps inside the image, forward and backward."""
    bare = Bare(inputs.job("conv1", 2, SIZE))
    outputs = range(SIZE // 2)
    taps = sum(0 <= 2 * o - 3 + k < SIZE for o in outputs for k in range(7))
    forward = 2 * taps**2 * 3 * FIELDS["width"] * 2  # multiply and add, channels, batch
    assert 2 * forward <= bare.flops() <= 2.2 * forward


def test_all_contenders_start_equally_far(job):
    assert Loop(job).distance() == pytest.approx(Bare(job).distance(), rel=1e-6)


def test_a_descent_reports_ratios_of_every_photograph(inputs):
    job = inputs.job("conv1", 2, SIZE, preset="converging", steps=9)
    found = json.loads(json.dumps(Descent(job).descend()))
    assert found["step"] == [0, 2, 4, 6, 8, 9] and found["steps"] == 9
    ratio = np.array(found["ratio"])
    assert ratio.shape == (6, 2) and (ratio[-1] < ratio[0]).all()


def test_a_descent_sees_the_weights_that_were_asked_for_and_their_normalisation(inputs, tmp_path):
    asked = (inputs.name, inputs.fields, inputs.model, inputs.seed)
    shuffled = Inputs(tmp_path, *asked, source="shuffled:untrained").job("conv1", 1, SIZE)
    plain = inputs.job("conv1", 1, SIZE)
    kernel, drawn = (job.weights()["conv1.weight"] for job in (shuffled, plain))
    assert (kernel != drawn).any()
    np.testing.assert_array_equal(np.sort(kernel, axis=None), np.sort(drawn, axis=None))
    half = depthjax.models.normalization.NORMALIZATIONS["half"]
    trained = Job.from_json(dataclasses.replace(plain, normalization=half).to_json())
    assert Descent(trained).layer.normalization == half
    assert Descent(plain).layer.normalization is None


def test_the_truth_of_part_j_is_that_of_the_whole_jacobian(inputs):
    """Against LAPACK's float64 singular values; a float32 spectrum of 24 pairs is near it."""
    spectrum = Spectrum(inputs.job("layer2", 1, SIZE))
    dense = depthjax.jacobian.dense_singular_values(
        spectrum.layer, spectrum.variables, spectrum.images
    )
    exact = np.square(dense[0])
    np.testing.assert_allclose(spectrum.truth(3), exact[:3], rtol=1e-10)
    found = np.array(spectrum.top(1, 24, 5))
    assert found.shape == (1,) and 1e-12 < abs(found[0] / exact[0] - 1) < 1e-4
    assert spectrum.steps(1) > 0 and spectrum.steps(3) > 0, "as many pairs as were asked for"


def test_peers_know_nothing_of_jax():
    """They may run where there is no JAX; and importing it would cost them memory."""
    ours = {"loop", "bare", "descent", "problem", "feeding", "training", "spectrum", "convolution"}
    folder = EXPERIMENTS / "benchmarks"
    theirs = [path for path in (folder / "contenders").glob("*.py") if path.stem not in ours]
    assert {path.stem for path in theirs} >= set(parts.ALL_PEERS)
    for path in [*theirs, folder / "job.py", folder / "serving.py", folder / "__init__.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"jax", "depthjax"} & {name.split(".")[0] for name in names}, path.name


# ------------------------------------------------------------------------------ processes and races


def test_processes_answer_and_take_turns(job):
    found = race(
        Worker, {"loop": ("loop", job), "bare": ("bare", job)}, rounds=2, steps=3, turn_seconds=0
    )
    assert found["steps"] == 3
    for entry in found["entries"].values():
        assert len(entry["seconds"]) == 2 and min(entry["seconds"]) > 0
        assert 1e7 < entry["memory"] < 1e11
        assert entry["about"]["versions"]["jax"] == jax.__version__
    ours, bare = found["entries"]["loop"], found["entries"]["bare"]
    assert ours["distance"] == pytest.approx(bare["distance"], rel=1e-6)


def test_what_a_process_cannot_do_is_one_line(job):
    with Worker("bare", job) as worker:
        with pytest.raises(WorkerError, match="has no attribute 'flip'") as error:
            worker.ask("flip")
        assert "\n" not in str(error.value)
        assert worker.ask("distance") > 0, "it goes on"
        worker._process.kill()
        with pytest.raises(WorkerError, match="ended with status -9"):
            worker.ask("distance")
    with pytest.raises(WorkerError, match="cannot start '/no/python'"):
        Worker("bare", job, python="/no/python")


def test_an_absent_peer_is_reported_and_the_others_go_on(job, tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('none here', name='torch')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bench = parts.Bench(settings(), None, print, lambda name, make: make())
    entries = {"bare": ("bare", job), "tuned": ("tuned", job)}
    found = bench._race(entries, {})["entries"]
    assert found["tuned"] == {"absent": "torch is not installed"}
    assert len(found["bare"]["seconds"]) == 2


@pytest.mark.parametrize("contender", ["feeding", "training"])
def test_the_input_pipeline_and_what_it_feeds(contender, data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    fields = {"width": 4, "stage_sizes": [1], "stem": "small", "num_classes": 3}
    job = Job("", "resnet18", fields, "", batch=4, size=16)
    with Worker(contender, job) as worker:
        assert worker.ask("steps", 2) > 0
        assert worker.ask("memory") > 0
        assert worker.ask("about")


def test_a_preset_with_changes_is_one_word():
    from_word = depthjax.InversionConfig.from_word
    assert from_word("fast") == depthjax.InversionConfig.fast()
    changed = from_word("converging:steps=80:objective=l1:learning_rate=0.1")
    assert changed == depthjax.InversionConfig(steps=80, objective="l1", learning_rate=0.1)
    for word, said in (("fats", "did you mean 'fast'"), ("fast:step=3", "no change of a setting")):
        with pytest.raises(ValueError, match=said):
            from_word(word)


class Pretended:
    """A worker without a process, which notes what it is asked."""

    start_seconds = 0.0

    def __init__(self, name, asked, distance=1.0, seconds=1.0, fails_at=None):
        self.name, self.asked, self.fails_at = name, asked, fails_at
        self.answers = {"distance": distance, "about": {}, "memory": 7}
        self.seconds = seconds

    def ask(self, request, *numbers):
        self.asked.append((self.name, request, *numbers))
        if (request, *numbers) == self.fails_at:
            raise WorkerError("out of memory")
        return self.seconds * numbers[0] if request == "steps" else self.answers[request]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.asked.append((self.name, "closed"))


def pretended_race(job, workers, optional=(), **others):
    entries = {name: (name, job) for name in workers}
    settings = {"rounds": 3, "steps": 5, "turn_seconds": 0} | others
    return race(lambda name, _: workers[name], entries, optional, **settings)


def test_the_order_turns_round_after_every_round(job):
    asked = []
    workers = {name: Pretended(name, asked, seconds=s) for name, s in (("a", 2), ("b", 3))}
    found = pretended_race(job, workers)
    turns = [name for name, *request in asked if request == ["steps", 5]]
    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert found["entries"]["a"]["seconds"] == [2, 2, 2]
    assert found["entries"]["b"]["first_step_seconds"] == 3
    assert [name for name, *request in asked if request == ["closed"]] == ["b", "a"]


def test_a_turn_is_as_long_as_the_fastest_makes_it(job):
    workers = {name: Pretended(name, [], seconds=s) for name, s in (("a", 0.5), ("b", 3))}
    assert pretended_race(job, workers, steps=0, turn_seconds=10)["steps"] == 20


def test_a_disturbed_turn_is_taken_again_and_the_least_disturbed_counts(job, monkeypatch):
    shares = iter([0.0, 0.5, 0.3, 0.2, 0.5, 0.05])

    class Watched:
        def __init__(self, pid):
            assert pid == 7

        def share(self):
            return next(shares)

    class Slower(Pretended):
        pid = 7

        def ask(self, request, *numbers):
            self.seconds += request == "steps"
            return super().ask(request, *numbers)

    monkeypatch.setattr("benchmarks.racing.Watch", Watched)
    asked = []
    found = pretended_race(job, {"a": Slower("a", asked, seconds=0)})["entries"]["a"]
    # Two turns for a start; then 3 is undisturbed, of 4, 5, 6 the last is least so, 8 is.
    assert found["seconds"] == [3, 6, 8] and found["others"] == [0.0, 0.2, 0.05]
    assert quantities.disturbed([{"entries": {"a": found}}], 0.1) == (1, 3, 0.2)
    assert quantities.disturbed([{"entries": {"b": {"absent": "none"}}}], 0.1) == (0, 0, 0.0)


def test_what_others_take_is_seen():
    """A process that counts disturbs everybody's turn but its own."""
    code = "import time; end = time.time() + 20\nwhile time.time() < end: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as busy:
        try:
            watches = disturbance.Watch(busy.pid), disturbance.Watch(1)
            time.sleep(0.6)
            own, others = (watch.share() for watch in watches)
        finally:
            busy.kill()
    if own is not None:  # where the system says so
        assert 0 <= own < others <= 1 and others > 0.1 / (os.cpu_count() or 1)
    assert disturbance.Watch(None).share() is None


def test_ratios_of_a_race_are_one_line():
    race = {"entries": {"loop": {"seconds": [1, 2]}, "tuned": {"seconds": [3, 8]}, "bare": {}}}
    assert quantities.ratios_said(race) == "seconds over ours: tuned 3.50, bare absent"
    assert "nobody" in quantities.ratios_said({"entries": {"loop": {"seconds": [1]}}})


def test_a_peer_that_fails_on_the_way_is_out(job):
    asked = []
    workers = {"a": Pretended("a", asked), "b": Pretended("b", asked, fails_at=("steps", 5))}
    found = pretended_race(job, workers, ("b",))
    assert found["entries"]["b"] == {"absent": "out of memory"}
    assert len(found["entries"]["a"]["seconds"]) == 3
    assert asked.count(("b", "steps", 5)) == 1
    with pytest.raises(WorkerError, match="b failed: out of memory"):
        pretended_race(job, workers)
    assert asked[-1] == ("a", "closed")


def test_networks_that_differ_are_not_compared(job):
    workers = {"a": Pretended("a", [], 1.0), "b": Pretended("b", [], 1.01)}
    with pytest.raises(WorkerError, match="b and a do not compute the same embedding"):
        pretended_race(job, workers)


def test_errors_of_any_length_become_one_line():
    said = serving.described(RuntimeError("a\nb" * 400))
    assert "\n" not in said and len(said) < 310 and said.startswith("RuntimeError: a b")


# ------------------------------------------------------------------------- settings, tables, figure


def settings(**fields):
    values = {
        "layers": ["conv1", "layer1"], "batches": [1, 8], "size": 224, "rounds": 2, "steps": 2,
        "turn_seconds": 1.0, "peers_python": sys.executable, "huge_pages": True,
        "curve_layer": "layer1", "curve_batches": [1, 2], "curve_sizes": [64, 128],
        "curve_restarts": [1, 4], "presets": ["paper"], "preset_layers": ["conv1"],
        "contenders": ["bare", *PEERS],
        "preset_images": 3, "preset_size": 128, "preset_steps": 0, "imports": 2,
        "jacobian_layers": ["layer1"], "jacobian_sizes": [64], "jacobian_pairs": 60,
    }  # fmt: skip
    return parts.Settings(**(values | fields))


def made_up_spectra():
    """One race of part j: eigenvalues 10, 9, … 1, found too small by a known share."""
    exact = np.arange(10, 0, -1.0)
    off = {"spectrum": [1e-6, 2e-6, 3e-6], "power": [1e-3, 2e-3, 3e-3], "randomized": [0.1] * 3}
    seconds = {"spectrum": [0.4, 0.4], "power": [1.2, 1.6], "randomized": [1.0, 1.0]}
    asked = {"spectrum": (1, 10), "power": (1,), "randomized": (10,)}
    entries = {}
    for name in SPECTRA:
        versions = {"plenoptic": "2.1.1"} if name in SPECTRAL_PEERS else {"jax": "0.10.2"}
        entries[name] = {"seconds": seconds[name], "memory": 1, "about": {"versions": versions}}
        entries[name] |= {
            f"top {k} 60 {seed}": (exact[:k] * (1 - share)).tolist()
            for k in asked[name]
            for seed, share in enumerate(off[name])
        }
    entries["spectrum"]["truth 10"] = exact.tolist()
    return {
        "layer": "layer1", "batch": 1, "size": 64, "pairs": 60, "steps": 2, "entries": entries
    }  # fmt: skip


def made_up(letters="abcdefghj"):
    """Results as benchmark.json has them, with numbers that are easy to follow."""
    seconds = {"loop": 0.2, "bare": 0.19, "author": 0.5, "tuned": 0.25, "compiled": 0.22}

    def entry(name, batch, depth):
        times = [seconds[name] * batch * depth * factor for factor in (1.0, 1.1, 0.95)]
        versions = {"torch": "2.13.0"} if name in PEERS else {"jax": "0.10.2"}
        found = {"seconds": times, "memory": int(1e9 * batch), "about": {"versions": versions}}
        return found | ({"flops": 19e9 * batch * depth} if name == "bare" else {})

    races = [
        {
            "layer": layer, "batch": batch, "size": 224, "steps": 2, "peak_flops": 200e9,
            "peak_source": "measured: a product of matrices",
            "entries": {name: entry(name, batch, depth) for name in seconds}
            | {"metamer": {"absent": "plenoptic is not installed"}},
        }
        for depth, layer in enumerate(("conv1", "layer1", "layer2"), 1)
        for batch in (1, 8)
    ]  # fmt: skip
    base = {"layer": "layer1", "batch": 1, "size": 224}
    swept = {"layer": ["conv1", "layer1"], "batch": [1, 2], "size": [64, 224], "restarts": [1, 4]}
    curves = {
        name: [
            base | {name: v, "seconds": [0.1 * (i + 1), 0.12 * (i + 1)]} for i, v in enumerate(vs)
        ]
        for name, vs in swept.items()
    }
    presets = [
        {
            "preset": preset, "layer": layer, "images": 2, "size": 128, "steps": 100,
            "seconds": 50.0, "step": [0, 10, 20, 40, 100],
            "ratio": [[9, 9], [0.9, 1.2], [0.8, 0.9], [0.05, None], [0.05, 0.08]],
        }
        for preset in ("paper", "converging")
        for layer in ("conv1", "layer1")
    ]  # fmt: skip
    first = {"start_seconds": 2.0, "first_step_seconds": 4.0, "compile_seconds": 3.0}
    warm = {"start_seconds": 2.0, "first_step_seconds": 1.5, "compile_seconds": 0.6}
    imports = {"from depthjax import invert": [1.4, 1.3], "import jax": [1.0, 1.0]}
    startup = {"imports": imports, "layer": "layer2", "first_step": {"cold": first, "warm": warm}}
    feeding = {"batch": 64, "size": 32, "steps": 2, "entries": {
        "pipeline": {"seconds": [0.01, 0.01]}, "training": {"seconds": [0.1, 0.2]},
    }}  # fmt: skip
    spectra = [made_up_spectra()]
    environment = machine.describe() | {"git_revision": "0123456789ab", "load": 0.1}
    environment["command"] = ["/home/me/experiments/benchmark.py", "--quick", "--output=/home/me/b"]
    environment["command"] += ["--peers_python=/home/me/python"]
    results = {
        "machine": environment,
        "settings": {"model": "resnet50", "parts": list(letters), **vars(settings())},
        "races": races, "curves": curves, "presets": presets, "startup": startup,
        "feeding": feeding, "spectra": spectra,
    }  # fmt: skip
    belongs = {"races": "abeg", "curves": "c", "presets": "d", "startup": "f", "feeding": "h"}
    belongs["spectra"] = "j"
    kept = {k: v for k, v in results.items() if set(belongs.get(k, letters)) & set(letters)}
    return json.loads(json.dumps(kept))


def test_ratios_are_those_of_turns_next_to_each_other():
    race = {"batch": 4, "entries": {"loop": {"seconds": [1, 2]}, "tuned": {"seconds": [3, 8]}}}
    np.testing.assert_array_equal(quantities.ratios(race, "tuned", "loop"), [3, 4])
    np.testing.assert_array_equal(quantities.images_per_second(race, "loop"), [4, 2])
    assert not quantities.ratios(race, "metamer", "loop").size


def test_errors_of_eigenvalues_are_the_largest_of_each_start():
    race = made_up_spectra()
    errors = quantities.eigenvalue_errors(race, "spectrum", 10)
    np.testing.assert_allclose(errors, [1e-6, 2e-6, 3e-6])
    race["entries"]["randomized"]["top 10 60 0"][4] *= 2
    assert quantities.eigenvalue_errors(race, "randomized", 10).max() == pytest.approx(0.8)
    assert not quantities.eigenvalue_errors(race, "power", 10).size


def test_part_j_without_peers_says_so():
    results = made_up("j")
    (race,) = results["spectra"]
    for name in SPECTRAL_PEERS:
        race["entries"][name] = {"absent": "torch is not installed"}
    text = summary.summarise(results)
    assert "plenoptic, randomised SVD (torch is not installed)" in text
    assert "2e-06 (1e-06–3e-06)" in text and not summary.headline(results)


@pytest.mark.parametrize(("level", "seconds"), [(1.0, 10.0), (0.1, 50.0), (0.01, None)])
def test_seconds_until_every_photograph_is_near(level, seconds):
    descent = made_up()["presets"][0]
    assert quantities.seconds_until(descent, level) == seconds
    np.testing.assert_array_equal(quantities.best_ratio(descent), [0.05, 0.08])


def test_a_photograph_that_overflowed_has_no_ratio():
    descent = {"ratio": [[None, 0.5], [None, 2.0]], "step": [0, 1], "seconds": 1, "steps": 1}
    assert quantities.seconds_until(descent, 1.0) is None
    np.testing.assert_array_equal(quantities.best_ratio(descent), [np.nan, 0.5])


def test_descents_of_other_weights_or_sizes_have_a_table_of_their_own():
    untrained, trained, large = made_up("d"), made_up("d"), made_up("d")
    trained["settings"]["weights"] = "pretrained"
    large["settings"]["preset_size"] = 224
    text = summary.presets_together([untrained, trained, untrained, large])
    notes = [line for line in text.splitlines() if line.startswith("Until all of")]
    named = ("128×128 are there; resnet50, weights: untrained", "weights: pretrained", "224×224")
    assert len(notes) == 3
    assert all(name in note for name, note in zip(named, notes, strict=True))
    rows = [line for line in text.splitlines() if line.startswith("| paper ")]
    assert len(rows) == 2 * (2 + 1 + 1), "those of one network and size are together"


def test_the_summary_says_what_was_measured():
    text = summary.summarise(made_up())
    for part in (
        "| conv1  |     1 |    200 (190–220) | 1.05 (1.05–1.05) | 95 (86.4–100) |         48% |",
        "2.50× (2.50–2.50)",
        "Absent: plenoptic (plenoptic is not installed).",
        "| paper      |  conv1 |         10 |           50 |",
        "| compiling with a warm cache over without        |            0.2 |",
        "`python experiments/benchmark.py --quick` on a",
        "torch 2.13.0",
        "15 (10–20)",
        "revision 0123456789ab",
        "plenoptic 2.1.1",
        "    1, by power method | 2e-06 (1e-06–3e-06) | 0.002 (0.001–0.003) |  1000× |",
        "3.50× (3.00–4.00)",
    ):
        assert part in text, text
    assert "/home/me" not in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 8
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert len(summary.headline(made_up())) == 6


def test_each_block_of_a_document_shows_its_part_alone():
    results = made_up()
    blocks = summary.blocks_of(results)
    assert set(blocks) == set(summary.BLOCKS.values())
    assert [name for name, text in blocks.items() if "s to ρ ≤ 0.1" in text] == []
    assert [name for name, text in blocks.items() if "import jax" in text] == ["startup"]
    assert not any("cut off" in text for text in blocks.values())


@pytest.mark.parametrize("letters", [*parts.PARTS, "ab", "abcdefghj"])
def test_any_choice_of_parts_has_a_summary_and_perhaps_a_figure(letters):
    results = made_up(letters)
    text = summary.summarise(results)
    assert ("resnet50, 224×224" in text) == bool(set(letters) & set("abcegh")), text
    assert "resnet50" in text
    drawn = bool(figure.panels_of(results))
    assert drawn == bool(set(letters) & set("abcd"))
    if drawn:
        assert_readable(figure.draw(results))
    else:
        with pytest.raises(ValueError, match="nothing to draw"):
            figure.draw(results)


def test_the_figure_names_every_contender_that_ran():
    said = everything_said(figure.draw(made_up()))
    titles = [entry.title for name, entry in CONTENDERS.items() if name != "metamer"]
    for word in [*titles, "batch 8", "paper, ρ ≤ 0.1", "restarts", "step ÷ bare gradient"]:
        assert word in said
    assert "plenoptic" not in said


def test_parts_come_in_order_and_unknown_ones_in_one_line():
    assert parts.checked_parts(["f", "a", "f"]) == ("a", "f")
    with pytest.raises(
        ValueError, match=r"unknown part 'x'.*Known: a, b, c, d, e, f, g, h, j"
    ) as error:
        parts.checked_parts(["a", "x"])
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no part to measure"):
        parts.checked_parts([])


def test_peaks_are_those_of_the_device_and_precision():
    assert machine.data_sheet_peak("gpu: NVIDIA H100 PCIe", "float32") == 51e12
    assert machine.data_sheet_peak("gpu: NVIDIA H200", "bfloat16") == 989e12
    assert machine.data_sheet_peak("gpu: Tesla V100-SXM2-16GB", "tf32") is None
    assert machine.data_sheet_peak("gpu: something new", "float32") is None


# ----------------------------------------------------------------------------------------- scripts


def script(name, *arguments):
    command = [sys.executable, str(EXPERIMENTS / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_benchmark_that_was_cut_off_measures_what_is_missing(tmp_path, monkeypatch):
    raced, few = [], settings(layers=["conv1", "layer1"], batches=[1], curve_layer="conv1")
    limit = 3

    def pretend(self, entries, questions):
        if len(raced) == limit:
            raise WorkerError("killed")
        raced.append(list(entries))
        return {"steps": 2, "entries": {name: {"seconds": [len(raced)]} for name in entries}}

    monkeypatch.setattr(parts.Bench, "_race", pretend)
    nothing = SimpleNamespace(job=lambda *_, **__: None)
    with loaded("benchmark") as module:
        with begin(tmp_path, {"of": "a benchmark"}) as folder:
            steps = module.measure(folder, few, nothing, ["b", "c"])
            first = next(steps)
            with pytest.raises(WorkerError):
                next(steps)
        assert [race["layer"] for race in first["races"]] == ["conv1", "layer1"]
        limit = 99
        with begin(tmp_path, {"of": "a benchmark"}, resume=True) as folder:
            again = list(module.measure(folder, few, nothing, ["b", "c"]))
    assert again[0]["races"] == first["races"] and again[1]["seconds"] >= first["seconds"]
    assert list(again[1]["curves"]) == ["layer", "batch", "size", "restarts"]
    assert len(raced) == 2 + 4  # each once


def test_the_command_writes_numbers_table_and_figure(tmp_path):
    fields = ("--model_field=width=4", "--model_field=stage_sizes=1,1")
    small = ("--model=resnet18", *fields, f"--size={SIZE}", "--layers=conv1", "--batch=1")
    few = ("--quick", "--parts=a,f", "--rounds=2", "--steps=2", "--imports=1")
    output = f"--output={tmp_path}"
    ran = script("benchmark.py", *small, *few, "--curve_layer=conv1", output)
    assert ran.returncode == 0, ran.stderr
    results = json.loads((tmp_path / "benchmark.json").read_text())
    (race,) = results["races"]
    assert set(race["entries"]) == {"loop", "bare"} and race["layer"] == "conv1"
    warm, cold = (results["startup"]["first_step"][kind] for kind in ("warm", "cold"))
    assert warm["compile_seconds"] < cold["compile_seconds"], "the cache was used"
    table = (tmp_path / "benchmark.md").read_text()
    assert "| conv1 |     1 |" in table and "| conv1 |     1 |" in ran.stdout
    for suffix in ("png", "pdf"):
        assert (tmp_path / "figures" / f"benchmark.{suffix}").stat().st_size > 2000
    documents = {"benchmark": ROOT / "docs" / "speed.md", "speed": ROOT / "README.md"}
    copies = {name: Path(shutil.copy(path, tmp_path)) for name, path in documents.items()}
    settings = {"benchmark": [str(tmp_path)], "documents": [*map(str, copies.values())]}
    with loaded("document") as document, flagsaver.flagsaver(**settings):
        document.write_results = lambda: None  # which is asked for byte by byte elsewhere
        document.main()
    parts = {}
    for name, copy in copies.items():
        begin, end = f"<!-- begin {name} -->\n", f"\n<!-- end {name} -->"
        before, after = documents[name].read_text(), copy.read_text()
        filled = re.compile("<!-- begin (benchmark|startup|speed) -->.*?<!-- end", re.DOTALL)
        assert filled.sub("", after) == filled.sub("", before), "the rest stays"
        parts[name] = after.partition(begin)[2].partition(end)[0]
    assert parts["benchmark"] == summary.blocks_of(results)["benchmark"]
    assert "cut off" not in parts["benchmark"] and "import jax" not in parts["benchmark"]
    ratio = np.median(quantities.ratios(race, "loop", "bare"))
    (row,) = [line for line in parts["speed"].splitlines() if "bare gradient" in line]
    assert [cell.strip() for cell in row.split("|")[2:5]] == [f"{ratio:.2f}×"] * 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"parts": ["a", "z"]}, "unknown part 'z'"),
        ({"weights": "zoo:resnet18_small/photos"}, "trained weights are for --parts=d alone"),
        ({"batch": ["1", "two"]}, "--batch=1,two must be whole numbers of at least 1"),
    ],
)
def test_bad_flags_end_with_one_line_and_no_file(flags, message, tmp_path):
    with loaded("benchmark") as script, refused(message, tmp_path / "b") as folder:
        runner({})(script, folder, **flags)
