"""A driver of a sweep by two of Ray's workers: FOLDER, cells as JSON, attempts."""

import json
import sys

from sweep_cells import squares

from depthjax.sweeps import run_sweep

if __name__ == "__main__":
    folder, listed, attempts = sys.argv[1:]
    begun = []
    status = run_sweep(
        json.loads(listed),
        squares,
        folder,
        workers=2,
        attempts=int(attempts),
        program=lambda cell: str(cell["number"] % 2),
        on_begin=begun.append,
    )
    failed = {name: failure["message"] for name, failure in status.failed.items()}
    print(json.dumps({"before": len(begun[0].done), "done": len(status.done), "failed": failed}))
    print(json.dumps(begun[0].damaged))
