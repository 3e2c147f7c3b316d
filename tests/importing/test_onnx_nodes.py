"""ONNX's own tests of its operations, a part of them; all run beside PyTorch, in `tests/live`."""

import pytest
from onnx_nodes import node_cases, reason_to_exclude, run_case

# Their expected values take ten seconds to make, or they are hundreds of one kind.
LEFT_TO_LIVE = ("averagepool", "cast", "castlike", "attention", "flexattention")


@pytest.mark.usefixtures("x64")
def test_an_operation_of_each_kind_computes_what_onnx_says() -> None:
    """The last test of each, in 64 bits."""
    chosen = {}
    for case in node_cases(LEFT_TO_LIVE):
        if reason_to_exclude(case) is None and "expanded" not in case.name:
            chosen[case.model.graph.node[-1].op_type] = case
    assert len(chosen) > 120
    failed = []
    for kind, case in chosen.items():
        try:
            run_case(case)
        except Exception as error:
            failed.append(f"{kind} ({case.name}): {str(error)[:200]}")
    assert not failed, "\n".join(failed)
    assert {"Conv", "Resize", "LayerNormalization", "Softmax"} <= set(chosen)
