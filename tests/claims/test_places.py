"""Several places of a part are one number, and more of them make it surer."""

import numpy as np
import pytest

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.places import networks_apart, together
from depthjax.statistics import interval


def at(table: np.ndarray, layer: str = "a", **fields) -> Finding:
    measured = Cells.of(
        table, **{k: fields.pop(k) for k in ("fixed", "logarithmic") if k in fields}
    )
    made = {"claim": "X", "part": "p", "network": "net", "layer": layer, "quantity": "x"}
    return Finding(**{**made, "bound": Bound.above(0), "measured": measured, **fields})


def drawn(places: int, seed: int = 0, shape: tuple[int, int] = (3, 5)) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 1, size=(places, *shape))


def test_the_mean_over_places_is_taken_cell_by_cell() -> None:
    tables = drawn(4)
    whole = together([at(table, str(n)) for n, table in enumerate(tables)])
    assert whole.interval == pytest.approx(interval(tables.mean(0)), rel=1e-5)
    assert whole.where == "net, mean of 4 places" and whole.known is None
    alone = at(tables[0])
    assert together([alone]) is alone
    # The same numbers once more are no more knowledge.
    assert together([alone, alone]).interval == alone.interval


def test_more_places_make_support_likelier() -> None:
    """With votes, six places supported a true effect in 3 % of runs, one place in 57 %."""
    random = np.random.default_rng(0)

    def power(places: int) -> float:
        supported = 0
        for _ in range(300):
            shared = random.normal(size=(3, 1)) + 0.5 * random.normal(size=(1, 5))
            tables = 2.5 + shared + random.normal(size=(places, 3, 5))
            supported += together([at(table) for table in tables]).verdict == "supported"
        return supported / 300

    one, six = power(1), power(6)
    assert six >= one > 0.3


def test_what_is_missing_at_one_place_shifts_nothing() -> None:
    """The first place lies ten higher, and knows less of the first seed."""
    tables = drawn(2)
    tables[0] += 10
    full = together([at(table) for table in tables]).interval.estimate
    tables[0, 0, :2] = np.nan
    found = together([at(table) for table in tables])
    assert found.known == (28, 30) and found.interval.missing == 0
    assert found.interval.estimate == pytest.approx(full, abs=0.5)
    rows = found.measured.table.mean(1)
    assert abs(rows - rows.mean()).max() < 2  # and not 10 · 2/5 · 1/2
    tables[0] = np.nan
    assert together([at(table) for table in tables]).verdict == "not reached"


def test_exact_places_are_all_asked() -> None:
    high, low = np.full((2, 3), 2.0), np.array([[-1.0]])
    assert together([at(high, fixed="exact")] * 2).verdict == "supported"
    whole = together([at(high, fixed="exact"), at(low, fixed="exact")])
    assert whole.verdict == "contradicted" and whole.interval[1:3] == (-1, 2)


def test_other_seeds_and_images_are_taken_to_err_alike() -> None:
    """Of two runs the errors are averaged, not divided, and the fewer degrees of freedom count."""
    first, second = drawn(1)[0], drawn(1, shape=(5, 5))[0]
    one, other = interval(first), interval(second)
    found = together([at(first), at(second)]).interval
    assert found.estimate == pytest.approx((one.estimate + other.estimate) / 2, rel=1e-5)
    assert found.error == pytest.approx((one.error + other.error) / 2, rel=1e-5)
    assert found.freedom == pytest.approx(min(one.freedom, other.freedom), rel=1e-5)
    assert (found.seeds, found.images) == (3, 5)
    ratios = together([at(np.exp(table), logarithmic=True) for table in (first, second)]).interval
    assert ratios.estimate == pytest.approx(np.exp(found.estimate), rel=1e-5)


def test_seeds_of_two_runs_have_nothing_in_common() -> None:
    """However the seeds of one of them are numbered, the interval is the same."""
    tables = drawn(4)
    renumbered = np.concatenate([tables[:2], tables[2:, ::-1]])
    whole, other = (
        together([at(table, run=run) for table, run in zip(given, "aabb", strict=True)])
        for given in (tables, renumbered)
    )
    assert whole.interval == pytest.approx(other.interval) and whole.run == ""
    own = [interval(tables[:2].mean(0)), interval(tables[2:].mean(0))]
    assert whole.interval.estimate == pytest.approx(tables.mean(), rel=1e-5)
    assert whole.interval.error == pytest.approx(np.mean([one.error for one in own]), rel=1e-5)
    assert (whole.interval.seeds, whole.interval.images) == (3, 5)


def test_places_without_a_value_are_not_counted() -> None:
    empty = at(np.full((3, 5), np.nan), "none")
    found = together([at(drawn(1)[0]), at(drawn(1)[0]), empty])
    assert found.note == "mean of 2 of 3 places"


def test_the_fields_that_places_share_stay() -> None:
    found = together([at(drawn(1)[0], "a", note="n"), at(drawn(1)[0], "a", note="n", network="b")])
    assert (found.network, found.layer, found.note) == ("", "a", "n, mean of 2 places")


def test_networks_that_contradict_each_other_are_told_apart() -> None:
    """Only where two intervals have no value in common: else their mean tells of both."""
    noise = np.random.default_rng(0).normal(size=(3, 5))

    def of(middle: float, run: str, network: str = "", fixed: str = "") -> Finding:
        return at(middle + 0.01 * noise, run=run, network=network, fixed=fixed)

    near, far = of(1.0, "a"), of(2.0, "b")
    apart = networks_apart([near, far, of(2.2, "b")])
    assert list(apart) == [("a", ""), ("b", "")]
    assert apart["a", ""] == near and apart["b", ""].interval.estimate == pytest.approx(2.1, 0.01)
    assert list(networks_apart([of(1.0, "a", "photos"), of(2.0, "a", "noise")])) == [
        ("a", "photos"),
        ("a", "noise"),
    ]
    unknown = of(np.nan, "c")
    assert len(networks_apart([near, far, unknown])) == 3
    for agreeing in ([], [near], [near, of(1.001, "b")], [near, unknown], [near, of(2.0, "a")]):
        assert networks_apart(agreeing) == {}
    assert networks_apart([of(1.0, "a", fixed="exact"), of(2.0, "b", fixed="exact")]) == {}
