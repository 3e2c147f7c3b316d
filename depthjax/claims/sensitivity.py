"""Whether verdicts rest on the kind of interval that the plan fixed."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from depthjax.claims.cells import CautiousCells, Cells
from depthjax.claims.claim import Claim
from depthjax.claims.findings import Finding
from depthjax.claims.judging import judge_claim


def by_cautious_intervals(findings: Sequence[Finding], claims: Iterable[Claim]) -> dict[str, str]:
    """The verdicts that would be others by `depthjax.statistics.cautious`, by claim.

    No verdict is taken from it: the plan's interval was fixed before the runs, this one after them.

    Args:
        findings: of all runs that decide.
        claims: which were judged.
    """
    wider = [_cautious(finding) for finding in findings]
    verdicts = {
        claim.id: tuple(judge_claim(claim, given).verdict for given in (findings, wider))
        for claim in claims
    }
    return {name: other for name, (plans, other) in verdicts.items() if plans != other}


def _cautious(finding: Finding) -> Finding:
    cells = finding.measured
    if not isinstance(cells, Cells):
        return finding
    wider = CautiousCells(cells.values, cells.fixed, cells.logarithmic)
    return replace(finding, measured=wider)
