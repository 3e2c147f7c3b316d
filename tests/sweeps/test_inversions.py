"""The cells of inversions: what defines them, what they find, and that they go on when cut off."""

import hashlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from inversion_cells import CONFIG, FIELDS, cells
from PIL import Image
from safetensors.numpy import save_file

import depthjax
from depthjax import images
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.sweeps import SweepFolder, cell_hash, inversions, load_sweep, run_sweep


def test_layers_groups_and_seeds():
    listed = cells()
    assert len(listed) == 2 * 2 * 2 and len(set(map(cell_hash, listed))) == 8
    assert {tuple(cell["images"]) for cell in listed} == {("chelsea", "coffee"), ("rocket",)}
    # One program for each layer and size of group, whatever the seed.
    assert len(set(map(inversions.program, listed))) == 4
    other = cells(config=CONFIG.replace(learning_rate=0.01))
    assert set(map(inversions.program, other)) == set(map(inversions.program, listed))
    assert not set(map(cell_hash, other)) & set(map(cell_hash, listed))


def test_a_cell_is_what_its_files_hold(tmp_path):
    photo = tmp_path / "cat.png"
    before = cells_of_a_photo(photo, 90)
    assert before["image_sha256"] == {str(photo): hashlib.sha256(photo.read_bytes()).hexdigest()}
    assert cell_hash(cells_of_a_photo(photo, 90)) == cell_hash(before)
    assert cell_hash(cells_of_a_photo(photo, 91)) != cell_hash(before)
    with pytest.raises(ValueError, match="has changed since the sweep was begun"):
        inversions.run_cell(before, tmp_path / "state")


def cells_of_a_photo(file, grey):
    Image.fromarray(np.full((20, 20, 3), grey, np.uint8)).save(file)
    return cells(images=[str(file)], seeds=[0])[0]


def test_images_of_one_name_stay_apart_in_other_groups(tmp_path):
    files = [tmp_path / folder / f"{name}.png" for folder in "ab" for name in (1, 2)]
    for number, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), 50 * number, np.uint8)).save(file)
    listed = cells(images=list(map(str, files)), seeds=[0], layers="conv1")
    names = [inversions.load_cell(cell).image_names for cell in listed]
    assert names == [["1", "2"], ["1-2", "2-2"]]
    alone = cells(images=list(map(str, files[:2])), seeds=[0], layers="conv1")
    assert listed[0] == alone[0], "what is said of other groups would make another cell of it"


def test_a_network_is_loaded_once_for_all_seeds_of_its_starts(tmp_path, monkeypatch):
    model = depthjax.build_model("resnet18", **FIELDS)
    file = str(tmp_path / "trained.safetensors")
    depthjax.save_weights(file, depthjax.init_variables(model, jax.random.key(0), 16))
    asked = []

    def counted(found, source, seed, *rest, **settings):
        asked.append((source, seed))
        return depthjax.weights.weights_of(found, source, seed, *rest, **settings)

    monkeypatch.setattr(inversions, "weights_of", counted)
    for source in (file, f"calibrated:{file}", "untrained:7", "untrained", f"shuffled:{file}"):
        asked.clear()
        inversions._network.cache_clear()
        for cell in cells(weights=source, layers="conv1"):
            inversions.load_cell(cell)
        drawn = source.startswith(("shuffled", "untrained")) and ":7" not in source
        assert len(asked) == (2 if drawn else 1), source


def test_weights_are_hashed_whatever_their_file_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = depthjax.init_variables(
        depthjax.build_model("resnet18", **FIELDS), jax.random.key(0), 16
    )
    for name in ("untrained_net", "hf_net", "torchvision", "file-1"):
        file = f"{name}.safetensors"
        depthjax.save_weights(file, weights)
        before = cells(weights=file)[0]
        assert before["weights_sha256"] == hashlib.sha256(Path(file).read_bytes()).hexdigest()
    assert {cell["weights_sha256"] for cell in cells(weights="untrained:7")} == {None}


def test_a_cell_has_the_copy_of_its_prefix(tmp_path):
    model = depthjax.build_model("resnet18", **FIELDS)
    copies = [depthjax.init_variables(model, jax.random.key(seed), 16) for seed in (0, 1)]
    state = {
        f"copy{number}.{name}": np.ascontiguousarray(array)
        for number, variables in enumerate(copies)
        for name, array in depthjax.to_torch_state_dict(variables).items()
    }
    save_file(state, tmp_path / "two.safetensors")
    two = str(tmp_path / "two.safetensors")
    for number, variables in enumerate(copies):
        cell = cells(weights=two, weights_prefix=f"copy{number}")[0]
        jax.tree.map(np.testing.assert_array_equal, inversions.load_cell(cell).variables, variables)
    with pytest.raises(ValueError, match=r"holds .* 2 times"):
        inversions.load_cell(cells(weights=two)[0])


def test_a_judge_is_part_of_the_cell_and_adds_a_column(tmp_path):
    judge = {"model": "resnet18", "model_fields": FIELDS, "weights": "untrained:5"}
    judge["layers"] = "layer1"
    cell = cells(judge=judge, seeds=[0])[0]
    plain = cells(seeds=[0])[0]
    assert "judge" not in plain and cell_hash(cell) != cell_hash(plain)
    with_judge, without = (inversions.run_cell(c, tmp_path / "state") for c in (cell, plain))
    for row, other in zip(with_judge, without, strict=True):
        assert 0 < row.pop("perceptual_distance") < 2
        assert str(row) == str(other)
    changed = cell | {"judge": cell["judge"] | {"sha256": "another"}}
    with pytest.raises(ValueError, match="of the judge have changed since the sweep was begun"):
        inversions.run_cell(changed, tmp_path / "state")


def test_a_cell_finds_what_the_library_finds(tmp_path):
    cell = json.loads(json.dumps(cells()[-2]))
    rows = inversions.run_cell(cell, tmp_path / "state")
    model = depthjax.build_model("resnet18", **FIELDS)
    weights = depthjax.init_variables(model, jax.random.key(1), 16)
    _, photographs = images.load_images(["chelsea", "coffee"], 16)
    found = depthjax.autoencode(
        jax.random.key(1), depthjax.Layer(model, "layer1"), weights, jnp.asarray(photographs),
        CONFIG, reference_key=jax.random.key(2),
    )  # fmt: skip
    assert [row["image"] for row in rows] == ["chelsea", "coffee"]
    np.testing.assert_allclose([row["input_ratio"] for row in rows], found.input_ratio, rtol=1e-5)
    row = rows[0]
    assert (row["layer"], row["seed"], row["network"]) == ("layer1", 1, "untrained")
    assert (row["model_fields"], row["fit"]) == ("width=4 stage_sizes=1,1 num_classes=3", "crop")
    assert (row["normalization"], row["settings"]) == ("none", "steps=6 record_every=2")
    assert row["depth"] > 0 and (row["devices"], row["per_device"]) == (1, 2)


def test_a_cell_that_was_cut_off_goes_on_to_the_same_rows(tmp_path, monkeypatch):
    cell = cells(config=CONFIG.replace(steps=40))[0]
    whole = inversions.run_cell(cell, tmp_path / "whole" / "state")

    class Cut(BaseException):
        """As `kill -9`: nothing in between notices."""

    class Often(DescentCheckpoints):
        def __init__(self, folder, *, anew):
            super().__init__(folder, seconds=0.0, anew=anew)

    class UntilCut(Often):
        def keep(self, batch, kept, **settings):
            super().keep(batch, kept, **settings)
            if int(kept.state.step.max()) > CONFIG.steps:
                raise Cut

    resumed, resume = [], DescentCheckpoints.resume

    def watched(*arguments):
        resumed.append(resume(*arguments))
        return resumed[-1] and resumed[-1]._replace(state=resumed[-1].state)

    monkeypatch.setattr(inversions, "DescentCheckpoints", UntilCut)
    with pytest.raises(Cut):
        run_sweep([cell], inversions.run_cell, tmp_path / "sweep")
    monkeypatch.setattr(inversions, "DescentCheckpoints", Often)
    assert SweepFolder(tmp_path / "sweep").status().waiting == (cell_hash(cell),)
    monkeypatch.setattr(DescentCheckpoints, "resume", watched)
    run_sweep([cell], inversions.run_cell, tmp_path / "sweep")
    assert resumed[0] is not None
    rows = load_sweep(tmp_path / "sweep").drop_columns(["cell"]).to_pylist()
    np.testing.assert_equal(rows, whole)
    assert not list((tmp_path / "sweep" / "unfinished").iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": "layer9"}, "unknown layer"),
        ({"images": ["chelsae"]}, "did you mean 'chelsea'"),
        ({"images": []}, "at least 1"),
        ({"group_size": 0}, "at least 1"),
        ({"seeds": []}, "at least one seed"),
        ({"weights": "trained.pth"}, "unknown weights"),
        ({"model": "resnet19"}, "did you mean"),
        ({"config": CONFIG.replace(start="gaussian+image")}, "last group of 3 images has one"),
    ],
)
def test_what_does_not_exist_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        cells(**settings)
