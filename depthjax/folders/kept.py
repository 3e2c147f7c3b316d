"""Results that are kept beside the code: small, without paths, and enough to be judged again.

    config.json    what was asked for and where it ran; names of folders are left out
    rows.parquet   the table of the run, one row for each number's origin
    findings.json  what the numbers say of the paper's claims, with their cells where they can
                   decide about one
    summary.md     the table to read first, where a run has one
    NAME.webp      figures

Of a reproduction each step that is done is such a folder, and `reproduce.json` beside them says
what was announced before the first step, and what became of each. A run that is not finished yet
is kept as far as it is: its rows and findings until now, and `missing.json`, which says what it
lacks.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from depthjax.figures.smaller import as_webp
from depthjax.files import json_bytes, parquet_bytes, write_atomically
from depthjax.folders.config import read_config
from depthjax.folders.emptying import remove_contents
from depthjax.folders.inversions import is_inversion, load_run
from depthjax.folders.results import ROWS, read_rows
from depthjax.folders.tables import inversion_table
from depthjax.folders.unfinished import missing as missing_now

MISSING = "missing.json"
WIDTH = 1000
"""Of a figure that is kept, in pixels."""

_FOLDERS = re.compile(r"(?<![\w/.~])~?/(?!/)(?:[^\s/=,:]+/)*|\bfile://\S*/")


_CHECKOUT = re.compile(r"(?:^|(?<==))[^=]*/(?=experiments/)")


def keep(run: Path, results: Path, figures: Sequence[str] = ()) -> list[str]:
    """Keeps a run, or what there is of it, in a folder of its own name; what it replaces goes.

    Args:
        run: a folder of results, or of a reproduction.
        results: the folder of what is kept.
        figures: names of figures that are kept if the run has them; the rest stay behind.

    Returns:
        What the run lacks: steps, layers of descents, or its last file. Nothing for a finished run.

    Raises:
        ValueError: if there is no run, or nothing of it is done, or it lies in `results` itself, or
            a file is damaged or cannot be written. What was kept before stays until all files are
            made.
    """
    whole = run.resolve()  # "." and "runs/.." have a name, too
    if whole.is_relative_to(results.resolve()):
        raise ValueError(
            f"{str(run)!r} lies in {str(results)!r}, where runs are kept; give the run it came from"
        )
    if (run / "reproduce.json").is_file():
        return _keep_reproduction(run, results / whole.name, figures)
    return _keep_run(run, results / whole.name, figures)


def missing_from(folder: Path) -> list[str]:
    """What a run that was kept lacked then."""
    path = folder / MISSING
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def without_folders(value: Any) -> Any:
    """Data of JSON whose texts name files without the folders that they lie in on one machine.

    Args:
        value: texts, also within lists and objects. Names in an archive (`zoo:a/b`, `hf://a/b`) and
            relative paths stay.
    """
    if isinstance(value, str):
        return _FOLDERS.sub("", value)
    if isinstance(value, Mapping):
        return {name: without_folders(one) for name, one in value.items()}
    return [without_folders(one) for one in value] if isinstance(value, list) else value


def _keep_reproduction(run: Path, kept: Path, figures: Sequence[str]) -> list[str]:
    """The steps that are done; others, kept from an earlier run of the same name, stay."""
    record = json.loads((run / "reproduce.json").read_text(encoding="utf-8"))
    told = json.loads((run / "claims.json").read_text(encoding="utf-8"))
    done = [step["step"] for step in told["steps"] if step["state"] == "done"]
    if not done:
        raise ValueError(f"no step of {str(run)!r} is done; run experiments/reproduce.py first")
    for name in done:
        if (run / name / "config.json").is_file():
            _keep_run(run / name, kept / name, figures)
    steps = [{**step, "command": _without_output(step["command"])} for step in told["steps"]]
    announced = without_folders({**record, "steps": steps})
    write_atomically(kept / "reproduce.json", json_bytes(announced))
    return [step["step"] for step in told["steps"] if step["step"] not in done]


def _keep_run(run: Path, kept: Path, figures: Sequence[str]) -> list[str]:
    config = read_config(run)
    rows, missing = list(_rows(run)), missing_now(run)
    if not rows:
        raise ValueError(f"nothing of {str(run)!r} is done yet; keep it once a piece of it is")
    files = {
        "config.json": json_bytes(without_folders(_of_checkout(config))),
        ROWS: parquet_bytes(rows),
    }
    if missing:
        files[MISSING] = json_bytes(missing)
    for name in ("findings.json", "summary.md"):
        if (run / name).is_file():  # some studies write them before their end
            files[name] = _smaller(run / name)
    if is_inversion(run, config):
        files["summary.md"] = f"{inversion_table(load_run(run))}\n".encode()
    for name in figures:
        if (run / "figures" / f"{name}.png").is_file():
            files[f"{name}.webp"] = as_webp(run / "figures" / f"{name}.png", WIDTH)
    if kept.is_dir():
        remove_contents(kept)
    for name, content in files.items():
        write_atomically(kept / name, content)
    return missing


def _of_checkout(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config, whose command writes to no folder of its own."""
    environment = dict(config["environment"])
    words = [word for word in environment.get("command", []) if not word.startswith("--output=")]
    environment["command"] = [_CHECKOUT.sub("", word) for word in words]
    return {**config, "environment": environment}


def _without_output(command: str) -> str:
    return shlex.join(word for word in shlex.split(command) if not word.startswith("--output="))


def _rows(run: Path) -> Iterator[dict[str, Any]]:
    """The table of a run; of one that is not finished, all that its pieces and descents have."""
    if (run / "results.csv").is_file():
        yield from read_rows(run)
        return
    for piece in sorted((run / "pieces").glob("*.json")):
        for row in json.loads(piece.read_text(encoding="utf-8")).get("rows", []):
            yield {"piece": piece.stem, **row}
    for table in sorted((run / "descents").glob("*/*/results.csv")):
        network, condition = table.parts[-3:-1]
        for row in read_rows(table.parent):
            yield {"descents": network, "condition": condition, **row}


def _smaller(path: Path) -> bytes:
    """A file as it is; of findings each in a line, without the cells of those that judge nothing.

    Cells of which some are unknown stay: how many is part of what is printed.
    """
    if path.suffix != ".json":
        return path.read_bytes()
    records = json.loads(path.read_text(encoding="utf-8"))
    for record in records:
        if not record.get("part") and not record.get("missing"):
            record.pop("cells", None)
    lines = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()
