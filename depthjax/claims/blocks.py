"""Blocks of documents, in Markdown: the findings of a run, the verdicts of a reproduction."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthjax.claims.stored import load_findings
from depthjax.claims.tables import claims_table, finding_table, steps_table
from depthjax.folders.config import read_config
from depthjax.folders.environment import command_line, where_it_ran
from depthjax.tables import markdown_table

_VERDICTS = ("supported", "contradicted", "open", "not reached")


def findings_block(folder: Path) -> str:
    """How often each verdict was found, then all findings, and the command that made them.

    A network called `control` differs from its counterpart by chance alone.

    Args:
        folder: of a run with findings.

    Raises:
        ValueError: if it has none, or they cannot be read.
    """
    findings = load_findings(folder)
    parts = []
    summary = folder / "summary.md"
    if summary.is_file():
        parts.append(summary.read_text(encoding="utf-8").rstrip())
    if findings:
        counts: dict[tuple[str, str], Counter[str]] = {}
        for finding in findings:
            network = finding.network or finding.note  # old findings have the whole place there
            counts.setdefault((finding.title, network), Counter())[finding.verdict] += 1
        rows = [
            [*key, *(str(count[verdict]) for verdict in _VERDICTS)] for key, count in counts.items()
        ]
        parts += [
            markdown_table(["claim", "network", *_VERDICTS], rows),
            _folded(f"All {len(findings)} findings", finding_table(findings)),
        ]
    table = "\n\n".join(parts)
    environment = read_config(folder)["environment"]
    command = command_line(environment["command"])
    return f"{table}\n\nMade by `{command}`{where_it_ran(environment, revision=True)}."


def claims_block(verdicts: Mapping[str, Any]) -> str:
    """The verdict on each claim with its reason, the commands, and where they ran.

    Args:
        verdicts: the contents of a reproduction's `claims.json`.
    """
    counts = Counter(record["verdict"] for record in verdicts["claims"])
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    why = "\n".join(
        f"- {record['claim']}: {record['verdict']} ({record['reason']})."
        for record in verdicts["claims"]
    )
    minutes = sum(step["seconds"] or 0 for step in verdicts["steps"]) / 60
    environment = verdicts["environment"]
    there = "" if environment is None else where_it_ran(environment, revision=True)
    changed = "" if verdicts["same_plan"] else ", which is another one by now"
    return (
        f"Of {len(verdicts['claims'])} claims: {told}.\n\n{claims_table(verdicts)}\n\n"
        f"{_folded('Why, part by part', why)}\n\n"
        f"{_folded('Commands', steps_table(verdicts))}\n\n"
        f"Made by `python experiments/reproduce.py --scale={verdicts['scale']}` in"
        f" {minutes:.0f} minutes{there}, under the plan {verdicts['plan']}{changed}."
    )


def _folded(title: str, content: str) -> str:
    """Markdown that shows the title, and the content after a click on it."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
