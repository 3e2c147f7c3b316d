"""The comparison of networks, from photographs to findings, cut off and resumed."""

import json

import jax
import numpy as np
import pytest
from script_running import every_flag_file, refused, rows_of, runner, script_fixture, with_flags_of

import depthjax
from depthjax.claims.stored import load_findings
from depthjax.claims.training import CONTROLS
from depthjax.inversion.loop import descend
from depthjax.studies import descents
from depthjax.studies.comparison.setting import conditions

MODEL = depthjax.build_model("mlp", widths=(60, 30, 3))  # compiled in no time
SMALL = {
    "model": "mlp",
    "model_field": ["widths=60,30,3"],
    "seeds": ["0", "1"],
    "images": ["chelsea", "coffee"],
    "size": 16,
    "layers": "fc1,fc2",
    "steps": 30,
    "paper_steps": 4,
    "matched_ratio": 0.8,
    "paper_rates": ["0.3", "1"],
    "natural_crops": 4,
    "noise_images": 8,
}
NOISE_JUDGE = {"noise_judge_model": "mlp", "noise_judge_field": ["widths=8,2"]}
CONDITIONS = ("converging", "paper", "paper_no_blur")

script = script_fixture("compare")


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Weights of two seeds, saved as trained ones are."""
    folder = tmp_path_factory.mktemp("weights")
    for number, label in enumerate(("photos", "noise")):
        for seed in (0, 1):
            key = jax.random.key(10 * number + seed + 5)
            variables = depthjax.init_variables(MODEL, key, 16)
            depthjax.save_weights(folder / f"{label}_{seed}.safetensors", variables)
    small = depthjax.build_model("mlp", widths=(8, 2))
    judge = depthjax.init_variables(small, jax.random.key(3), 16)
    depthjax.save_weights(folder / "judge.safetensors", judge)
    return folder


def run(script, networks, output, **settings):
    three = [f"{label}={networks}/{label}_{{seed}}.safetensors" for label in ("photos", "noise")]
    judge = NOISE_JUDGE if "noise_judge" in settings else {}
    runner({**SMALL, **judge, "networks": ["untrained", *three]})(script, output, **settings)


@pytest.fixture(scope="module")
def whole(script, networks, tmp_path_factory):
    """A finished comparison, and how many descents were compiled for it."""
    folder = tmp_path_factory.mktemp("comparison") / "whole"
    before = descend(None, np.float32)._cache_size()
    run(
        script,
        networks,
        folder,
        noise_judge=str(networks / "judge.safetensors"),
    )
    return folder, descend(None, np.float32)._cache_size() - before


def test_from_photographs_to_findings(whole):
    folder, _ = whole
    rows = rows_of(folder)
    assert len(rows) == 3 * 2 * 2 * 3 * 2
    assert {row["condition"] for row in rows} == set(CONDITIONS)
    claims = load_findings(folder)
    assert {finding.claim for finding in claims} == {"C10", "C11", "C12", "C13"}
    # All layers of an MLP have the resolution of the first: C11 is not judged.
    assert {finding.part for finding in claims if finding.claim == "C11"} == {""}
    assert all(finding.measured.table.shape == (2, 2) for finding in claims)
    for name in ("claims", "networks_converging_chelsea", "networks_matched_coffee"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000
    assert json.loads((folder / "config.json").read_text())["environment"]["versions"]
    probability = [float(row["photograph_probability"]) for row in rows]
    assert min(probability) >= 0 and max(probability) <= 1 and len(set(probability)) > 2


def test_photographs_have_lost_their_colour(whole):
    run = depthjax.load_run(whole[0])
    np.testing.assert_array_equal(run.targets, run.targets[..., :1].repeat(3, axis=-1))
    assert run.targets.std() > 0.05


@pytest.mark.parametrize("grey", [True, False])
def test_controls_have_statistics_of_images_as_the_networks_see_them(
    script, tmp_path, monkeypatch, grey
):
    """Of grey ones if --grey."""
    seen = []

    def stop(model, networks):
        seen.append(networks["calibrated"][0].record["crops"])
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "judges_from_flags", stop)
    settings = {**SMALL, "model": "resnet18", "model_field": ["width=2", "stage_sizes=1,1"]}
    settings |= {"networks": ["calibrated=calibrated:untrained"], "layers": "conv1", "grey": grey}
    with pytest.raises(KeyboardInterrupt):
        runner(settings)(script, tmp_path / "one")
    assert seen[0].get("grey", False) == grey


def test_few_programs_for_each_layer_and_recipe(whole):
    """Weights and rates are arguments: three networks of two seeds run the same programs."""
    # The converging descent; the paper's with and without blur, and rates tried on all images.
    assert whole[1] == 2 * (1 + 2 * 2)


def test_the_rate_is_one_of_those_tried_and_the_best(whole):
    """By the objective alone; the descent at another rate ends at a larger one."""
    rates = {
        float(row["learning_rate"]) for row in rows_of(whole[0]) if row["condition"] != "converging"
    }
    assert {round(rate, 6) for rate in rates} <= {0.03, 0.1}
    run = depthjax.load_run(whole[0] / "descents" / "photos_1" / "paper_no_blur")
    chosen = float(run.layers["fc1"]["learning_rate"])
    settings = {**run.config["inversion"], "learning_rate": 0.03 if chosen > 0.05 else 0.1}
    settings["final_learning_rate"] = settings["learning_rate"]
    file = depthjax.weights.fetch(run.config["networks"]["photos"]["source"])
    other = depthjax.autoencode(
        jax.random.key(0),
        depthjax.Layer(MODEL, "fc1", file.normalization),
        depthjax.load_weights(MODEL, file, image_size=16),
        run.targets,
        depthjax.InversionConfig(**settings),
        init=jax.numpy.asarray(run.starts[0]),
    )
    ends = [
        np.log(found[-1]).mean()
        for found in (
            run.layers["fc1"]["trajectory_objective"],
            other.inversion.trajectory.objective,
        )
    ]
    assert ends[0] < ends[1]


def test_networks_share_start_and_targets(whole):
    first, *others = [
        depthjax.load_run(folder) for folder in sorted((whole[0] / "descents").glob("*/*"))
    ]
    assert len(others) == 3 * 2 * 3 - 1
    for other in others:
        np.testing.assert_array_equal(other.starts, first.starts)
        np.testing.assert_array_equal(other.targets, first.targets)


def test_a_killed_run_goes_on(script, networks, whole, tmp_path, monkeypatch):
    folder = tmp_path / "cut"
    calls, autoencode = [], descents.autoencode

    def killed(*arguments, **settings):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return autoencode(*arguments, **settings)

    monkeypatch.setattr(descents, "autoencode", killed)
    with pytest.raises(KeyboardInterrupt):
        run(script, networks, folder)
    assert not (folder / "results.csv").exists()
    assert len(list(folder.glob("descents/*/*/layers/*.npz"))) == 7
    # Killed while a folder was made: it has no config yet.
    (folder / "descents" / "noise_1" / "paper" / "config.json").unlink()
    with pytest.raises(ValueError, match="already holds a run"):
        run(script, networks, folder)
    for name, begun, asked in (
        ("matched_ratio", 0.8, 0.5),
        ("frames", 24, 12),
        ("noise_images", 8, 9),
        ("noise_judge", '""', str(networks / "judge.safetensors")),
    ):
        with pytest.raises(ValueError, match=f"cannot resume .*{name} is {begun}, not") as refusal:
            run(script, networks, folder, resume=True, **{name: asked})
        assert "\n" not in str(refusal.value)
    calls[:] = [1] * 8
    run(script, networks, folder, resume=True)
    assert len(calls) == 8 + 36 - 7
    missing = ("photograph_probability",)
    expected = [{k: v for k, v in row.items() if k not in missing} for row in rows_of(whole[0])]
    assert rows_of(folder) == expected


def test_one_trained_network_is_inverted_once_beside_several_seeds(script, networks, tmp_path):
    """Differences have the seeds of the untrained network; the trained one's own are of images."""
    one = f"photos={networks}/photos_0.safetensors"
    settings = {"seeds": ["0", "1"], "layers": "fc1,fc2", "steps": 2, "paper_steps": 2}
    runner({**SMALL, "networks": ["untrained", one]})(script, tmp_path / "one", **settings)
    folders = {folder.name for folder in (tmp_path / "one" / "descents").iterdir()}
    assert folders == {"untrained_0", "untrained_1", "photos_0"}
    rows = rows_of(tmp_path / "one")
    assert len(rows) == (2 + 1) * 2 * 3 * 2
    shapes = {
        (finding.detail, finding.measured.table.shape)
        for finding in load_findings(tmp_path / "one")
        if finding.network == "photos"
    }
    assert ("photos − untrained", (2, 2)) in shapes
    assert ("", (1, 2)) in shapes


def test_without_judges_it_says_so(script, networks, tmp_path, capsys):
    run(script, networks, tmp_path / "one", seeds=["0"], layers="fc1", steps=2, images=["coffee"])
    printed = capsys.readouterr().out
    assert "C12 is not judged" in printed and "No --noise_judge" in printed
    assert "class_probability" not in rows_of(tmp_path / "one")[0]
    assert "| C10" in printed and "| C12" not in printed


def test_a_run_says_which_photographs_natural_pairs_are_of(script, networks, tmp_path, capsys):
    only = {"seeds": ["0"], "layers": "fc1", "steps": 2, "images": ["astronaut", "retina"]}
    run(script, networks, tmp_path / "one", **only)
    expected = "4 crops of 4 photographs: chelsea, coffee, rocket, hubble."
    assert f"Natural pairs are of {expected}" in capsys.readouterr().out
    recorded = depthjax.load_run(tmp_path / "one").config["natural_crops"]
    assert recorded["count"] == 4 and recorded["photographs"][3] == "hubble"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"blur": True}, "with blur=False"),
        ({"paper_rates": ["1", "0.1"]}, "paper_rates"),
        ({"layers": "layer9"}, "layer9"),
        ({"images": ["nobody"]}, "nobody"),
        ({"judge": "PHOTOS"}, "is one of the networks compared"),
        ({"judge_model": "resnet18"}, "--judge_model does nothing without --judge;"),
        ({"judge": "PHOTOS", "judge_field": ["width=4"]}, "nothing without --judge_model;"),
        ({"photograph_class": 1}, "--photograph_class does nothing without --noise_judge;"),
        ({"noise_judge": "JUDGE", "photograph_class": 2}, "has 2 classes"),
        ({"noise_judge": "JUDGE", "noise_judge_field": ["widths"]}, "--noise_judge_field='widths'"),
    ],
)
def test_bad_input_ends_in_one_line_with_nothing_written(
    script, networks, tmp_path, settings, message
):
    files = {"PHOTOS": "photos_0.safetensors", "JUDGE": "judge.safetensors"}
    for name in {"judge", "noise_judge"} & settings.keys():
        settings = settings | {name: str(networks / files[settings[name]])}
    with refused(message, tmp_path / "bad") as folder:
        run(script, networks, folder, **settings)


@every_flag_file("compare_*")
def test_flag_files_compare_networks_that_are_judged(script, file):
    with with_flags_of(script, file) as flags:
        paper = depthjax.InversionConfig.paper(steps=flags.paper_steps)
        made = conditions(script.cli.config_from_flags(), paper)
        assert set(made) == set(CONDITIONS)
        labels = [entry.partition("=")[0] for entry in flags.networks]
        assert labels[:2] == ["untrained", "photos"]
        assert set(labels[2:]) <= {"noise", *CONTROLS}
