"""The page of one run that was kept: `results/NAME/README.md`."""

from depthjax.claims.blocks import folded
from depthjax.claims.runs import StoredRun, judge_alone
from depthjax.claims.tables import finding_table, judgement_table
from depthjax.folders.environment import command_line, where_it_ran
from depthjax.folders.kept import missing_from


def run_page(run: StoredRun) -> str:
    """Verdicts, table, pictures and findings of a run, and how it was made."""
    up = "../" * (run.name.count("/") + 1)
    environment = run.config["environment"]
    parts = [f"# {run.name}", f"[Results]({up}../RESULTS.md)"]
    parts.append(f"Made by `{command(run)}`{where_it_ran(environment, revision=True)}.")
    if missing := missing_from(run.folder):
        parts.append(f"**Not finished.** Missing: {', '.join(missing)}.")
    if judged := judge_alone(run):
        parts.append(judgement_table(judged))
    summary = run.folder / "summary.md"
    if summary.is_file():
        parts.append(summary.read_text(encoding="utf-8").rstrip())
    parts += [f"![{path.stem}]({path.name})" for path in sorted(run.folder.glob("*.webp"))]
    if run.findings:
        parts.append(folded(f"All {len(run.findings)} findings", finding_table(run.findings)))
    parts.append("The rows are in `rows.parquet`; `depthjax.folders.results.read_rows` reads them.")
    return "\n\n".join(parts) + "\n"


def command(run: StoredRun) -> str:
    """The command of a run as one types it."""
    return command_line(run.config["environment"].get("command", []))
