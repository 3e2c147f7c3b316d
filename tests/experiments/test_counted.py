"""Numbers in the page's sentences that are computed from kept rows."""

from pathlib import Path

import pytest

from depthjax.claims.runs import StoredRun
from depthjax.files import csv_bytes

ROOT = Path(__file__).parents[2]
LAYERS = ["first", "last"]


@pytest.fixture(autouse=True)
def publishing(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")


@pytest.fixture
def stored(tmp_path):
    """A run with these rows."""

    def kept(name: str, rows: list[dict]) -> StoredRun:
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.csv").write_bytes(csv_bytes(rows))
        return StoredRun(name, tmp_path / name, {"layers": LAYERS, "rho": 0.5}, [], {})

    return kept


def cells(values, **place):
    """Rows of seeds and images."""
    return [
        {"seed": seed, "image": image, "x": value, **place}
        for seed, row in enumerate(values)
        for image, value in enumerate(row)
    ]


def test_means_differences_and_ratios_are_taken_cell_by_cell(stored):
    from publishing.counted import difference, each, least_to_most, mean, met, ratio_of_runs

    one = stored("one", cells([[1, 2, 3], [2, 3, 4], [3, 4, 5]], network="a"))
    many = cells([[1, 4, 9]], network="photos") + cells([[0, 1, 2]] * 3, network="other")
    two = stored("two", many)
    assert mean("x", network="a")([one]).estimate == pytest.approx(3)
    assert mean(lambda row: 2 * row["x"])([one]).estimate == pytest.approx(6)
    found = difference("x", "photos", "other")([two])
    assert found.estimate == pytest.approx(11 / 3) and (found.seeds, found.images) == (3, 3)
    twice = stored("twice", cells([[2, 4, 6], [4, 6, 8], [6, 8, 9]], network="a"))
    assert 1.9 < ratio_of_runs("x")([twice, one]).estimate < 2
    assert each("x", network="photos")([two]) == "1, 4, 9"
    assert least_to_most("x", network="photos")([two]) == "1 to 9"
    assert met(lambda row: row["x"] > 3, network="photos")([two]) == "2 of 3"


def test_geometric_means_of_kinds(stored):
    from publishing.counted import means_by

    rows = [{"kind": kind, "x": x} for kind, x in (("a", 1), ("a", 4), ("b", 8))]
    run = stored("run", rows)
    assert means_by("kind", "x", listed=True)([run]) == "2 (a), 8 (b)"
    assert means_by("kind", "x")([run]) == "2 to 8"


def comparison(**of_place):
    """Rows of a comparison: a number for each network and layer, twice."""
    return [
        {
            **{"network": network, "layer": layer, "condition": "converging"},
            "relative_resolution": 1.0 if layer == "first" else 0.125,
            **{name: value[network, layer] for name, value in of_place.items()},
        }
        for network in ("photos", "untrained")
        for layer in LAYERS
        for _ in range(2)
    ]


def of(*numbers):
    places = [(network, layer) for network in ("photos", "untrained") for layer in LAYERS]
    return dict(zip(places, numbers, strict=True))


def test_what_comparisons_have_in_common_is_counted_over_all_of_them(stored):
    from publishing.counted import (
        Counted,
        asked,
        at_last_layers,
        at_the_largest_rate,
        largest_late_mean,
        means_by_place,
    )

    rows = comparison(
        best_embedding_ratio=of(0.01, 0.2, 0.01, 0.02),
        learning_rate=of(3, 3, 1, 3),
        r2=of(0.9, 0.1, 0.8, 0.2),
    )
    rows[0]["learning_rate"] = 1  # one descent took another rate
    runs = [stored(f"compare_{name}_224", rows) for name in "ab"]
    both = ("photos", "untrained")
    assert at_last_layers(("photos",), 0.03)(runs) == "0 of 4"
    assert at_last_layers(("untrained",), 0.03)(runs) == "4 of 4"
    assert at_the_largest_rate("converging", both)(runs) == "4 of 8"
    assert largest_late_mean("r2", both, 0.125)(runs) == "0.2"
    assert means_by_place("r2", "converging", both)(runs[:1]) == "0.1 to 0.9"
    assert asked("rho")(runs) == "0.5"
    other = stored("compare_c_32", rows)
    counted = Counted(asked("rho"), ("compare_*_224",))
    assert counted.among([*runs, other]) == runs


def test_widths_are_told_as_they_were_tried(stored):
    from publishing.counted import tried_widths

    ends = {"1 n": [3, 3, 3], "1.5 n": [3, 0.1, 2], "2 n": [2, 0.1, 0.1], "10 n": [0.1, 0.1, 0.1]}
    rows = [
        {"seed": seed, "image": image, "claim": "C7", "network": name, "quantity": "D", "value": d}
        for seed in range(3)
        for name, of_images in reversed(ends.items())
        for image, d in enumerate(of_images)
    ]
    run = stored("run", rows)
    short, enough = (tried_widths("C7", enough=end)([run]).estimate for end in (False, True))
    assert short == pytest.approx((2 + 1 + 1.5) / 3) and enough == pytest.approx((10 + 1.5 + 2) / 3)
    always = stored("always", [{**row, "value": 0.5} for row in rows])
    assert [tried_widths("C7", enough=end)([always]).estimate for end in (False, True)] == [1, 1]


def test_a_sentence_is_left_out_where_its_run_was_not_kept(stored):
    from publishing.counted import Counted, mean
    from publishing.told import filled

    run = stored("run", cells([[1.5, 2, 2.5], [1.5, 2, 2.5], [1, 2, 3]]))
    told = {"x": Counted(mean("x"), ("run",))}
    assert filled("x is {x}", told, [run]) == "x is 2"
    assert filled("x is {x:interval} {y}", told, [run], {"y": "m"}).startswith("x is 2 [")
    assert filled("x is {x}", told, []) == ""
