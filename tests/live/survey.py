"""Imports many networks of torchvision and timm, and writes what came of it: a row for each.

    python tests/live/survey.py torchvision timm

Networks that have a row already are left out, so a survey that was stopped goes on; `--rows=FILE`
keeps them elsewhere. tests/helpers/survey_document.py makes a document of them.
"""

import csv
import functools
import gc
import os
import random
import sys
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / room) for room in ("golden", "helpers"))]
sys.path.insert(0, str(HERE.parents[1]))

import jax  # noqa: E402
import torch  # noqa: E402
from parity import compare, gradient_difference, timm, torchvision  # noqa: E402
from survey_document import GRADIENTS_UP_TO, ROWS, SAMPLE  # noqa: E402

from depthjax.compat import enable_x64  # noqa: E402

FIELDS = (
    *("network", "parameters", "outcome", "operations", "seconds", "modules", "differing"),
    *("largest", "output", "weights", "state", "gradient", "note"),
)
LARGEST = 100_000_000


def torchvision_names() -> list[str]:
    """Every classification network, small ones first."""
    names = [f"torchvision:{n}" for n in torchvision.models.list_models(module=torchvision.models)]
    return sorted(names, key=lambda name: parameters(name) or 10**9)


def timm_names() -> list[str]:
    """The sample."""
    known = timm.list_models()
    names = []
    for name in random.Random(0).sample(known, len(known)):
        source = f"timm:{name}"
        if parameters(source) <= LARGEST:
            names.append(source)
        if len(names) == SAMPLE:
            break
    return sorted(names, key=parameters)


@functools.cache
def parameters(source: str) -> int:
    """How many weights a network has, without making them if it can be made so."""
    library, _, name = source.partition(":")
    make = timm.create_model if library == "timm" else torchvision.models.get_model
    try:
        with torch.device("meta"):
            module = make(name)
    except (RuntimeError, NotImplementedError):  # its initialisation looks at values
        module = make(name)
    return sum(weight.numel() for weight in module.parameters())


def survey(source: str) -> dict[str, object]:
    """One row."""
    row: dict[str, object] = {"network": source, "parameters": parameters(source)}
    try:
        found = compare(source)
    except Exception as error:  # whatever it is, it is an outcome
        text = " ".join(str(error).split())
        return row | {"outcome": "not imported", "note": f"{type(error).__name__}: {text}"[:300]}
    differing = " ".join(found.differing[:8])
    agrees = not found.differing and found.output <= 1e-4
    outcome = "agrees" if agrees else _in_double(source)
    row |= {
        **{"outcome": outcome, "operations": found.operations},
        **{"seconds": f"{found.seconds:.1f}", "modules": found.modules, "differing": differing},
        **{"largest": f"{found.largest:.1e}", "output": f"{found.output:.1e}"},
        **{"weights": found.weights, "state": found.state},
    }
    if agrees and 0 < int(str(row["parameters"])) <= GRADIENTS_UP_TO:
        try:
            with enable_x64(True):
                row["gradient"] = f"{gradient_difference(source):.1e}"
        except Exception as error:
            row["note"] = f"gradient: {type(error).__name__}: {error}"[:300]
    return row


def _in_double(source: str) -> str:
    """The outcome where single precision differs: its rounding may have been amplified."""
    with enable_x64(True):
        found = compare(source, torch.float64)
    return "agrees in float64" if max(found.largest, found.output) <= 1e-8 else "differs"


def main() -> None:
    """Surveys what is asked for."""
    options = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:] if "=" in a)
    rows = Path(options.get("rows", ROWS))
    done = []
    if rows.exists():
        with rows.open(newline="", encoding="utf-8") as file:
            done = list(csv.DictReader(file))
    wanted = [a for a in sys.argv[1:] if not a.startswith("--")]
    sources = []
    for name in wanted:
        everything = {"torchvision": torchvision_names, "timm": timm_names}
        sources += everything[name]() if name in everything else [name]
    with rows.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for source in sources:
            if source in {row["network"] for row in done}:
                continue
            begin = time.perf_counter()
            row = survey(source)
            writer.writerow(row)
            file.flush()
            print(
                source,
                row["outcome"],
                row.get("largest", ""),
                row.get("gradient", ""),
                row.get("note", ""),
                f"{time.perf_counter() - begin:.0f} s",
                flush=True,
            )
            jax.clear_caches()
            gc.collect()


if __name__ == "__main__":
    main()
