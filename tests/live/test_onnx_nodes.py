"""All of ONNX's own tests of its operations; those that are left out have a reason each."""

from collections import Counter
from collections.abc import Callable

import pytest
from onnx_nodes import node_cases, reason_to_exclude, run_case

PARTS = 4  # that run beside each other


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.usefixtures("x64")
def test_all_operations_compute_what_onnx_says(
    part: int,
    record_property: Callable[[str, object], None],
) -> None:
    """They compute what ONNX says, in 64 bits; every axis of an input is an ordinary one."""
    cases = node_cases()
    reasons = {case.name: reason_to_exclude(case) for case in cases}
    failed = []
    for case in cases[part::PARTS]:
        if reasons[case.name] is not None:
            continue
        try:
            run_case(case)
        except Exception as error:
            failed.append(f"{case.name}: {str(error)[:200]}")
    left_out = Counter(reason for reason in reasons.values() if reason is not None)
    record_property("run", len(cases) - left_out.total())
    record_property("left out", dict(left_out))
    assert not failed, "\n".join(failed)
    assert len(cases) - left_out.total() > 1280
