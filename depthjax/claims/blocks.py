"""Blocks of documents, in Markdown: the findings of a run."""

from collections import Counter
from pathlib import Path

from depthjax.claims.stored import load_findings
from depthjax.claims.tables import finding_table
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
            folded(f"All {len(findings)} findings", finding_table(findings)),
        ]
    table = "\n\n".join(parts)
    environment = read_config(folder)["environment"]
    command = command_line(environment["command"])
    return f"{table}\n\nMade by `{command}`{where_it_ran(environment, revision=True)}."


def folded(title: str, content: str) -> str:
    """Markdown that shows the title, and the content after a click on it."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
