"""Every claim gets every verdict, from findings that are made up in the scripts' words."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from depthjax.claims.paper import (
    CLAIMS,
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Claim,
    Part,
    contradictions_needed,
    judge,
    judge_claim,
    smallest_effect,
)
from depthjax.claims.tables import claims_table, judgement_table
from depthjax.statistics import Finding, Interval

LAYERS = ("conv1", "layer1", "layer2", "layer3", "layer4")
KINDS = ("photographs", "Gaussian noise", "1/f noise", "uniform noise")
NEARER = "fixed steps without blur: photos − untrained"
FLOOR = "final m_i / ‖P_N(a − a_0)‖"
SPECTRAL = "spectral distance of a_g − a_0 to the training noise"

# Where and what each script's findings are about: (where, statistic, rule).
FINDINGS = {
    "C1": [
        (f"resnet18, {where}", "slope of log D at ρ = 0.1 per block", "> 0")
        for where in ("within stages", "over stages")
    ],
    "C2": [
        ("resnet18, layer4", "ρ of the recovered image", "<= 0.3"),
        ("resnet18, layer4", "D of the recovered image / D of the flat mean colour", "> 1"),
        ("resnet34 − resnet18, layer4", "D at ρ = 0.3: deeper − shallower network", "> 0"),
    ],
    "C3": [("resnet18, layer4", "elasticity d log D / d log ρ (8 of 9)", "< 0.05")],
    "C4": [
        *[(f"{kind}, 4 layers, conjugate gradients (9 steps)", FLOOR, "within 0.99 1.01")
          for kind in ("narrow", "one narrow layer")],
        ("wide, 4 layers, conjugate gradients (9 steps)", "final m_i √(2523/n)", "<= 0.1"),
        ("narrow, 4 layers, paper's descent (9 steps)", FLOOR, "within 0.99 1.01"),
        ("wide, 4 layers, paper's descent (9 steps)", "final m_i √(2523/n)", "<= 0.1"),
    ],
    "C5": [
        ("wide, rate 1/σ₁²", "slope of log steps to D = 1, per layer", "> 0"),
        ("wide, rate 1/σ₁²", "share that reaches D = 1 at every depth in 1e+09 steps", ">= 1"),
    ],
    "C6": [
        ("pre-images, text", "median distance / σ‖J⁻¹‖_F", ">= 0.5"),
        ("pre-images, text", "median distance / σ‖J⁻¹‖_F", "<= 2"),
        ("pre-images, text", "share outside [0, 1]", "> 0.99"),
        ("pre-images, text", "median distance / m_i of gradient descent", "> 1"),
        ("pre-images, code", "share outside [0, 1]", "> 0.99"),
    ],
    "C7": [("one ReLU layer", "width / n at which half recover: D ≤ 1", "within 1.8 2.2")],
    "C8": [("rate 1/σ₁²", "steps to D = 1, wider late / wide", "< 1")],
    "C9": [
        ("resnet50, conv1", "σ_min", "> 0"),
        ("resnet50, relu", "distinct active inputs / n", ">= 1"),
        ("resnet50, maxpool", "distinct active winners / n", "< 1"),
    ],
    "C10": [
        *[(f"photos, {layer}", f"log ρ, {NEARER}", "< 0")
          for layer in LAYERS],
        *[(f"photos, {layer}", f"log m_g/‖O(a)‖, {NEARER}", "< 0")
          for layer in LAYERS],
        ("photos, layer4", "elasticity d log D / d log ρ", "< 0.05"),
    ],
    "C11": [
        (f"photos, {layer}", "SSIM at matched ρ: photos − untrained", rule)
        for layer, rule in zip(LAYERS, ("> 0",) * 3 + ("<= 0",) * 2, strict=True)
    ],
    "C12": [
        ("photos, layer4", f"log-odds of the top class by a third network, {how}", "> 0")
        for how in ("converging: photos − untrained", "paper's recipe: photos − untrained")
    ],
    "C13": [
        *[(f"noise, {layer}", "log ρ, fixed steps with blur", "> 0") for layer in LAYERS[2:]],
        *[(f"noise, {layer}", "log ρ, fixed steps without blur", "< 0") for layer in LAYERS[2:]],
        *[(f"noise, {layer}", f"{SPECTRAL}, {how}: noise − untrained", "< 0")
          for layer in LAYERS[2:] for how in ("converging", "fixed steps")],
        *[(f"noise, {layer}", "SSIM at matched ρ: noise − untrained", "<= 0")
          for layer in LAYERS[:2]],
    ],
    "C14": [
        (f"photos, layer4, {kind}", "neighbour distance over held-out, trained / untrained", "< 1")
        for kind in KINDS
    ],
    "C15": [("noise, layer4.1.conv2", "low-frequency energy of filters", "< 1.1")],
    "C16": [("resnet50", "slope of log(σ₁ / σ at half rank) per block", "> 0")],
}  # fmt: skip


def finding(claim: str, where: str, statistic: str, rule: str, verdict: str) -> Finding:
    """One with that verdict."""
    relation, *bounds = rule.split()
    bound = float(bounds[0])
    middle = (bound + float(bounds[-1])) / 2
    width = abs(middle - bound) or 0.3
    beyond = -1 if relation.startswith(">") else 1  # where the rule is violated
    if verdict == "not reached":
        interval = Interval(*[float("nan")] * 3, 3, 5)
    elif relation == "within":
        at = {"supported": middle, "contradicted": float(bounds[-1]) + width, "open": bound}
        interval = Interval(at[verdict], at[verdict] - width / 2, at[verdict] + width / 2, 3, 5)
    elif relation == ">=" and verdict == "supported":
        interval = Interval(bound, bound, bound, 3, 5)  # a share cannot be above 1
    else:
        at = {"supported": bound - beyond, "contradicted": bound + beyond, "open": bound}
        interval = Interval(at[verdict], at[verdict] - 0.5, at[verdict] + 0.5, 3, 5)
    found = Finding(claim, where, statistic, rule, interval)
    assert found.verdict == verdict
    return found


def findings(claim: str, *verdicts: str) -> list[Finding]:
    """Those of a claim: the last one's verdict is repeated."""
    told = [*verdicts, *[verdicts[-1]] * len(FINDINGS[claim])]
    return [finding(claim, *one, told[n]) for n, one in enumerate(FINDINGS[claim])]


def test_each_claim_has_findings_of_its_own_here() -> None:
    assert list(CLAIMS) == list(FINDINGS) == [f"C{n}" for n in range(1, 17)]
    for claim in CLAIMS.values():
        counted = [one for part in judge_claim(claim, findings(claim.id, "open")).parts
                   for one in part.findings]  # fmt: skip
        assert sorted(map(repr, counted)) == sorted(map(repr, findings(claim.id, "open")))


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_gets_every_verdict(claim: str) -> None:
    def verdict(found: list[Finding]) -> str:
        return judge_claim(CLAIMS[claim], found).verdict

    assert verdict(findings(claim, "supported")) == SUPPORTED
    assert verdict(findings(claim, "contradicted")) == NOT_SUPPORTED
    assert verdict(findings(claim, "open", "supported")) == UNDECIDED
    assert verdict(findings(claim, "not reached")) == UNDECIDED
    assert verdict([]) == NOT_RUN
    others = [one for name in CLAIMS if name != claim for one in findings(name, "supported")]
    assert verdict(others) == NOT_RUN
    contrasts = [replace(one, claim=f"{claim}, contrast") for one in findings(claim, "supported")]
    controls = [
        replace(one, where=f"control, {one.where}") for one in findings(claim, "contradicted")
    ]
    assert verdict(contrasts + controls) == NOT_RUN


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_part_alone_can_refute_a_claim_and_each_is_needed(claim: str) -> None:
    judged = judge_claim(CLAIMS[claim], findings(claim, "supported"))
    for part in (part for part in judged.parts if part.part.votes):
        others = [one for one in findings(claim, "supported") if one not in part.findings]
        refuting = [
            finding(claim, one.where, one.statistic, one.rule, "contradicted")
            for one in part.findings
        ]
        against = judge_claim(CLAIMS[claim], others + refuting)
        assert against.verdict == NOT_SUPPORTED and against.decisive in refuting
        assert f"{part.part.says}: contradicted" in against.reason
        without = judge_claim(CLAIMS[claim], others)
        assert without.verdict == (UNDECIDED if others else NOT_RUN)
        assert f"{part.part.says}: not measured" in without.reason


def test_one_place_of_many_is_contradicted_by_chance() -> None:
    assert [contradictions_needed(n) for n in (1, 2, 3, 14, 15)] == [1, 1, 2, 2, 3]
    claim = Claim("C9", "", "", (Part("everywhere"),))
    for places, needed in ((2, 1), (5, 2)):
        found = [
            finding("C9", f"net, layer{n}", "x", "> 0", "contradicted" if n < hits else "supported")
            for hits in (needed - 1, needed)
            for n in range(places)
        ]
        less, enough = found[:places], found[places:]
        assert judge_claim(claim, enough).verdict == NOT_SUPPORTED
        assert judge_claim(claim, less).verdict == (SUPPORTED if needed == 1 else UNDECIDED)


@given(places=st.integers(1, 40), holds=st.integers(0, 40))
def test_contradicted_places_are_a_binomial_test(places: int, holds: int) -> None:
    """Against random draws of places that each go astray in 2.5 % of cases."""
    assume(holds <= places)
    needed = contradictions_needed(places)
    random = np.random.default_rng(places)
    hits = random.binomial(places, 0.025, 200_000)
    assert (hits >= needed).mean() < 0.05 + 0.002
    assert needed == 1 or (hits >= needed - 1).mean() > 0.05 - 0.002
    assert contradictions_needed(holds or 1) <= needed


def test_the_deepest_layer_of_each_network_counts() -> None:
    claim = Claim("C10", "", "", (Part("deep", deepest=True),))
    shallow = [finding("C10", f"{n}, layer1", "x", "< 0", "contradicted") for n in "ab"]
    deep = [finding("C10", f"{n}, layer4", "x", "< 0", "supported") for n in "ab"]
    assert judge_claim(claim, shallow + deep).verdict == SUPPORTED
    assert judge_claim(claim, shallow).verdict == NOT_SUPPORTED


def test_what_decides() -> None:
    """The weakest support, the clearest contradiction, what is farthest from a decision."""
    claim = Claim("C9", "", "", (Part("x"),))

    def at(estimate: float, reach: float, where: str) -> Finding:
        ends = estimate - reach, estimate + reach
        return Finding("C9", where, "x", "> 0", Interval(estimate, *ends, 3, 5))

    support = [at(9, 1, "clear"), at(2, 1, "weak"), at(5, 2, "middling"), at(0.1, 0, "exact")]
    assert judge_claim(claim, support).decisive.where == "weak"
    against = [at(-9, 1, "clear"), at(-2, 1, "weak"), *support]
    assert judge_claim(claim, against).decisive.where == "clear"
    undecided = [at(0.9, 1, "nearly"), at(-0.5, 2, "far"), *support]
    assert judge_claim(claim, undecided).decisive.where == "far"


@given(
    rule=st.sampled_from(["> 1", ">= 1", "< 1", "<= 1"]),
    below=st.floats(0.01, 10),
    above=st.floats(0.01, 10),
    slack=st.floats(0.01, 2).filter(lambda s: abs(s - 1) > 1e-3),
)
def test_the_smallest_effect_is_where_the_verdict_turns(
    rule: str, below: float, above: float, slack: float
) -> None:
    """With the same spread, an estimate that far on the right side of the bound is support."""
    sign = 1 if rule.startswith(">") else -1
    effect = smallest_effect(Finding("C1", "", "", rule, Interval(5, 5 - below, 5 + above, 3, 5)))
    estimate = 1 + sign * slack * effect
    moved = Interval(estimate, estimate - below, estimate + above, 3, 5)
    assert (Finding("C1", "", "", rule, moved).verdict == "supported") == (slack > 1)


def test_records_and_tables_hold_all_claims() -> None:
    found = [one for name in list(CLAIMS)[:8] for one in findings(name, "supported")]
    found += findings("C9", "not reached")
    judged = judge(found)
    assert [one.verdict for one in judged] == [SUPPORTED] * 8 + [UNDECIDED] + [NOT_RUN] * 7
    records = [one.record() for one in judged]
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert records[0]["decisive"]["smallest_effect"] == 0.5
    table = judgement_table(judged).splitlines()
    assert len(table) == 2 + 16 and "not run" in table[-1]
    shown = claims_table({"claims": records}).splitlines()
    assert len(shown) == 2 + 16 and "width 3000" in shown[5] and "3 × 5" in shown[2]
