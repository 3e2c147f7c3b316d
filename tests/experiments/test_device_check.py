"""The check of a device: parts on tiny networks, processes, table; no test asserts a time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import jax
import nbformat
import numpy as np
import pytest
from reading_figures import assert_readable, everything_said
from script_loading import loaded
from script_running import refused, runner

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

from benchmarks import parts as bench  # noqa: E402
from benchmarks.job import Job  # noqa: E402
from device import bits, catalogue, child, figure, running, table  # noqa: E402
from device.parts import (  # noqa: E402
    determinism,
    memory,
    notebook,
    precision,
    step,
    tests,
    throughput,
    training,
    worker,
)
from device.task import Absent, Task  # noqa: E402

from depthjax.devices.precision import PRECISIONS  # noqa: E402
from depthjax.folders.begin import begin  # noqa: E402
from depthjax.folders.config import read_config  # noqa: E402

SMALL = Task("cpu: cpu", small=True)
THREE = """
import pytest

def test_right():
    assert 1 + 1 == 2

@pytest.mark.parametrize("value", ["a b", "c"])
def test_wrong(value):
    assert value == "c"

def test_left_out():
    pytest.skip("not here")
"""


def told_by(part, task=SMALL):
    """The last numbers that a part tells, which survive JSON."""
    told = []
    part.measure(task, lambda numbers: told.append(json.dumps(child.finite(numbers))))
    return json.loads(told[-1])


def list_of_tests(folder, code):
    """A task whose tests are this code."""
    file = folder / "test_tiny.py"
    file.write_text(code)
    listed = folder / "files.txt"
    listed.write_text(f"{file}\n")
    return Task("cpu: cpu", small=True, tests_list=str(listed))


# --------------------------------------------------------------------------------------- catalogue


def test_parts_come_in_the_order_of_their_value_and_share_all_of_the_time():
    assert sum(part.share for part in catalogue.PARTS.values()) == pytest.approx(1)
    assert catalogue.checked_parts(["memory", "step", "memory"]) == ("step", "memory")
    with pytest.raises(ValueError, match=r"unknown part 'speed'.*Known: step, tests") as error:
        catalogue.checked_parts(["speed"])
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no part to check"):
        catalogue.checked_parts([])


def test_every_part_has_a_module_and_rows():
    modules = {path.stem for path in (EXPERIMENTS / "device" / "parts").glob("*.py")}
    assert modules - {"__init__", "machine"} == set(catalogue.PARTS) == set(table.ROWS)
    for rows in table.ROWS.values():
        assert rows({}) == [], "also of a part that has told nothing"


def test_later_parts_have_what_earlier_ones_leave():
    parts = ("precision", "training")  # of equal shares
    assert catalogue.limit_of("precision", parts, 100) == pytest.approx(50)
    assert catalogue.limit_of("training", parts[1:], 90) == pytest.approx(90)
    assert catalogue.limit_of("training", parts[1:], -3) == 0


# --------------------------------------------------------------------------------------- processes


def pretend_part(monkeypatch, measure):
    module = ModuleType("device.parts.pretended")
    module.measure = measure
    monkeypatch.setitem(sys.modules, "device.parts.pretended", module)


@pytest.mark.parametrize(
    ("raised", "state", "reason"),
    [
        (None, "done", ""),
        (Absent("there is no Ray"), "absent", "there is no Ray"),
        (MemoryError("all\ngone"), "failed", "MemoryError: all gone"),
    ],
)
def test_what_a_part_told_before_its_end_is_kept(raised, state, reason, tmp_path, monkeypatch):
    def measure(task, tell):
        tell({"ratio": [1.0, float("nan")]})
        if raised:
            raise raised

    pretend_part(monkeypatch, measure)
    child.measure("pretended", SMALL, tmp_path / "said" / "one.json")
    found = running.said_by("one", tmp_path)
    assert found == {"state": state, "reason": reason, "numbers": {"ratio": [1.0, None]}}


def test_a_task_survives_json():
    task = Task("gpu: NVIDIA H200", small=True, peers_python="python", tests_list="files.txt")
    assert Task.from_json(task.to_json()) == task and "\n" not in task.to_json()
    assert task.platform == "gpu"
    assert task.network.size < Task().network.size


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up there")
def test_a_part_is_cut_with_all_that_it_started_and_keeps_its_numbers(tmp_path, monkeypatch):
    task = list_of_tests(
        tmp_path,
        "import os, pathlib, time\n"
        "def test_first():\n    time.sleep(2.5)\n"  # longer than from one report to the next
        "def test_second():\n"
        f"    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(600)\n",
    )
    limit = 123.0

    class InTime(subprocess.Popen):
        """Its time is over once the second test runs."""

        def wait(self, timeout=None):
            if timeout != limit:
                return super().wait(timeout)
            while self.poll() is None and not (
                (tmp_path / "pid").exists()
                and (running.said_by("tests", tmp_path)["numbers"] or {}).get("passed")
            ):
                time.sleep(0.05)
            raise subprocess.TimeoutExpired(self.args, timeout)

    monkeypatch.setattr(running.subprocess, "Popen", InTime)
    outcome = running.run_part("tests", task, limit, tmp_path)
    assert outcome["state"] == "cut" and outcome["reason"] == "its 123 s were over"
    assert outcome["numbers"]["passed"] == 1 and outcome["limit"] == limit
    assert not is_running(int((tmp_path / "pid").read_text()))
    with pytest.raises(running.Unfinished, match="its 123 s"):
        running.finished(outcome)


def test_a_part_that_does_not_end_by_itself_is_killed(monkeypatch):
    monkeypatch.setattr(running, "PATIENCE", 0.3)
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        running._end(process)
        assert process.wait(60) == -9


def test_a_part_that_is_killed_has_failed(tmp_path, monkeypatch):
    class Killed(subprocess.Popen):
        def wait(self, timeout=None):
            self.kill()
            return super().wait(timeout)

    monkeypatch.setattr(running.subprocess, "Popen", Killed)
    (tmp_path / "said").mkdir()
    (tmp_path / "said" / "memory.json").write_text('{"state": "done", "numbers": {"old": 1}}')
    outcome = running.run_part("memory", SMALL, 60, tmp_path)
    assert (outcome["state"], outcome["numbers"]) == ("failed", {}), "of this run, not an older one"
    assert outcome["reason"] == "ended with status -9: nothing said"


def test_a_part_ends_when_the_script_does():
    """Its standard input is closed then, by whatever end of the script."""
    code = (
        "import sys, time\nfrom device import child\n"
        "child.measure = lambda *_: time.sleep(600)\nsys.argv[1:] = ['machine', '{}', '']\n"
        "child.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{EXPERIMENTS}"},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == -9


# -------------------------------------------------------------------------------------------- parts


def test_ours_and_the_bare_gradient_take_turns_in_one_process_of_a_tpu(monkeypatch):
    monkeypatch.setattr(bench, "Worker", None)  # no process is started
    numbers = told_by(step, Task("tpu: TPU v5 lite", small=True, peers_python="python"))
    (race,) = numbers["races"]
    assert set(race["entries"]) == {"loop", "bare"}
    assert all(len(entry["seconds"]) == 2 for entry in race["entries"].values())
    shown = dict(step.rows(numbers))
    assert shown["… tuned PyTorch over it"] == "no --peers_python"
    assert {"layer1, batch 2, 16²: ms a step", "… over the bare gradient"} <= set(shown)


def test_peers_take_part_where_there_is_an_interpreter_for_them():
    asked = Task("gpu: NVIDIA H200", peers_python="python")
    assert step.settings_of(asked).contenders == ("bare", "tuned", "compiled")
    assert step.settings_of(Task("gpu: NVIDIA H200")).contenders == ("bare",)


def test_tests_are_counted_and_failures_named(tmp_path):
    numbers = told_by(tests, list_of_tests(tmp_path, THREE))
    assert (numbers["passed"], numbers["failed"], numbers["skipped"]) == (2, 1, 1)
    (failure,) = numbers["failures"]
    assert failure.endswith("::test_wrong[a b]")
    (counts, failed) = tests.rows(numbers)
    assert counts[1] == "2 / 1 / 1" and "test_wrong[a b]" in failed[1]


def test_a_test_that_ends_the_process_fails_the_part(tmp_path):
    deadly = "import os\ndef test_right():\n    pass\ndef test_dies():\n    os.abort()\n"
    told = []
    with pytest.raises(RuntimeError, match=r"pytest ended with status -6 after '.*::test_right'"):
        tests.measure(list_of_tests(tmp_path, deadly), lambda numbers: told.append(dict(numbers)))
    assert told[-1]["passed"] == 1


def test_a_small_run_ends_after_a_few_tests(tmp_path):
    many = "".join(f"def test_{number}():\n    pass\n" for number in range(3 * tests.FEW))
    numbers = told_by(tests, list_of_tests(tmp_path, many))
    assert numbers["passed"] == tests.FEW


def test_the_listed_tests_are_there():
    files = tests.listed(ROOT / "tests" / "device" / "files.txt")
    assert files and all(file.is_file() for file in files)
    with pytest.raises(Absent, match=r"no list of tests 'none.txt'"):
        tests.listed(ROOT / "none.txt")


def test_a_curve_ends_where_a_batch_is_hardly_faster_or_does_not_fit(monkeypatch):
    seconds = iter([[1.0, 0.9], [1.5], [2.9]])
    monkeypatch.setattr(throughput, "seconds_a_step", lambda job: next(seconds))
    curve = {"points": [], "ended": ""}
    jobs = [Job("", "resnet18", {}, "conv1", batch, 16) for batch in (1, 2, 4)]
    assert [throughput.extend(curve, job) for job in jobs] == [True, True, False]
    assert curve["ended"] == "batch 4 is hardly faster"
    assert throughput.best_speed(curve["points"][0]) == pytest.approx(1 / 0.9)

    def no_room(job):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    def broken(job):
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")

    monkeypatch.setattr(throughput, "seconds_a_step", no_room)
    assert not throughput.extend(curve, jobs[0])
    assert curve["ended"] == "batch 1 does not fit into memory" and len(curve["points"]) == 3
    monkeypatch.setattr(throughput, "seconds_a_step", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        throughput.extend(curve, jobs[0])


def test_the_peak_is_of_the_device_and_the_precision():
    found = throughput.peaks(Task("gpu: NVIDIA H200"), None)
    assert found == {"float32": 67e12, "tf32": 494e12, "bfloat16": 989e12}
    assert set(throughput.peaks(Task("tpu: unheard of"), None).values()) == {None}
    measured = throughput.peaks(SMALL, SimpleNamespace(product_flops=lambda: 1e9))
    assert measured == {"float32": 1e9}


def test_every_precision_descends_from_the_same_start():
    numbers = told_by(precision)
    assert set(PRECISIONS) <= set(numbers)
    for name in PRECISIONS:
        ratios = np.array(numbers[name]["ratio"], float)
        assert ratios.shape == (2,) and (ratios > 0).all()
        assert 0 <= numbers[name]["embedding_error"] < 0.1
    assert numbers["float32"]["embedding_error"] == 0
    assert precision.error_of(np.array([3.0, 4.5]), np.array([3.0, 4.0])) == pytest.approx(0.1)
    assert len(precision.rows(numbers)) == 2 * len(PRECISIONS)


def test_memory_is_predicted_for_the_whole_batch_at_once():
    first, second = told_by(memory)["points"]
    assert 1e4 < first["predicted"] < second["predicted"] < 2 * first["predicted"]
    points = [{"batch": 1, "predicted": 30, "peak": None}, {"batch": 9, "predicted": 70}]
    assert memory.of_an_image(points, "predicted") == 5
    shown = dict(memory.rows({"layer": "conv1", "size": 8, "points": points[:1]}))
    assert shown["… peak"] == "the device keeps no account"


def test_a_descent_of_a_task_is_always_the_same():
    one, other = bits.descended(SMALL), bits.descended(SMALL)
    assert determinism.difference(one, other) == {"same_bits": True, "largest": 0.0}
    apart = determinism.difference(one, one + 0.25)
    assert not apart["same_bits"] and apart["largest"] == pytest.approx(0.25, rel=1e-5)


def test_processes_are_compared_with_the_flag_only_where_it_decides(monkeypatch):
    asked = []

    def descended(task, flag, file):
        asked.append(flag)
        if flag == determinism.FLAGS[0]:
            raise determinism.UnknownFlag("XLA does not know it")
        pixels = np.zeros(3, np.float32) + (file.stem == "2" and not flag)
        return {"first": pixels, "second": pixels}

    monkeypatch.setattr(determinism, "descended", descended)
    numbers = told_by(determinism)
    assert asked == ["", ""] and set(numbers) == {"as it is"}
    shown = determinism.rows(told_by(determinism, Task("gpu: NVIDIA H200", small=True)))
    assert shown == [
        ("as it is: again", "the same bits"),
        ("as it is: compiled anew", "other bits, pixels differ by up to 1"),
        (f"`{determinism.FLAGS[0]}`", "XLA does not know it"),
        (f"`{determinism.FLAGS[1]}`: again", "the same bits"),
        (f"`{determinism.FLAGS[1]}`: compiled anew", "the same bits"),
    ]


def test_a_flag_that_xla_does_not_know_is_told_from_other_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{EXPERIMENTS}")
    with pytest.raises(determinism.UnknownFlag):
        determinism.descended(SMALL, "--xla_gpu_of_another_version=true", tmp_path / "1.npz")


def test_the_network_trained_on_noise_is_that_of_its_flag_file(monkeypatch):
    with loaded("train") as script:
        monkeypatch.setitem(sys.modules, "train", script)
        numbers = told_by(training)
    assert numbers["batch"] == 8 and numbers["precision"] == "bfloat16"
    assert len(numbers["seconds"]) == 2 and min(numbers["seconds"]) > 0
    assert np.log(100) / 2 < numbers["loss"] < 2 * np.log(100)
    made_up = {"batch": 128, "precision": "bfloat16", "seconds": [0.1, 0.1], "peak": 2**30}
    speed, hours, peak = (text for _, text in training.rows(made_up))
    assert (speed, hours, peak) == ("1280 (1280–1280)", "0.195", "1.00 GiB")


def test_parameters_of_the_notebook_are_set_after_its_own():
    (path, *_) = sorted(notebook.COLAB.glob("*.ipynb"))
    cells = nbformat.read(path, as_version=4).cells
    found = notebook.changed(cells, nbformat.v4.new_code_cell, {"steps": 3})
    tagged = [cell.metadata.get("tags", [""])[0] for cell in found]
    assert "install" not in tagged and len(found) == len(cells)
    at = tagged.index("parameters")
    assert found[at + 1].source == "steps = 3"
    defined = {line.partition(" =")[0] for line in found[at].source.splitlines()}
    assert set(notebook.PARAMETERS | notebook._SMALL) <= defined


def test_half_a_gpu_takes_a_gpu():
    with pytest.raises(Absent, match="no GPU to share: JAX has cpu: cpu"):
        worker.measure(SMALL, print)


def test_what_ends_a_sweep_is_one_line(tmp_path, monkeypatch):
    said = "Ray begins\nsweep.py: error: unknown layer 'layer9'\n"
    ended = SimpleNamespace(returncode=2, stdout="", stderr=said)
    monkeypatch.setattr(worker.subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(RuntimeError, match=r"ended with status 2: sweep.py: error: .*layer9") as e:
        worker.swept(tmp_path / "sweep", ("--layers=layer9",))
    assert "\n" not in str(e.value)


def test_a_sweep_is_counted(tmp_path):
    few = ("--seeds=0", "--layers=conv1", "--steps=2")
    numbers = worker.swept(tmp_path / "sweep", few)
    assert numbers["cells"] == 1 and not numbers["problems"]
    assert worker.rows(numbers)[0][1].startswith("1 cells in ")


# ------------------------------------------------------------------------------------------- report


def made_up():
    """Results as device_check.json has them, with a part in every state."""

    def outcome(state, reason, numbers):
        return {
            "state": state,
            "reason": reason,
            "seconds": 12.3,
            "limit": 60.0,
            "numbers": numbers,
        }

    point = {"batch": 1, "seconds": [0.01, 0.02, 0.01]}
    curve = {"points": [point, {"batch": 4, "seconds": [0.02] * 3}], "ended": ""}
    speeds = {
        "layer": "layer3", "size": 224, "flops_of_an_image": 1e9,
        "peaks": {"float32": 1e12}, "curves": {name: curve for name in PRECISIONS},
    }  # fmt: skip
    reached = {"ratio": [0.5, None], "embedding_error": 1e-3, "seconds": 3.0}
    ratios = {"layer": "layer3", "size": 224, "steps": 9} | dict.fromkeys(PRECISIONS, reached)
    points = [{"batch": b, "predicted": b * 2**30, "peak": b * 2**29} for b in (1, 8)]
    used = {"layer": "layer3", "size": 224, "points": points}
    machine = {
        "command": ["/home/me/device_check.py", "--peers_python=/home/me/python", "--seconds=60"],
        "device": "gpu: NVIDIA H200", "processor": "a|b", "cores": 16, "memory_gb": 128.0,
        "versions": {"jax": "0.10.2", "flax": "0.12.8"}, "git_revision": "0123456789ab",
        "variables": {"XLA_FLAGS": "--xla_gpu_autotune_level=0", "JAX_COMPILATION_CACHE_DIR": "/x"},
    }  # fmt: skip
    return {
        "machine": machine,
        "settings": {"parts": ["throughput", "precision", "memory", "worker", "notebook"]},
        "parts": {
            "throughput": outcome("cut", "its 60 s were over", speeds),
            "precision": outcome("done", "", ratios),
            "memory": outcome("failed", "ended with status -9: nothing said", used),
            "worker": outcome("absent", "Ray is not installed", {}),
        },
    }


def test_the_table_says_what_became_of_every_part():
    text = table.summarise(made_up())
    for part in (
        "cut: its 60 s were over", "done in 12 s", "absent: Ray is not installed", "not begun",
        "failed: ended with status -9", "200 at batch 4, 20% of the peak", "0.5 [1 of 2]",
        "8192 MiB", "`python experiments/device_check.py --seconds=60`",
        "`XLA_FLAGS=--xla_gpu_autotune_level=0`", "revision 0123456789ab",
    ):  # fmt: skip
        assert part in text, text
    assert "/home/me" not in text and "JAX_COMPILATION_CACHE_DIR" not in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {4}


def test_the_figure_shows_what_was_measured():
    results = made_up()
    drawn = figure.draw(results)
    assert_readable(drawn)
    said = everything_said(drawn)
    for word in (*PRECISIONS, "predicted", "peak", "images · steps a second", "ρ"):
        assert word in said
    results["parts"] = {"worker": results["parts"]["worker"]}
    with pytest.raises(ValueError, match="nothing to draw"):
        figure.draw(results)


# ------------------------------------------------------------------------------------------- script


def script(*arguments):
    command = [sys.executable, str(EXPERIMENTS / "device_check.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_one_call_writes_numbers_table_and_figure(tmp_path):
    listed = list_of_tests(tmp_path, THREE).tests_list
    output = tmp_path / "check"
    asked = ("--small", "--parts=memory,tests", f"--tests_list={listed}", f"--output={output}")
    ran = script(*asked)
    assert ran.returncode == 0, ran.stderr
    results = json.loads((output / "device_check.json").read_text())
    assert list(results["parts"]) == ["tests", "memory"], "in the order of their value"
    assert {outcome["state"] for outcome in results["parts"].values()} == {"done"}
    text = (output / "device_check.md").read_text()
    assert "2 / 1 / 1" in text and "2 / 1 / 1" in ran.stdout and str(tmp_path) not in text
    for suffix in ("png", "pdf"):
        assert (output / "figures" / f"device_check.{suffix}").stat().st_size > 2000
    environment = read_config(output)["environment"]
    assert environment["device"] == results["machine"]["device"]
    assert environment["variables"]["JAX_COMPILATION_CACHE_DIR"]


def test_whatever_ends_a_part_or_the_script_the_rest_is_written(tmp_path, monkeypatch):
    results = {"machine": made_up()["machine"], "settings": {"parts": ["precision", "memory"]}}
    ran = []

    def run_part(name, task, limit, folder):
        ran.append(name)
        if ran == ["precision", "memory"]:
            raise KeyboardInterrupt
        state = "failed" if len(ran) == 1 else "done"
        return {"state": state, "reason": "", "seconds": 1.0, "limit": limit, "numbers": {}}

    def written():
        parts = json.loads((tmp_path / "device_check.json").read_text())["parts"]
        return {name: (outcome["state"], outcome["reason"]) for name, outcome in parts.items()}

    monkeypatch.setattr(running, "run_part", run_part)
    end = time.monotonic() + 60
    with loaded("device_check") as module:
        with begin(tmp_path, {"of": "a check"}) as folder, pytest.raises(KeyboardInterrupt):
            module.check(folder, SMALL, results | {"parts": {}}, end)
        assert written() == {"precision": ("failed", ""), "memory": ("cut", "it was interrupted")}
        assert "cut: it was interrupted" in (tmp_path / "device_check.md").read_text()
        for _ in range(2):  # what is done is not done again
            with begin(tmp_path, {"of": "a check"}, resume=True) as folder:
                module.check(folder, SMALL, results | {"parts": {}}, end)
    assert set(written().values()) == {("done", "")}
    assert ran == ["precision", "memory"] * 2


def test_a_machine_whose_accelerator_is_not_used_is_not_checked(monkeypatch):
    absent = {"state": "absent", "reason": "This machine has a TPU", "numbers": {}}
    monkeypatch.setattr(running, "run_part", lambda *_: absent)
    said = "cannot be checked: This machine has a TPU"
    with loaded("device_check") as module, pytest.raises(ValueError, match=said):
        module.look()


def test_bad_flags_end_with_one_line_and_no_file(tmp_path):
    with (
        loaded("device_check") as script,
        refused("unknown part 'speed'", tmp_path / "c") as folder,
    ):
        runner({})(script, folder, parts=["step", "speed"])
