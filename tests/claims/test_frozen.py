"""The plan as data: it is the same until a claim or a rule is another, and runs keep theirs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from study_findings import STUDIES

from depthjax import statistics
from depthjax.claims import findings, frozen, judging
from depthjax.claims.beside import BESIDE
from depthjax.claims.claim import Claim
from depthjax.claims.frozen import digest, plan, rules
from depthjax.claims.judging import judge
from depthjax.claims.paper import CLAIMS
from depthjax.claims.stored import load_findings, plan_of
from depthjax.claims.tables import finding_table, judgement_table, verdict_text
from depthjax.folders.begin import begin
from depthjax.folders.results import write_results


def test_every_claim_has_a_digest_of_its_own() -> None:
    digests = plan()
    assert set(digests) == set(CLAIMS) | set(BESIDE)
    assert len(set(digests.values())) == len(digests)
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in digests.values())


def test_what_a_claim_says_and_asks_for_is_in_its_digest() -> None:
    claim = CLAIMS["C11"]
    part = claim.parts["early_clearer"]
    changed = [replace(claim, sentence="Else."), replace(claim, statistic="another")]
    changed += [
        replace(claim, parts={**claim.parts, "early_clearer": replace(part, **change)})
        for change in ({"rule": "> 0.01"}, {"effect": 0.03}, {"votes": False})
    ]
    digests = [digest(one) for one in (claim, *changed)]
    assert len(set(digests)) == len(digests)
    # The order in which parts are written is none of it.
    turned = replace(claim, parts=dict(reversed(claim.parts.items())))
    assert digest(turned) == digests[0]


def fresh() -> str:
    """The rules' digest, asked again."""
    return rules.__wrapped__()


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (statistics, "LEAST", 4),
        (statistics, "KNOWN", 0.75),
        (statistics, "LEVEL", 0.9),
        (statistics, "POWER", 0.5),
        (findings.Finding, "judged", lambda self, effect=0.0: self.bound.judge(self.interval)),
        (findings.Finding, "votes", True),
        (judging, "together", lambda found: found[0]),
        (frozen, "holm", lambda chances: {n for n, p in chances.items() if p < 0.0025}),
    ],
)
def test_another_rule_is_another_digest(where, name, value, monkeypatch) -> None:
    assert fresh() == rules()
    monkeypatch.setattr(where, name, value)
    assert fresh() != rules()


def stored(folder, noted=None):
    with begin(folder, {"a": 1}, noted=noted, resume=True) as opened:
        write_results(opened, [{"layer": "any"}], STUDIES["widths"]())
    return load_findings(folder)


WIDTH_CLAIMS = ("C4", "C5", "C7", "C8", "C19", "C20")


def test_what_was_found_under_another_plan_is_exploratory(tmp_path) -> None:
    today = stored(tmp_path / "today", {"plan": plan()})
    assert {one.plan for one in today} == {plan()[name] for name in WIDTH_CLAIMS}
    assert not any(one.exploratory for one in today)
    other = stored(tmp_path / "other", {"plan": plan() | {"C8": "0123456789ab"}})
    assert {one.claim for one in other if one.exploratory} == {"C8"}
    judged = {one.claim.id: one for one in judge(other)}
    assert judged["C8"].exploratory and not judged["C4"].exploratory
    assert verdict_text(judged["C8"].record()) == "supported, exploratory"
    assert "0123456789ab" in judgement_table(list(judged.values()))
    assert "supported, exploratory |" in finding_table([one for one in other if one.claim == "C8"])
    # Of a run that is older than plans, everything is.
    assert all(one.exploratory for one in stored(tmp_path / "older"))
    (tmp_path / "older" / "config.json").unlink()
    assert plan_of(tmp_path / "older") == {}
    assert all(one.exploratory for one in load_findings(tmp_path / "older"))


def test_a_run_that_is_gone_on_with_keeps_the_plan_it_was_begun_under(tmp_path) -> None:
    stored(tmp_path / "run", {"plan": plan() | {"C8": "0123456789ab"}})
    again = stored(tmp_path / "run", {"plan": plan()})
    assert {one.claim for one in again if one.exploratory} == {"C8"}
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["a"] == 1 and config["environment"]["plan"]["C8"] == "0123456789ab"
    assert config["environment"]["versions"]


def test_a_claim_that_nobody_knows_has_no_plan(tmp_path) -> None:
    assert digest(Claim("X", "", "", {})) not in plan().values()
    assert np.unique(list(plan().values())).size == len(plan())
